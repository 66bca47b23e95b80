"""Training in bfloat16, compiled, and in two processes: what holds in float32, as written, in one process."""

import pickle
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from unittest import SkipTest

import torch
from torch import Tensor

from ganfw.distributed.process_group import ProcessGroup, join_processes
from ganfw.engine.compilation import compile_blocker
from ganfw.engine.precision import require_precision
from ganfw.errors import GanfwError, InputError
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.recipe.tables import network_address
from ganfw.run.assembly import assemble
from ganfw.run.load import open_checkpoint
from ganfw.testing.recipe import recipe_using
from ganfw.testing.subject import Subject, run_python, train_in

_STEPS = 3
_TOLERANCE = 1e-4


def trains_in_bf16(subject: Subject) -> None:
    """In bfloat16 losses stay finite, and weights float32 and finite.

    Nothing is run on a device without bfloat16 arithmetic of its own.
    """
    try:
        require_precision("bf16", subject.device)
    except InputError:
        return
    mixed = subject.again("run.precision=bf16")
    try:
        passes = mixed.take_steps(_STEPS)
    except (RuntimeError, TypeError) as error:
        raise AssertionError(f"in bfloat16 it fails: {error}") from error
    for name, value in ((name, value) for statistics in passes for name, value in statistics.items()):
        subject.require_tensor(value, f"in bfloat16 the statistic '{name}'", ())
    for name, network in mixed.experiment.networks.items():
        for key, weight in network.named_parameters():
            subject.require_tensor(weight, f"in bfloat16 '{key}' of the {name}", tuple(weight.shape))


def trains_compiled(subject: Subject) -> None:
    """With `run.compile` it trains to the same weights, to 1e-4; a loss may stay uncompiled.

    Nothing is run where torch or its compiler for this machine cannot compile.
    """
    recipe = _descending(subject, "run.compile=false")
    written = assemble(resolve(recipe, subject.registry))
    if compile_blocker(written.device, ProcessGroup()):
        return
    compiled = assemble(resolve(recipe.with_overrides(["run.compile=true"]), subject.registry))
    # Layers that draw get torch's own numbers, and its compiler may warn of its own code.
    with torch._inductor.config.patch(fallback_random=True), warnings.catch_warnings(action="ignore"):
        try:
            train_in(subject.folder / "compiled", compiled)
        except Exception as error:  # the compiler has errors of many kinds
            raise AssertionError(f"compiled it fails: {type(error).__name__}: {error}") from error
    train_in(subject.folder / "written", written)
    for name, network in written.networks.items():
        weights = compiled.networks[name].state_dict()
        _require_close(subject, weights, network.state_dict(), f"compiled, {{}} of the {name} ends")


def trains_in_two_processes(subject: Subject) -> None:
    """Two processes that torchrun starts end with the weights of one, to 1e-4.

    The processes import the part anew, from where Python finds it here. Each needs a GPU of its own where they train
    on GPUs.
    """
    if subject.device.type != "cpu" and torch.get_device_module(subject.device).device_count() < 2:
        raise SkipTest(f"two processes need two devices of type {subject.device.type}")
    recipe = _descending(subject, "run.sync_batch_norm=true", "run.compile=false")
    task, single, together = (subject.folder / name for name in ("task", "single", "together"))
    task.write_bytes(pickle.dumps((recipe.to_toml(), subject.registry)))
    experiment = assemble(resolve(recipe, subject.registry))
    train_in(single, experiment)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", __name__]
    done = run_python(subject.folder, *launch, str(task), str(together))
    assert done.returncode == 0, f"in two processes it fails:\n{done.stderr}"
    expected, found = (open_checkpoint(next(folder.iterdir())) for folder in (single, together))
    for name in experiment.networks:
        ours, theirs = (checkpoint.part_state(network_address(name)) for checkpoint in (found, expected))
        _require_close(subject, ours, theirs, f"in two processes {{}} of the {name} ends")


def _descending(subject: Subject, *overrides: str) -> Recipe:
    """Return the recipe of a few steps of plain gradient descent, in which a small error of a gradient stays small."""
    sgd = subject.registry.find("optimizer", "ganfw:sgd")
    return recipe_using(sgd, subject.again(f"run.max_steps={_STEPS}", *overrides).recipe, {"lr": 0.1})


def _require_close(subject: Subject, found: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    for name, value in expected.items():
        ours, theirs = found[name].double(), value.double()
        close = torch.allclose(ours, theirs, rtol=_TOLERANCE, atol=_TOLERANCE)
        distance = f"{float((ours - theirs).abs().max()):.2g}" if ours.numel() else ""
        assert close, f"{what.format(repr(name))} {distance} away from where it should"


def _join(task: str, folder: str) -> None:
    """Be one of the two processes."""
    text, registry = pickle.loads(Path(task).read_bytes())
    with join_processes() as processes:
        train_in(Path(folder), assemble(resolve(Recipe.parse(text, registry=registry), registry), processes))


if __name__ == "__main__":
    try:
        _join(*sys.argv[1:])
    except GanfwError as error:
        sys.exit(str(error))
