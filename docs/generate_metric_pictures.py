"""Draw the pictures of docs/reference/metrics/: `python docs/generate_metric_pictures.py`.

Each picture has panels with points in the plane, and a value above each that the registered metric computes from them.
`python docs/generate_metric_pictures.py diversity` draws only the pictures of these names.
"""

import io
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from attrs import frozen
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse
from PIL import Image
from torch import Tensor

import ganfw
from ganfw import MetricInputs, SampleSet
from ganfw.builtin.distances import kth_distance

PICTURES = Path(__file__).parent / "images" / "metrics"
REAL, SAMPLES, RIGHT, WRONG = "#9a9a9a", "#1f5fbf", "#1b7a3d", "#b3261e"
REGIONS = ("#fdeecb", "#dcefdc", "#f6dde6")
SQUARE = 3.2
"""How far a panel reaches from its centre."""

Drawing = Callable[["Panel", Axes], None]


@frozen(eq=False)
class Panel:
    """Points and the metric that measures them: `(n, 2)` samples, reference and training set.

    Attributes:
        says: what the reader sees.
        misleads: whether the value leads to a wrong conclusion.
        probabilities: of the classes, of `(n, 2)` points.
        behind: what is drawn below the points.
        points: draws the points; by default dots of the reference and of the samples.
    """

    says: str
    samples: Tensor
    reference: Tensor
    training: Tensor | None = None
    misleads: bool = False
    probabilities: Callable[[Tensor], Tensor] | None = None
    behind: Drawing | None = None
    points: Drawing | None = None
    reach: float = SQUARE

    def measure(self, metric: ganfw.Metric) -> Mapping[str, ganfw.MetricValue]:
        """Return what a metric finds, with the points as their own features."""
        training = self.reference if self.training is None else self.training
        return metric(MetricInputs(self._set(self.samples), self._set(self.reference), self._set(training)))

    def _set(self, points: Tensor) -> SampleSet:
        probabilities = None if self.probabilities is None else self.probabilities(points).double()
        return SampleSet(points, points.double(), probabilities)


@frozen(eq=False)
class Picture:
    """Panels beside each other, and which numbers of a metric stand above them, by their names there."""

    part: str
    shown: dict[str, str]
    panels: tuple[Panel, ...]

    def captions(self, registry: ganfw.Registry) -> list[str]:
        """Return for each panel what it shows and the values."""
        metric = registry.load("metric", self.part)()
        return [f"{panel.says}: {self._values(panel.measure(metric))}" for panel in self.panels]

    def _values(self, found: Mapping[str, ganfw.MetricValue]) -> str:
        return ", ".join(f"{label} {_written(found[name].value)}" for name, label in self.shown.items())


def _written(value: object) -> str:
    assert isinstance(value, float)
    if value == int(value) and value >= 2:
        return f"{value:.0f}"
    return f"{value + 0.0:.2f}" if abs(value) < 100 else f"{value:.0f}"


def gaussian(count: int, seed: int, *, centre: tuple[float, float] = (0.0, 0.0), sigma: float = 1.0) -> Tensor:
    """Return points of a round Gaussian, `(count, 2)`."""
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, 2, generator=random, dtype=torch.float64) * sigma + torch.tensor(centre)


def around(centres: Tensor, count: int, seed: int, sigma: float) -> Tensor:
    """Return `count` points around each of `(n, 2)` centres."""
    return centres.repeat_interleave(count, dim=0) + gaussian(len(centres) * count, seed, sigma=sigma)


def circle(count: int, radius: float, start: float = 90.0) -> Tensor:
    """Return `(count, 2)` points on a circle, the first at an angle in degrees."""
    angles = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count) + math.radians(start)
    return torch.stack([angles.cos(), angles.sin()], dim=1) * radius


def with_moments_of(points: Tensor, target: Tensor) -> Tensor:
    """Return points that are moved and stretched to the mean and the covariance of others."""
    left, right = (torch.linalg.cholesky(each.T.cov()) for each in (points, target))
    moved: Tensor = (points - points.mean(0)) @ torch.linalg.inv(left).T @ right.T + target.mean(0)
    return moved


def of_three_classes(points: Tensor) -> Tensor:
    """Return `(n, 3)` probabilities of a classifier of `(n, 2)` points with a centre for each class."""
    return (circle(3, 2.0).to(points.dtype) @ points.T * 3).T.softmax(1)


def of_their_number(points: Tensor) -> Tensor:
    """Return `(n, 1000)` probabilities of a classifier that is sure of each number, `points[:, 0]`."""
    return torch.eye(1000, dtype=torch.float64)[points[:, 0].long()]


def balls(k: int, *, open_balls: bool = False) -> Drawing:
    """Return what draws the balls of the reference to the k-th nearest neighbour."""

    def draw(panel: Panel, axes: Axes) -> None:
        radii = kth_distance(panel.reference, panel.reference, k + 1)
        for (x, y), radius in zip(panel.reference.tolist(), radii.tolist(), strict=True):
            style = {"linestyle": ":"} if open_balls else {}
            axes.add_patch(Circle((x, y), radius, facecolor="#00000012", edgecolor="#b5b5b5", linewidth=0.5, **style))

    return draw


def regions(panel: Panel, axes: Axes) -> None:
    """Shade the places of each class."""
    ticks = torch.linspace(-SQUARE, SQUARE, 200)
    places = torch.cartesian_prod(ticks, ticks)
    classes = of_three_classes(places).argmax(1).reshape(200, 200).T
    extent = (-SQUARE, SQUARE, -SQUARE, SQUARE)
    axes.imshow(classes.numpy(), origin="lower", extent=extent, cmap=mpl.colors.ListedColormap(REGIONS))


def ellipses(panel: Panel, axes: Axes) -> None:
    """Draw the fitted Gaussians, as the ellipse of two standard deviations."""
    for points, colour, style in ((panel.reference, "#333333", "-"), (panel.samples, "#ff9f1c", "--")):
        values, vectors = torch.linalg.eigh(points.T.cov())
        width, height = (4 * values.sqrt()).tolist()
        angle = math.degrees(math.atan2(*vectors[:, 0].flip(0).tolist()))
        x, y = points.mean(0).tolist()
        axes.add_patch(
            Ellipse((x, y), width, height, angle=angle, fill=False, ec=colour, ls=style, linewidth=1.8, zorder=3)
        )


def rings(panel: Panel, axes: Axes) -> None:
    """Draw the training set as dots, and the samples as rings around their places."""
    assert panel.training is not None
    _scatter(axes, panel.training, s=14, color=REAL, label="training images")
    _scatter(axes, panel.samples, s=42, facecolors="none", edgecolors=SAMPLES, linewidths=1, label="samples")


def cells(panel: Panel, axes: Axes) -> None:
    """Draw a cell for each number from 000 to 999, filled if a sample has it."""
    found = panel.samples[:, 0].long().bincount(minlength=1000).reshape(25, 40) > 0
    edges = [torch.linspace(-panel.reach, panel.reach, number + 1).numpy() for number in (40, 25)]
    colours = mpl.colors.ListedColormap(["white", SAMPLES])
    axes.pcolormesh(*edges, found.numpy(), cmap=colours, vmin=0, vmax=1, edgecolors="#dddddd", linewidth=0.4)


def dots(panel: Panel, axes: Axes) -> None:
    """Draw the reference and the samples as dots, smaller where there are many."""
    _scatter(axes, panel.reference, s=_size(panel.reference), color=REAL, linewidths=0, label="real")
    _scatter(axes, panel.samples, s=_size(panel.samples), color=SAMPLES, linewidths=0, label="samples")


def _scatter(axes: Axes, points: Tensor, **style: Any) -> None:
    axes.scatter(points[:, 0].numpy(), points[:, 1].numpy(), **style)


def _size(points: Tensor) -> float:
    return 16 if len(points) <= 60 else 9 if len(points) <= 400 else 5 if len(points) <= 3000 else 1


def frechet_distance() -> Picture:
    """Show the fitted Gaussians differ, and a case where they are equal."""
    real = gaussian(300, 0, sigma=0.7)
    hoop = circle(300, 1.8) + gaussian(300, 2, sigma=0.12)
    return Picture(
        "frechet_distance",
        {"frechet_distance": "distance"},
        (
            Panel("shifted samples", gaussian(300, 1, centre=(1.5, 0), sigma=0.7), real, behind=ellipses),
            Panel("narrow samples", gaussian(300, 1, sigma=0.2), real, behind=ellipses),
            Panel("a blob for a ring", with_moments_of(gaussian(300, 3), hoop), hoop, misleads=True, behind=ellipses),
        ),
    )


def frechet_distance_infinite() -> Picture:
    """Show perfect generators with many samples and with few."""
    real = gaussian(2000, 0, sigma=1.0)
    return Picture(
        "frechet_distance",
        {"frechet_distance": "distance", "frechet_distance_infinite": "corrected"},
        (
            Panel("perfect, 2,000 samples", gaussian(2000, 1), real),
            Panel("perfect, 50 samples", gaussian(50, 59), real),
            Panel("perfect, 50 other samples", gaussian(50, 30), real, misleads=True),
        ),
    )


def kernel_distance() -> Picture:
    """Show equal sets, different sets, and the same in another unit."""
    real, shifted = gaussian(300, 0, sigma=0.4), gaussian(300, 1, centre=(0.6, 0), sigma=0.4)
    return Picture(
        "kernel_distance",
        {"kernel_distance": "distance"},
        (
            Panel("samples like the real ones", gaussian(300, 2, sigma=0.4), real),
            Panel("shifted samples", shifted, real),
            Panel("the same, features times 2", shifted * 2, real * 2, misleads=True),
        ),
    )


def _with_outlier() -> Tensor:
    return torch.cat([gaussian(30, 0, centre=(-1.4, -1.4), sigma=0.5), torch.tensor([[1.2, 1.2]], dtype=torch.float64)])


def precision_recall() -> Picture:
    """Show the balls of the reference, and one of an outlier."""
    centres = torch.tensor([[-1.5, 0.0], [1.5, 0.0]], dtype=torch.float64)
    real = around(centres, 25, 0, 0.45)
    far = gaussian(30, 3, centre=(1.3, 1.3), sigma=0.4)
    noise = gaussian(50, 7, sigma=1.4)
    return Picture(
        "precision_recall",
        {"precision": "precision", "recall": "recall"},
        (
            Panel("one kind is missing", gaussian(50, 1, centre=(-1.5, 0), sigma=0.35), real, behind=balls(3)),
            Panel("many bad samples", noise, real, behind=balls(3)),
            Panel("one real outlier", far, _with_outlier(), misleads=True, behind=balls(3)),
        ),
    )


def density_coverage() -> Picture:
    """Show the same, and a place where many balls overlap."""
    centres = torch.tensor([[-1.5, 0.0], [1.5, 0.0]], dtype=torch.float64)
    real = around(centres, 25, 0, 0.45)
    far = gaussian(30, 3, centre=(1.3, 1.3), sigma=0.4)
    wheel = torch.cat([circle(7, 1.0), circle(3, 0.06)]) + torch.tensor([-1.7, 0.0])
    dense = torch.cat([wheel, gaussian(25, 6, centre=(1.6, 0), sigma=0.5)])
    spot = gaussian(50, 8, centre=(-1.7, 0), sigma=0.02)
    return Picture(
        "density_coverage",
        {"density": "density", "coverage": "coverage"},
        (
            Panel("one kind is missing", gaussian(50, 1, centre=(-1.5, 0), sigma=0.45), real, behind=balls(5)),
            Panel("one real outlier", far, _with_outlier(), behind=balls(5)),
            Panel("all in one dense place", spot, dense, misleads=True, behind=balls(5)),
        ),
    )


def classifier_score() -> Picture:
    """Show samples in the regions of three classes."""
    real = around(circle(3, 1.7), 40, 0, 0.4)
    unsure = gaussian(120, 2, sigma=0.25)
    three = around(circle(3, 1.7), 40, 1, 0.02)
    return Picture(
        "classifier_score",
        {"classifier_score": "score"},
        tuple(
            Panel(says, samples, real, misleads=misleads, probabilities=of_three_classes, behind=regions)
            for says, samples, misleads in (
                ("samples like the real ones", around(circle(3, 1.7), 40, 4, 0.4), False),
                ("samples between the classes", unsure, False),
                ("one sample a class, repeated", three, True),
            )
        ),
    )


def classes() -> Picture:
    """Show a class that is missing, one that is rare, and garbage in all regions."""
    real = around(circle(3, 1.7), 40, 0, 0.4)
    lost = around(circle(3, 1.7)[:2], 60, 1, 0.4)
    few = torch.cat([lost, gaussian(8, 5, centre=(1.47, -0.85), sigma=0.3)])
    garbage = around(circle(3, 2.9), 40, 3, 0.12) * torch.tensor([0.9, 0.9])
    return Picture(
        "classifier_score",
        {"classes_found": "found", "class_kl": "KL"},
        tuple(
            Panel(says, samples, real, misleads=misleads, probabilities=of_three_classes, behind=regions)
            for says, samples, misleads in (
                ("a class is missing", lost, False),
                ("a class is rare", few, False),
                ("samples unlike any class", garbage, True),
            )
        ),
    )


def nearest_neighbours() -> Picture:
    """Show new samples, copies, and a few copies among new ones."""
    training, unseen, other = (gaussian(45, seed, sigma=1.1) for seed in (2, 102, 202))
    copies = training + gaussian(45, 3, sigma=0.03)
    some = torch.cat([copies[:11], other[11:]])
    return Picture(
        "nearest_neighbours",
        {"nearest_neighbour_ratio": "ratio"},
        tuple(
            Panel(says, samples, unseen, training, misleads=misleads, points=rings)
            for says, samples, misleads in (
                ("new samples", other, False),
                ("copies", copies, False),
                ("11 of 45 are copies", some, True),
            )
        ),
    )


def diversity() -> Picture:
    """Show collapse, and two sets that are as diverse as real data."""
    real = around(circle(5, 1.8), 30, 0, 0.3)
    noise = torch.rand(150, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 6 - 3
    return Picture(
        "diversity",
        {"diversity": "diversity"},
        (
            Panel("collapse", gaussian(150, 1, centre=(0, 1.8), sigma=0.06), real),
            Panel("one kind is missing", around(circle(5, 1.8)[1:], 38, 2, 0.3), real, misleads=True),
            Panel("noise", noise, real, misleads=True),
        ),
    )


def ring_modes() -> Picture:
    """Show lost modes, blurred ones, and points everywhere."""
    centres = circle(8, 1.0, 0.0)
    random = torch.Generator().manual_seed(3)
    scattered = torch.rand(10_000, 2, generator=random, dtype=torch.float64) * 2.6 - 1.3
    real = around(centres, 250, 0, 0.01)
    return Picture(
        "ring_modes",
        {"modes_found": "found", "high_quality_share": "high quality"},
        (
            Panel("half of the modes", around(centres[:4], 500, 1, 0.01), real, reach=1.4),
            Panel("all modes, blurred", around(centres, 250, 2, 0.05), real, reach=1.4),
            Panel("10,000 scattered points", scattered, real, reach=1.4, misleads=True),
        ),
    )


def grid_modes() -> Picture:
    """Show all modes, a few, and one that has nearly all samples."""
    places = torch.arange(-4.0, 5.0, 2.0, dtype=torch.float64)
    centres = torch.cartesian_prod(places, places)
    real = around(centres, 80, 0, 0.05)
    uneven = torch.cat([centres, around(centres[12:13], 1975, 4, 0.05)])
    return Picture(
        "grid_modes",
        {"modes_found": "found", "mode_kl": "KL"},
        (
            Panel("samples like the real ones", around(centres, 80, 1, 0.05), real, reach=5),
            Panel(
                "9 of 25 modes", around(centres.reshape(5, 5, 2)[1:4, 1:4].reshape(9, 2), 222, 2, 0.05), real, reach=5
            ),
            Panel("one sample each, all others in one", uneven, real, reach=5, misleads=True),
        ),
    )


def stacked_modes() -> Picture:
    """Show the numbers that are found with many samples and with few."""
    random = torch.Generator().manual_seed(0)

    def numbers(count: int, kinds: int) -> Tensor:
        return torch.randint(kinds, (count, 1), generator=random).expand(-1, 2)

    some = torch.randperm(1000, generator=random)[:600]
    return Picture(
        "stacked_modes",
        {"stacked_modes_found": "found", "stacked_mode_kl": "KL"},
        tuple(
            Panel(says, samples, samples[:1], misleads=misleads, probabilities=of_their_number, points=cells)
            for says, samples, misleads in (
                ("perfect, 26,000 samples", numbers(26_000, 1000), False),
                ("collapse, 26,000 samples", some[numbers(26_000, 600)], False),
                ("perfect, 1,000 samples", numbers(1000, 1000), True),
            )
        ),
    )


SCENES: dict[str, Callable[[], Picture]] = {
    scene.__name__: scene
    for scene in (
        frechet_distance,
        frechet_distance_infinite,
        kernel_distance,
        precision_recall,
        density_coverage,
        classifier_score,
        classes,
        nearest_neighbours,
        diversity,
        ring_modes,
        grid_modes,
        stacked_modes,
    )
}


def draw(picture: Picture, registry: ganfw.Registry) -> bytes:
    """Return a picture as PNG; panels whose value misleads have a red frame."""
    figure = Figure(figsize=(3.1 * len(picture.panels), 3.75), dpi=100, layout="constrained")
    all_axes = figure.subplots(1, len(picture.panels))
    for panel, axes, caption in zip(picture.panels, all_axes, picture.captions(registry), strict=True):
        colour = WRONG if panel.misleads else RIGHT
        says, values = caption.split(": ")
        axes.set_title(says, fontsize=11, pad=24)
        axes.text(0.5, 1.02, values, transform=axes.transAxes, ha="center", fontsize=11.5, weight="bold", color=colour)
        axes.set_xlabel("misleads" if panel.misleads else "correct", color=colour, fontsize=11)
        axes.set_xlim(-panel.reach, panel.reach)
        axes.set_ylim(-panel.reach, panel.reach)
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set(color=colour, linewidth=1.5)
        if panel.behind:
            panel.behind(panel, axes)
        (panel.points or dots)(panel, axes)
    if picture.panels[0].points is not cells:
        legend = all_axes[0].legend(loc="upper left", fontsize=9, framealpha=0.9, handletextpad=0.2, borderpad=0.3)
        for handle in legend.legend_handles:
            handle.set_sizes([30.0])
    content = io.BytesIO()
    figure.savefig(content, metadata={"Software": None}, bbox_inches="tight", pad_inches=0.06)
    few = Image.open(content).convert("RGB").quantize(48, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    few.save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def main(names: list[str]) -> None:
    """Draw pictures."""
    registry = ganfw.discover(allowed=[])
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in names or SCENES:
        picture = SCENES[name]()
        content = draw(picture, registry)
        (PICTURES / f"{name}.png").write_bytes(content)
        print(name, len(content), "; ".join(picture.captions(registry)))


if __name__ == "__main__":
    main(sys.argv[1:])
