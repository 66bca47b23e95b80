"""Runs that are played with: their checkpoints, loaded ones kept, and their data. Nothing is written into a run."""

import functools
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from attrs import define, field, frozen

from ganfw.data import Batch, TensorData
from ganfw.engine.sampling import SampleSource
from ganfw.errors import GanfwError, InputError, PartFailure, RunError
from ganfw.evaluation.assembly import open_data
from ganfw.evaluation.evaluator import MAX_TRAINING
from ganfw.evaluation.features import gather
from ganfw.files import read_bounded, sha256
from ganfw.plugins.registry import Registry
from ganfw.protocols import TruncatableNoise
from ganfw.recipe.resolution import resolve
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.recipe.tables import network_address
from ganfw.run.checkpoints import checkpoints_in
from ganfw.run.load import Checkpoint, open_checkpoint
from ganfw.run.manifest import FILE_NAME, MAX_MANIFEST_BYTES, read_manifest
from ganfw.training.batches import Batches

MAX_MODELS = 32
"""At most this number of loaded checkpoints is kept; those used longest ago are dropped first."""
MAX_MODEL_BYTES = 1 << 30
"""And no more than one if their weights take more than this (1 GiB)."""


@frozen(eq=False)
class Model:
    """A loaded checkpoint of a run.

    Attributes:
        run: the run.
        checkpoint: the checkpoint.
        source: what samples are made with.
        sampler: the sampler that was chosen instead of the recipe's own, or `""`.
    """

    run: "PlayedRun" = field(repr=False)
    checkpoint: Checkpoint
    source: SampleSource
    sampler: str = ""

    @property
    def takes_inputs(self) -> bool:
        """Whether samples are made from inputs: a translation."""
        return getattr(self.source.sampler, "takes_inputs", False)

    @property
    def walks(self) -> bool:
        """Whether there is a generator with noise to walk through."""
        return self.source.noise is not None and "generator" in self.source.networks

    @property
    def kind(self) -> str:
        """What samples are: `"images"`, `"points"` in the plane, or `"other"`, which the page cannot draw."""
        shape = self.checkpoint.manifest.sample_shape
        if len(shape) == 3 and shape[0] in (1, 3):
            return "images"
        return "points" if shape == (2,) else "other"

    @property
    def bytes(self) -> int:
        """What its weights take."""
        networks = self.source.networks.values()
        return sum(each.nbytes for network in networks for each in (*network.parameters(), *network.buffers()))

    def inputs(self, count: int, seed: int) -> Batch:
        """Return held-out samples to translate, at most `count`: the first batch of an epoch with this seed.

        Raises:
            GanfwError: the data cannot be loaded.
        """
        return next(Batches(self.run.held_out(self), count, seed, torch.device("cpu"), workers=0).epoch(0))


class Models:
    """The loaded checkpoints of all runs: a bounded number of them, the newest used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], Model] = OrderedDict()

    def get(self, key: tuple[str, ...]) -> Model | None:
        """Return the model kept under a key, or None."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: tuple[str, ...], model: Model) -> Model:
        """Keep a model, and drop others that do not fit beside it."""
        self._kept[key] = model
        while len(self._kept) > 1 and (
            len(self._kept) > MAX_MODELS or sum(each.bytes for each in self._kept.values()) > MAX_MODEL_BYTES
        ):
            self._kept.popitem(last=False)
        return model


@define(eq=False)
class PlayedRun:
    """A run directory, or one checkpoint, that is played with.

    Attributes:
        path: where it is.
        registry: what the plugins offer.
        device: where networks are: `"auto"`.
        models: where loaded checkpoints are kept.
    """

    path: Path
    registry: Registry
    device: str
    models: Models = field(factory=Models)
    _data: dict[bool, Any] = field(factory=dict, init=False)
    _damaged: set[tuple[str, ...]] = field(factory=set, init=False)

    def steps(self) -> list[int]:
        """Return the steps of its checkpoints, rising; the newest may not be the largest."""
        return sorted(self._checkpoints())

    def newest(self) -> int | None:
        """Return the step of the checkpoint that was saved last, or None where there is none."""
        return next(iter(self._checkpoints()), None)

    def model(self, step: int | None = None, sampler: str = "") -> Model:
        """Return the newest checkpoint, or the one of a step, loaded.

        Args:
            step: the last checkpoint at or before this step is taken, or the first if there is none; None for that
                saved last which is not damaged.
            sampler: the name of a sampler instead of the recipe's own.

        Raises:
            RunError: the checkpoint is missing or damaged.
            InputError: the sampler does not fit.
        """
        while True:
            path: Path | None = None
            try:
                for path in self._choices(step):
                    try:
                        return self._load(path, sampler)
                    except RunError:
                        if step is not None or not path.exists():
                            raise
            except RunError:
                if path is None or path.exists():
                    raise
                continue  # its training has removed it and saved newer ones
            raise RunError(f"{self.path}: no checkpoint can be loaded; try again later")

    @functools.cached_property
    def about(self) -> dict[str, Any]:
        """What the page must know of the run, as JSON takes it."""
        model = self.model()
        manifest, source = model.checkpoint.manifest, model.source
        num_classes = getattr(source.networks.get("generator"), "num_classes", None) if source.takes_labels else None
        return {
            "label": self.path.resolve().name,
            "recipe": manifest.name,
            "path": str(self.path),
            "seed": manifest.seed,
            "kind": model.kind,
            "shape": manifest.sample_shape,
            "z_dim": manifest.z_dim if model.walks else None,
            "classes": num_classes if isinstance(num_classes, int) else None,
            "truncation": isinstance(source.noise, TruncatableNoise) and not model.takes_inputs,
            "inputs": model.takes_inputs,
            "samplers": list(self._samplers(model)),
            "keeps": _kept_checkpoints(model.checkpoint),
        }

    def training_data(self, model: Model) -> TensorData:
        """Return the training samples, at most 60,000, images as uint8; they are loaded once.

        Raises:
            GanfwError: they cannot be loaded.
        """
        if False not in self._data:
            self._data[False] = gather(open_data(self._resolved_data(model)), MAX_TRAINING)
        data: TensorData = self._data[False]
        return data

    def held_out(self, model: Model) -> Any:
        """Return the held-out part of the data, or the training data where it has none.

        Raises:
            GanfwError: it cannot be loaded.
        """
        if True not in self._data:
            self._data[True] = open_data(self._resolved_data(model), held_out=True)
        return self._data[True]

    def _resolved_data(self, model: Model) -> ResolvedRecipe:
        return resolve(model.checkpoint.recipe(), self.registry, only=["data"])

    def _checkpoints(self) -> dict[int, Path]:
        """Return the checkpoints by step, that saved last first."""
        if (self.path / FILE_NAME).exists():
            return {read_manifest(self.path).step: self.path}
        return {int(path.name.removeprefix("step-")): path for path in checkpoints_in(self.path)}

    def _choices(self, step: int | None) -> Sequence[Path]:
        found = self._checkpoints()
        if not found:
            raise RunError(f"{self.path}: it has not saved a checkpoint yet; try again later")
        if step is None:
            return list(found.values())
        return [found[max((each for each in found if each <= step), default=min(found))]]

    def _load(self, path: Path, sampler: str) -> Model:
        """Return a checkpoint loaded; it is read anew if another has taken its place."""
        key = (str(path), sha256(read_bounded(path / FILE_NAME, MAX_MANIFEST_BYTES)), sampler)
        if kept := self.models.get(key):
            return kept
        if key in self._damaged:
            raise RunError(f"{path}: damaged; choose another checkpoint")
        if sampler and sampler not in [each["name"] for each in self.about["samplers"]]:
            raise InputError("this run has no such sampler; load the page again")
        try:
            checkpoint = open_checkpoint(path)
            source = checkpoint.source(self.registry, self.device, [f'sampler.use="{sampler}"'] if sampler else ())
        except RunError:
            if path.exists():
                self._damaged.add(key)
            raise
        return self.models.keep(key, Model(self, checkpoint, source, sampler))

    def _samplers(self, model: Model) -> Iterator[dict[str, Any]]:
        """Yield the samplers that fit: those that ask for networks which the run has, and can be built with them."""
        recipe = model.checkpoint.recipe()
        own = recipe.tables.get("sampler", {}).get("use", "")
        for part in self.registry.parts("sampler"):
            names = [part.part.name, part.qualified_name]
            try:
                networks = [network_address(name) for name in part.networks()]
                if own in names or not networks or not set(networks) <= model.checkpoint.manifest.parts.keys():
                    continue
                source = model.checkpoint.source(self.registry, self.device, [f'sampler.use="{names[1]}"'])
            except (GanfwError, PartFailure):
                continue
            takes_inputs = getattr(source.sampler, "takes_inputs", False)
            yield {"name": names[1], "label": names[0], "help": part.part.help, "inputs": takes_inputs}


def _kept_checkpoints(checkpoint: Checkpoint) -> dict[str, int]:
    """Return how often the run saves checkpoints and how many it keeps, as far as its recipe says that."""
    table = checkpoint.recipe().tables.get("callbacks", {}).get("checkpoint", {})
    return {key: table[key] for key in ("every_steps", "keep") if isinstance(table.get(key), int)}
