"""Train every loss on the grid of 25 Gaussians and write docs/explanation/toys.md: `python docs/generate_toys.py`.

`python docs/generate_toys.py hinge "bce + r1"` trains only those of these names and keeps the results of the others.
"""

import json
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any

import torch
from attrs import field, frozen

import ganfw
from ganfw import MetricInputs, Recipe, SampleSet
from ganfw.builtin.sample_pictures import scatter_png

DOCS = Path(__file__).parent
PAGE = DOCS / "explanation" / "toys.md"
PICTURES = DOCS / "images" / "toys"
COUNT = 10_000


@frozen
class Method:
    """A loss with its regularizers, as a change of the recipe `grid_mlp`."""

    loss: str
    regularizers: dict[str, dict[str, Any]] = field(factory=dict)
    discriminator_steps: int = 1

    def recipe(self, registry: ganfw.Registry, name: str) -> Recipe:
        """Return `grid_mlp` with this loss, these regularizers and no others, and without callbacks."""
        base = Recipe.load("grid_mlp", registry)
        dropped = {other: {"enabled": False} for other in base.tables.get("regularizers", {})}
        callbacks = ("samples", "checkpoint", "metrics", "progress", "health")
        return Recipe(
            name=name,
            extends=base,
            run={"device": "cpu"},
            loss={"use": self.loss},
            regularizers=dropped | {other: {"use": other, **keys} for other, keys in self.regularizers.items()},
            step={"discriminator_steps": self.discriminator_steps},
            callbacks={callback: {"enabled": False} for callback in callbacks},
        )


R1, R2 = {"r1": {"weight": 0.01}}, {"r2": {"weight": 0.01}}
METHODS = {
    "minimax": Method("minimax"),
    "bce": Method("bce"),
    "bce + r1": Method("bce", R1),
    "bce + dragan": Method("bce", {"dragan": {"weight": 0.1, "noise_std": 0.1}}),
    "logistic": Method("logistic"),
    "lsgan": Method("lsgan"),
    "hinge": Method("hinge"),
    "hinge + r1": Method("hinge", R1),
    "wasserstein + weight clipping": Method("wasserstein", {"weight_clipping": {"limit": 0.1}}, 5),
    "wasserstein + gradient penalty": Method("wasserstein", {"gradient_penalty": {"weight": 0.1}}, 5),
    "relativistic": Method("relativistic"),
    "relativistic + r1 + r2": Method("relativistic", R1 | R2),
}


def train(name: str, registry: ganfw.Registry) -> dict[str, Any]:
    """Train one method, draw its picture, and return its numbers."""
    experiment = ganfw.assemble(ganfw.resolve(METHODS[name].recipe(registry, "toy"), registry))
    started, started_cpu = time.perf_counter(), time.process_time()
    training = ganfw.train(experiment)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    points = experiment.source.sample(COUNT)
    real = experiment.batches.first(2000).samples
    (PICTURES / f"{slug(name)}.png").write_bytes(scatter_png(real, points[:2000], pixels=320))
    return {**measure(points, registry), "steps": training.step, "seconds": seconds, "cpu_seconds": cpu_seconds}


def measure(points: torch.Tensor, registry: ganfw.Registry) -> dict[str, float | None]:
    """Return what the metric `grid_modes` finds."""
    measured = SampleSet(points, points.double())
    inputs = MetricInputs(samples=measured, reference=measured, training=measured)
    return {name: found.value for name, found in registry.load("metric", "grid_modes")()(inputs).items()}


def slug(name: str) -> str:
    """Return the name as a file's."""
    return name.replace(" + ", "-").replace(" ", "_")


def page(numbers: dict[str, dict[str, Any]]) -> str:
    """Return the page as it should be."""
    rows = "\n".join(_row(name, numbers[name]) for name in METHODS)
    real_data = _row("real points", numbers["real points"])
    cells = [f"![{name}](../images/toys/{slug(name)}.png)<br>{name}" for name in METHODS]
    pictures = "\n".join(f"| {' | '.join(cells[start : start + 3])} |" for start in range(0, len(cells), 3))
    return f"""\
# Losses on a toy

Written by `python docs/generate_toys.py`, which trains all of this.

The data part `grid` draws points from 25 Gaussians of standard deviation 0.05, 2 apart, as in the papers on VEEGAN and
PacGAN. The recipe `grid_mlp` trains two multilayer perceptrons on it. Here is each loss in the same recipe, with the
same networks, learning rates and number of steps, from one seed: what it does as it comes, not the best that it can do.

| loss | modes of 25 | high quality | KL | steps | seconds |
|---|---|---|---|---|---|
{rows}
| {real_data[2:]}

Of {COUNT:,} samples. *Modes*: how many Gaussians have a sample within 3 sigma of their centre; a single one is enough,
so read the divergence beside it. *High quality*: the share of samples within 3 sigma of a centre. *KL*: the divergence
of the shares of the modes among these from equal shares, in nats; 0 is best. `ganfw parts metric grid_modes` says more.
*Seconds*: of CPU time for training only, on one thread of {numbers["real points"]["machine"]}; it is more where other
work shares the cores, as it did here. The Wasserstein losses have five discriminator steps a batch, the others one.

Real points in grey, 2,000 samples in blue:

| | | |
|---|---|---|
{pictures}

The keys of the regularizers are in the script; all else is in `grid_mlp`. Any row is a run of its own:

```sh
ganfw run grid_mlp
ganfw run grid_mlp --set loss.use=hinge --set regularizers.r2.enabled=false
```
"""


def _row(name: str, found: dict[str, Any]) -> str:
    divergence = "none" if found["mode_kl"] is None else f"{found['mode_kl']:.3f}"
    steps, seconds = ("", "") if "steps" not in found else (f"{found['steps']:,}", f"{found['cpu_seconds']:.0f}")
    share = f"{found['high_quality_share']:.1%}"
    return f"| {name} | {found['modes_found']:.0f} | {share} | {divergence} | {steps} | {seconds} |"


def known() -> dict[str, dict[str, Any]]:
    """Return the numbers of everything that was measured, by its name."""
    found = [json.loads(path.read_text()) for path in sorted(PICTURES.glob("*.json"))]
    return {each["name"]: each for each in found}


def note(name: str, **found: Any) -> None:
    """Keep numbers in a file of their own, so that several processes may train at a time."""
    text = json.dumps({"name": name, **found}, indent=2) + "\n"
    (PICTURES / f"{slug(name)}.json").write_text(text)


def machine() -> str:
    """Return the name of the processor, if the system tells it."""
    info = Path("/proc/cpuinfo")
    models = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return models[0] if models else platform.processor() or platform.machine()


def main(names: list[str]) -> None:
    """Train methods and write the page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # networks this small gain nothing from a second one
    registry = ganfw.discover(allowed=[])
    test = registry.load("data", "grid")(split="test", size=COUNT)
    note("real points", **measure(test.samples, registry), machine=machine())
    for name in names or METHODS:
        found = train(name, registry)
        note(name, **found)
        print(name, found, flush=True)
    if METHODS.keys() <= known().keys():
        PAGE.write_text(page(known()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
