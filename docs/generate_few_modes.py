"""Draw the pictures of docs/explanation/few-modes.md, from the runs of its sweep with seed 0.

ganfw sweep benchmarks/few_modes.toml --jobs 2
python docs/generate_few_modes.py sweeps/few_modes
"""

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from attrs import frozen
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

import ganfw

PICTURES = Path(__file__).parent / "images" / "few-modes"
COUNT = 1000
GAME_RATE, GAME_STEPS, GAME_REACH = 0.1, 62, 5.0
SHOWN = {
    "notebook": "as in the notebook",
    "momentum_0": "no momentum",
    "r1": "R1",
    "momentum_0_r1": "no momentum, and R1",
}
"""The variants in the pictures, and what they are called there."""


@frozen(eq=False)
class Moment:
    """What a checkpoint's networks do.

    Attributes:
        step: of the checkpoint.
        shares: `(10,)`, of each digit among samples, by the shipped classifier.
        slope: the median length of the gradient of the logit, at real images.
        samples: `(n, 1, 28, 28)`.
    """

    step: int
    shares: Tensor
    slope: float
    samples: Tensor


def moments(run: Path, registry: ganfw.Registry) -> Iterator[Moment]:
    """Yield what the networks of each checkpoint of a run do, in the order of steps."""
    for path in sorted((run / "checkpoints").glob("step-*")):
        checkpoint = ganfw.open_checkpoint(path)
        recipe = checkpoint.recipe().with_overrides(["run.compile=false"])
        experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
        discriminator = experiment.networks["discriminator"]
        discriminator.load_state_dict(checkpoint.part_state("discriminator"))
        samples = checkpoint.source(registry).sample(COUNT)
        classifier = registry.load("embedding", "mnist_classifier")((1, 28, 28), torch.device("cpu"))
        _, probabilities = classifier(ganfw.to_uint8(samples))
        shares = probabilities.argmax(1).bincount(minlength=10) / COUNT
        real = experiment.batches.first(COUNT).samples.requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(real).sum(), real)
        slope = gradient.flatten(1).norm(dim=1).median().item()
        yield Moment(int(path.name.removeprefix("step-")), shares, slope, samples)


def draw_shares(axes: Axes, title: str, run: Sequence[Moment]) -> None:
    """Draw how the shares of the ten digits change in a run."""
    steps = [each.step for each in run]
    colours = [f"C{digit}" for digit in range(10)]
    axes.stackplot(steps, torch.stack([each.shares for each in run], dim=1).numpy(), colors=colours, alpha=0.85)
    below = 0.0
    for digit, share in enumerate(run[-1].shares.tolist()):
        if share >= 0.04:
            axes.annotate(str(digit), (steps[-1] + 30, below + share / 2), va="center", annotation_clip=False)
        below += share
    axes.set(title=title, xlim=(steps[0], steps[-1]), ylim=(0, 1), xlabel="step")


def draw_slopes(figure: Figure, runs: dict[str, Sequence[Moment]]) -> None:
    """Draw how steep the discriminators of all runs become."""
    axes = figure.subplots()
    for name, run in runs.items():
        axes.semilogy([each.step for each in run], [each.slope for each in run], marker="o", label=SHOWN[name])
    axes.set(xlabel="step", ylabel="slope at real images")
    figure.legend(loc="outside right", frameon=False)


def play(momentum: float) -> Tensor:
    """Return `(steps + 1, 2)`: x is to make x y small, y is to make it large; both step in turn from (1, 1)."""
    x = y = 1.0
    speed_x = speed_y = 0.0
    path = [(x, y)]
    for _ in range(GAME_STEPS):
        speed_x = momentum * speed_x - GAME_RATE * y
        x += speed_x
        speed_y = momentum * speed_y + GAME_RATE * x
        y += speed_y
        path.append((x, y))
    return torch.tensor(path)


def draw_game(axes: Axes, momentum: float) -> None:
    """Draw the path of the two players."""
    path = play(momentum)
    axes.plot(path[:, 0].numpy(), path[:, 1].numpy(), marker=".", color="C0")
    axes.plot([0], [0], marker="*", markersize=14, color="C3")
    reach = (-GAME_REACH, GAME_REACH)
    axes.set(title=f"momentum {momentum:g}", xlabel="x", ylabel="y", xlim=reach, ylim=reach, aspect="equal")


def save(name: str, figure: Figure) -> None:
    """Write a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    ganfw.write_atomically(PICTURES / f"{name}.png", buffer.getvalue())


def main(sweep: Path) -> None:
    """Draw all pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    registry = ganfw.discover(allowed=[])
    runs = {name: list(moments(sweep / f"{name},seed=0", registry)) for name in SHOWN}

    figure = Figure(figsize=(11, 3.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(runs), sharey=True), runs, strict=True):
        draw_shares(axes, SHOWN[name], runs[name])
    save("shares", figure)

    figure = Figure(figsize=(8.5, 3.4), layout="constrained")
    draw_slopes(figure, runs)
    save("slopes", figure)

    figure = Figure(figsize=(9, 3.3), layout="constrained")
    for axes, momentum in zip(figure.subplots(1, 3, sharey=True), (0.0, 0.5, 0.9), strict=True):
        draw_game(axes, momentum)
    save("game", figure)

    rows = torch.cat([run[-1].samples[:16] for run in runs.values()])
    ganfw.write_png(PICTURES / "samples.png", ganfw.image_grid(rows, columns=16))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
