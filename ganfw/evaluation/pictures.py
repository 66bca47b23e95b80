"""Pictures of an evaluation: nearest neighbours, and what truncation does."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganfw.evaluation.inputs import SampleSet
from ganfw.images import image_grid, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 10
PAIRS_OF_ROWS = 4
BLUE, ORANGE, GREEN, VERMILION, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7"
"""Colours that colour-blind people can distinguish (Okabe and Ito, "Color Universal Design", 2008)."""
FIDELITY = {"precision": (BLUE, "o"), "density": (ORANGE, "s")}
DIVERSITY = {"recall": (VERMILION, "^"), "coverage": (GREEN, "D")}


def neighbours_picture(samples: SampleSet, training: SampleSet) -> bytes | None:
    """Draw the first samples, and below each the training sample that is nearest to it in features; as PNG.

    Returns:
        None where the samples are not images, or nothing is there to compare them with.
    """
    if not len(training):
        return None
    count = min(len(samples), COLUMNS * PAIRS_OF_ROWS) // COLUMNS * COLUMNS or len(samples)
    first = samples.samples[:count]
    if not _are_images(first):
        return None
    nearest = torch.cdist(samples.features[:count], training.features).argmin(1)
    columns = min(COLUMNS, count)
    pairs = zip(first.split(columns), training.samples[nearest].split(columns), strict=True)
    return to_png(image_grid(torch.cat([row for pair in pairs for row in pair]).float().div(255), columns))


def truncation_grid(rows: Sequence[tuple[float | None, Tensor]]) -> bytes | None:
    """Draw samples of the same noise, `(n, channels, height, width)` uint8, a row for each threshold; as PNG.

    Returns:
        None where the samples are not images.
    """
    if not _are_images(rows[0][1]):
        return None
    columns = min(COLUMNS, len(rows[0][1]))
    strips = [image_grid(samples[:columns].float().div(255), columns) for _, samples in rows]
    height, width = strips[0].shape[1:]
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 100 + 1.2, len(rows) * height / 100), dpi=100)
    for number, ((threshold, _), strip) in enumerate(zip(rows, strips, strict=True)):
        left = 1.2 / (width / 100 + 1.2)
        axes = figure.add_axes((left, 1 - (number + 1) / len(rows), 1 - left, 1 / len(rows)))
        axes.imshow(strip.permute(1, 2, 0).squeeze(2).numpy(), cmap="gray", vmin=0, vmax=255, aspect="auto")
        axes.set_axis_off()
        label = f"t: {_threshold(threshold)}"
        axes.text(-0.01, 0.5, label, transform=axes.transAxes, ha="right", va="center", fontsize=12)
    return _png(figure)


def curve_picture(document: Mapping[str, Any]) -> bytes:
    """Draw a truncation curve, what `eval/step-*-truncation.json` holds, as PNG."""
    from matplotlib.figure import Figure

    points = document["points"]
    figure = Figure(figsize=(10, 4.2), dpi=120, layout="constrained")
    distance, shares = figure.subplots(1, 2)
    figure.suptitle(
        f"{document['name']}, step {document['step']:,}: {document['count']:,} samples of one noise at each threshold",
        fontsize=11,
    )
    _line(distance, points, "frechet_distance", PURPLE, "o", "-")
    distance.set_ylabel("Fréchet distance (lower is better)")
    distance.set_ylim(bottom=0)
    for name, (colour, marker) in FIDELITY.items():
        _line(shares, points, name, colour, marker, "-")
    for name, (colour, marker) in DIVERSITY.items():
        _line(shares, points, name, colour, marker, "--")
    shares.set_ylabel("share (higher is better)")
    shares.set_ylim(bottom=0)
    if shares.lines:
        title = "solid: fidelity\ndashed: diversity"
        shares.legend(title=title, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for axes in (distance, shares):
        axes.set_xlabel("truncation threshold t")
        axes.set_xticks(range(len(points)), [_threshold(point["truncation"]) for point in points])
        axes.grid(axis="y", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _line(axes: "Axes", points: Sequence[Mapping[str, Any]], name: str, colour: str, marker: str, style: str) -> None:
    """Draw one result along the thresholds, where it has a value."""
    values = [point["metrics"].get(name, {}).get("value") for point in points]
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if known:
        axes.plot(*zip(*known, strict=True), color=colour, marker=marker, linestyle=style, label=name)


def _threshold(threshold: float | None) -> str:
    return "none" if threshold is None else f"{threshold:g}"


def _are_images(samples: Tensor) -> bool:
    return samples.ndim == 4 and samples.shape[1] in (1, 3) and samples.dtype == torch.uint8


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()
