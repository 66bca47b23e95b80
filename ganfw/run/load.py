"""Read checkpoints. They may come from strangers: nothing in them is run, and nothing is believed unchecked."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen
from safetensors.torch import load
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ganfw.data import form
from ganfw.engine.device import choose_device
from ganfw.engine.sampling import SampleSource
from ganfw.errors import InputError, PartFailure, RecipeError, RunError
from ganfw.files import is_folder, read_bounded, sha256, sha256_of_file
from ganfw.plugins.registry import Registry, describe
from ganfw.plugins.signature import show
from ganfw.recipe.document import Recipe
from ganfw.recipe.origins import excerpt
from ganfw.recipe.resolution import resolve
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.recipe.tables import network_address
from ganfw.run import fingerprint
from ganfw.run.checkpoints import checkpoints_in
from ganfw.run.manifest import FILE_NAME, MAX_MANIFEST_BYTES, Manifest, read_manifest
from ganfw.run.state import must_be_finite, unflatten_state
from ganfw.training.builder import Builder

if TYPE_CHECKING:
    from ganfw.training.loop import Training

SAMPLING_TABLES = ("noise", "generator", "discriminator", "networks", "averaging", "sampler")
"""The tables of a recipe that samples are made with."""
MAX_TEXT_BYTES = 64 << 20
"""A checkpoint's JSON or TOML larger than this (64 MiB) is refused before it is read."""
LARGE = 1 << 28
"""Elements of a tensor (1 GiB of float32) that a network may use without having saved one as large."""


@frozen
class Checkpoint:
    """A checkpoint on disk, its manifest read and checked.

    Attributes:
        path: its directory.
        manifest: what it is of.
        skipped: why newer checkpoints of the run were passed over, a line each.
    """

    path: Path
    manifest: Manifest
    skipped: tuple[str, ...] = ()

    def verify(self) -> None:
        """Read every file and compare it with the manifest.

        Raises:
            RunError: a file is missing or damaged.
        """
        for name, entry in self.manifest.files.items():
            if sha256_of_file(self.path / name, entry.bytes) != entry.sha256:
                raise RunError(f"{self.path / name}: damaged: it is not what the manifest says")

    def origin(self) -> dict[str, str | int]:
        """Return what a run that begins with this checkpoint records of it."""
        manifest = sha256(read_bounded(self.path / FILE_NAME, MAX_MANIFEST_BYTES))
        return {"checkpoint": str(self.path), "step": self.manifest.step, "manifest_sha256": manifest}

    def recipe(self) -> Recipe:
        """Return the recipe it was saved with.

        Raises:
            RunError: it was saved from an experiment composed by hand, or the file is damaged.
        """
        if "recipe.toml" not in self.manifest.files:
            raise RunError(
                f"{self.path}: saved from parts composed by hand, without a recipe to build them from; compose them "
                f"again in Python, and call open_checkpoint({str(self.path)!r}).restore(Training(experiment))"
            )
        file = self.path / "recipe.toml"
        try:
            return Recipe.parse(self._read("recipe.toml").decode(), name=self.manifest.name, file=str(file), alone=True)
        except (UnicodeDecodeError, RecipeError) as error:
            raise RunError(f"{file}: not the recipe of a checkpoint: {error}") from error

    def context(self) -> dict[str, Any]:
        """Return what parts ask of the data and the manifest knows: `sample_shape`, `num_classes`, `entry_shapes`."""
        return {
            "sample_shape": self.manifest.sample_shape,
            "num_classes": self.manifest.num_classes,
            "entry_shapes": {name: tuple(shape) for name, shape in self.manifest.entry_shapes.items()},
        }

    def part_state(self, name: str) -> Any:
        """Return the saved state of one part: `"generator"`, `"optimizer.generator"`.

        Raises:
            RunError: a file is missing, damaged, or holds no such part.
        """
        trees = self._trees()
        if name not in trees:
            raise RunError(f"{self.path}: holds no state of '{name}'")
        return self._unflatten(name, trees[name])

    def state_dict(self) -> dict[str, Any]:
        """Return what `Training.load_state_dict` takes.

        Raises:
            RunError: a file is missing or damaged.
        """
        states = {name: self._unflatten(name, tree) for name, tree in self._trees().items()}
        match states.pop("training", None):
            case {
                "step": self.manifest.step,
                "seconds": int() | float() as seconds,
                "means": dict(means),
                "compiles": bool(),
                "running_means": dict(),
                "random": {"training": Tensor(), "global": dict() | None},
            } as training if 0 <= seconds < math.inf and all(map(_is_mean, means.items())):
                return {**training, "step": self.manifest.step, "parts": states}
        raise RunError(f"{self.path}: holds no state of the training at step {self.manifest.step}")

    def restore(self, training: "Training") -> None:
        """Give parts that were composed by hand the state that was saved of them, to continue training or to sample.

        Args:
            training: of an experiment of the same parts, in place.

        Raises:
            RunError: the checkpoint is damaged, its state does not fit the parts, or they give other samples with it
                than those that were saved.
        """
        training.load_state_dict(self.state_dict())
        self.check_samples(training.experiment.source, training.experiment.device)

    def source(self, registry: Registry, device: str = "auto", overrides: Sequence[str] = ()) -> SampleSource:
        """Build what samples are made with: networks with their saved weights, means of them where there are any.

        Nothing else is built or loaded.

        Args:
            registry: what the plugins offer.
            device: where networks are.
            overrides: changes of the sampler: `["sampler.use=rejection"]`.

        Raises:
            RunError: the checkpoint is damaged, has no recipe, or its weights do not fit the recipe's networks.
            RecipeError: a package that supplied a part is missing.
            PartError: a part cannot be built.
            InputError: the device does not exist here.
        """
        resolved = resolve(self.recipe().with_overrides(overrides), registry, only=SAMPLING_TABLES)
        builder = self._builder(resolved, choose_device(device), load=self._restore)
        try:
            source = builder.source()
        except (InputError, PartFailure) as error:  # the recipe may ask for anything
            raise RunError(f"{self.path}: its recipe cannot be built: {excerpt(str(error))}") from error
        for network in source.networks.values():
            network.eval()
        if not overrides:
            self.check_samples(source, builder.device)
        return source

    def check_samples(self, source: SampleSource, device: torch.device) -> None:
        """Compare samples with those of the same seed that were saved with the networks, on such a device.

        Raises:
            RunError: they are others.
        """
        if fingerprint.FILE_NAME not in self.manifest.files or device.type != self.manifest.device:
            return
        saved = self._tensors(fingerprint.FILE_NAME).get("samples")
        if saved is None:
            raise RunError(f"{self.path / fingerprint.FILE_NAME}: holds no samples")
        try:
            fingerprint.check_samples(source, self.manifest.seed, device, saved)
        except RunError as error:
            raise RunError(f"{self.path}: {error}") from None

    def check_networks(self, resolved: ResolvedRecipe, device: torch.device) -> None:
        """Compare all networks of a recipe with the saved weights, before anything is allocated.

        Raises:
            RunError: they do not fit.
        """
        builder = self._builder(resolved, device)
        for name in resolved.network_names():
            self._check_weights(builder, network_address(name))

    def _builder(
        self, resolved: ResolvedRecipe, device: torch.device, load: Callable[[str, Any], None] = lambda *_: None
    ) -> Builder:
        """Return a builder that knows what the manifest says, and whose noise agrees with it."""
        manifest = self.manifest

        def check(address: str) -> None:
            self._check_weights(builder, address)

        builder = Builder(resolved, device, seed=manifest.seed, known=self.context(), check=check, load=load)
        if "noise" in resolved.parts:
            try:
                z_dim = builder.part("noise").z_dim
            except PartFailure as error:
                raise RunError(f"{self.path}: {excerpt(str(error))}") from error
            if z_dim != manifest.z_dim:
                raise RunError(f"{self.path}: the noise of its recipe has {z_dim} dimensions, not {manifest.z_dim}")
        return builder

    def _check_weights(self, builder: Builder, address: str) -> None:
        """Build a network on the meta device, which takes no memory, and compare it with the saved weights.

        A part that cannot be built there is not compared.

        Raises:
            RunError: shapes or dtypes differ.
        """
        state = self.part_state(address)
        if not isinstance(state, dict):
            raise RunError(f"{self.path}: holds no weights of the {address}")
        saved = {key: form(value) for key, value in state.items() if isinstance(value, Tensor)}
        largest = max((value.numel() for value in state.values() if isinstance(value, Tensor)), default=0)
        try:
            with torch.device("meta"), _TensorLimit(max(largest, LARGE)):
                skeleton = builder.build(address)
            own = {key: form(value) for key, value in skeleton.state_dict().items() if isinstance(value, Tensor)}
        except Exception as error:  # any part may fail here in its own way; building it for real will show it
            cause = error.__cause__ or error
            if isinstance(cause, _TooLargeError):
                raise RunError(
                    f"{self.path}: its weights do not fit the {address} of its recipe, with {cause}"
                ) from None
            return
        for key in sorted(own.keys() | saved.keys(), key=str):
            if own.get(key) != saved.get(key):
                raise RunError(
                    f"{self.path}: its weights do not fit the {address} of its recipe: {show(key)} is "
                    f"{saved.get(key, 'missing')}, not {own.get(key, 'missing')}"
                )

    def _restore(self, address: str, part: Any) -> None:
        if not hasattr(part, "load_state_dict"):
            return
        state = self.part_state(address)
        try:
            part.load_state_dict(state)
        except Exception as error:  # the state may be anything, and each part fails in its own way
            reason = excerpt(describe(error))
            raise RunError(f"{self.path}: the state of '{address}' does not fit its part: {reason}") from error

    def _trees(self) -> dict[str, Any]:
        try:
            trees = json.loads(self._read("state.json"))
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.path / 'state.json'}: not JSON: {error}") from None
        if not isinstance(trees, dict):
            raise RunError(f"{self.path / 'state.json'}: holds no states")
        return trees

    def _unflatten(self, name: str, tree: Any) -> Any:
        file = f"{name}.safetensors"
        tensors = self._tensors(file) if file in self.manifest.files else {}
        for key, tensor in tensors.items():
            if must_be_finite(name) and tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise RunError(f"{self.path / name}.safetensors: {show(key)} is not finite")
        try:
            return unflatten_state(tree, tensors)
        except RecursionError:
            raise RunError(f"{self.path / 'state.json'}: nested too deeply") from None
        except RunError as error:
            raise RunError(f"{self.path / 'state.json'}: {error}") from None

    def _tensors(self, file: str) -> dict[str, Tensor]:
        content = self._read(file)
        try:
            return load(content)
        except Exception as error:  # safetensors and torch refuse in ways of their own what a header may claim
            raise RunError(f"{self.path / file}: not a safetensors file: {excerpt(str(error))}") from error

    def _read(self, name: str) -> bytes:
        """Read one of the checkpoint's files, of the size and with the hash that the manifest says."""
        if name not in self.manifest.files:
            raise RunError(f"{self.path}: has no {name}")
        entry, path = self.manifest.files[name], self.path / name
        limit = entry.bytes if name.endswith(".safetensors") else min(entry.bytes, MAX_TEXT_BYTES)
        content = read_bounded(path, limit)
        if len(content) != entry.bytes or sha256(content) != entry.sha256:
            raise RunError(f"{path}: damaged: it is not what the manifest says")
        return content


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Open a checkpoint, or the newest undamaged one of a run directory.

    Raises:
        RunError: there is none, or it is damaged.
    """
    path = Path(path)
    if not is_folder(path):
        raise RunError(f"{path}: no such run directory or checkpoint; see: ganfw runs")
    if (path / FILE_NAME).exists():
        return _open(path)
    skipped: list[str] = []
    for each in checkpoints_in(path):
        try:
            checkpoint = _open(each)
        except RunError as error:
            if not each.exists():  # removed by its training, which has saved newer ones
                return open_checkpoint(path)
            skipped.append(str(error))
        else:
            return Checkpoint(each, checkpoint.manifest, tuple(skipped))
    if skipped:
        raise RunError("; ".join([f"{path}: no checkpoint is left undamaged", *skipped]))
    raise RunError(f"{path}: neither a checkpoint nor a run directory with one in it; see: ganfw runs")


def _open(path: Path) -> Checkpoint:
    checkpoint = Checkpoint(path, read_manifest(path))
    checkpoint.verify()
    return checkpoint


def _is_mean(item: tuple[Any, Any]) -> bool:
    """Whether this is the name of a statistic, which terminals may show, and a number."""
    name, mean = item
    return isinstance(name, str) and name.isprintable() and isinstance(mean, int | float)


class _TooLargeError(Exception):
    """A tensor that no network of the saved weights has."""


class _TensorLimit(TorchFunctionMode):
    """While it is active, no tensor may have more elements than a limit."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.numel() > self.limit:
            raise _TooLargeError(form(result))
        return result
