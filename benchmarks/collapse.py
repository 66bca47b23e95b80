"""Does `health` warn of collapsed runs only? A plugin for two sweeps of such and others, and a table of what it said.

    cd benchmarks
    ganfw sweep collapse.toml --plugin collapse.py --jobs 2              # half an hour each
    ganfw sweep collapse_held_out.toml --plugin collapse.py --jobs 2
    python collapse.py sweeps/collapse sweeps/collapse_held_out

The limit of `health` was chosen with the first sweep. The grids of samples show which runs have collapsed.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import torch
from annotated_types import Ge

import ganfw
from ganfw import Callback, Part, TensorData, Training, hookimpl
from ganfw.builtin.health import distances
from ganfw.builtin.mnist import mnist

COLOURS = [[230, 60, 50], [60, 180, 75], [40, 100, 220], [240, 200, 40], [150, 60, 180], [60, 200, 210]]


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Offer the parts."""
    yield Part(kind="callback", name="distances", target=f"{__name__}:Distances", help="what health judges by")
    yield Part(kind="data", name="few_digits", target=f"{__name__}:few_digits", help="a few digits, grey or in colour")


class Distances(Callback):
    """Writes to `distances.jsonl` what `health` computes in each window: shares of the distances of real samples."""

    needs_directory = True

    def __init__(self, seed: int, /) -> None:
        self.seed = seed

    def on_log(self, training: Training) -> None:
        """Write a line."""
        assert training.directory
        inputs = training.experiment.batches.first(64)
        samples = training.experiment.source.sample(64, seed=self.seed, inputs=inputs)
        shares = [ours / real for ours, real in zip(distances(samples), distances(inputs.samples), strict=True)]
        with (training.directory / "distances.jsonl").open("a") as file:
            file.write(json.dumps({"step": training.step, "mean": shares[0], "nearest": shares[1]}) + "\n")


def few_digits(
    *,
    split: Annotated[Literal["train", "test"], "MNIST's training or test images"] = "train",
    size: Annotated[int, Ge(1), "how many training images"] = 500,
    colour: Annotated[bool, "each digit in one of six colours, on another"] = False,
) -> TensorData:
    """Return the first images of MNIST, `(size, 1 or 3, 28, 28)`; all test images."""
    digits = mnist(split=split)
    assert digits.labels is not None
    count = size if split == "train" else len(digits)
    samples, labels = digits.samples[:count], digits.labels[:count]
    if colour:
        random = torch.Generator().manual_seed(int(split == "test"))
        ink, apart = (torch.randint(low, 6, (count,), generator=random) for low in (0, 1))
        palette, share = torch.tensor(COLOURS)[:, :, None, None], samples / 255
        samples = (share * palette[ink] + (1 - share) * palette[(ink + apart) % 6]).round().to(torch.uint8)
    return TensorData(samples, labels, num_classes=10)


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@click.command()
@click.argument("sweeps", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(sweeps: tuple[Path, ...]) -> None:
    """Print a table."""
    print("| run | mean | nearest | recall | coverage | windows of the last third with a warning of collapse |")
    print("|---|---|---|---|---|---|")
    for run in (run for sweep in sweeps for run in ganfw.load_runs(sweep) if run.metrics):
        windows = lines(run.directory / "metrics.jsonl")
        late = [window for window in windows if 3 * window["step"] > 2 * windows[-1]["step"]]
        warned = sum("collapse" in window.get("warnings", ()) for window in late)
        last = lines(run.directory / "distances.jsonl")[-1]
        values = [last["mean"], last["nearest"], run.metrics.get("recall"), run.metrics.get("coverage")]
        numbers = " | ".join("" if value is None else f"{value:.3f}" for value in values)
        print(f"| {run.directory.name} | {numbers} | {warned} of {len(late)} |")


if __name__ == "__main__":
    main()
