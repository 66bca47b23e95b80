"""The table of an evaluation, for a terminal or a notebook."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BARS = "▁▂▃▄▅▆▇█"


def metric_rows(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    """Yield each result beside that of real data, and which way is better."""
    yield "metric", "value", "real data", "better"
    for name, result in metrics.items():
        yield name, number_text(result["value"]), number_text(result.get("real_data")), result["better"]


def number_text(value: Any) -> str:
    """Write a number with four digits, a histogram as bars."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        top = max([*value, 1e-12])
        return "".join(BARS[round(share / top * (len(BARS) - 1))] for share in value[:40])
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 10_000 else f"{value:.4g}"
