"""What a metric returns where it cannot measure, and why."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from ganfw import MetricValue


def shortfall(sets: Mapping[str, Tensor], least: int, need: str) -> str:
    """Return why these sets cannot be measured, or `""` where they can.

    Args:
        sets: `(n, d)` features or probabilities, by name: `"samples"`, `"reference samples"`.
        least: how many rows each must have.
        need: the beginning of the reason: `"k = 3 needs"`.
    """
    for name, rows in sets.items():
        if len(rows) < least:
            return f"too few {name}: {len(rows)}; {need} at least {least}"
        if not rows.isfinite().all():
            return f"not all numbers of the {name} are finite"
    return ""


def no_values(reason: str, **better: Literal["lower", "higher", ""]) -> dict[str, MetricValue]:
    """Return results without a value; `better` says of each by its name whether lower or higher values are better."""
    return {name: MetricValue(None, which, reason) for name, which in better.items()}
