"""Read checkpoints. They may come from strangers: nothing in them is run, and nothing is believed unchecked."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from attrs import frozen
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from ganfw.checkpoint.folder import checkpoints_in
from ganfw.checkpoint.manifest import FILE_NAME, Manifest, read_bounded, read_manifest
from ganfw.device import choose_device
from ganfw.errors import RecipeError, RunError
from ganfw.protocols import Noise
from ganfw.randomness import own_randomness
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolve import ResolvedRecipe, resolve
from ganfw.registry import Registry
from ganfw.state import put_together


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
        for name in self.manifest.files:
            self._read(name)

    def recipe(self) -> Recipe:
        """Return the recipe it was saved with.

        Raises:
            RunError: it was saved from an experiment composed by hand, or the file is damaged.
        """
        if "recipe.toml" not in self.manifest.files:
            raise RunError(f"{self.path}: saved from parts composed by hand, without a recipe to build them from")
        file = self.path / "recipe.toml"
        try:
            return Recipe.parse(self._read("recipe.toml").decode(), name=self.manifest.name, file=str(file), alone=True)
        except (UnicodeDecodeError, RecipeError) as error:
            raise RunError(f"{file}: no recipe of a checkpoint: {error}") from error

    def part_state(self, name: str) -> Any:
        """Return the saved state of one part: `"generator"`, `"optimizer.generator"`.

        Raises:
            RunError: a file is missing, damaged, or holds no such part.
        """
        trees = self._trees()
        if name not in trees:
            raise RunError(f"{self.path}: holds no state of '{name}'")
        return self._put_together(name, trees[name])

    def state_dict(self) -> dict[str, Any]:
        """Return what `Training.load_state_dict` takes.

        Raises:
            RunError: a file is missing or damaged.
        """
        states = {name: self._put_together(name, tree) for name, tree in self._trees().items()}
        training = states.pop("training", None)
        if not isinstance(training, dict):
            raise RunError(f"{self.path}: holds no state of the training")
        return {**training, "parts": states}

    def load_sampler(self, registry: Registry, device: str = "auto") -> tuple[nn.Module, Noise]:
        """Build the generator with its saved weights, and its noise sampler; nothing else is needed or loaded.

        Raises:
            RunError: the checkpoint is damaged, has no recipe, or its weights do not fit the recipe's generator.
            RecipeError: a package that supplied a part is missing.
            PartError: a part cannot be built.
            InputError: the device does not exist here.
        """
        resolved = resolve(self.recipe(), registry, only=["noise", "generator"])
        facts = self._facts(choose_device(device))
        with own_randomness(self.manifest.seed, facts["device"]):
            for name in ("noise", "generator"):
                if name == "generator":
                    self.check_weights(name, resolved, facts)
                facts[name] = resolved.offers[name].build(facts, resolved.parameters(name))
                if hasattr(facts[name], "load_state_dict"):
                    self._load_state(name, facts[name])
        return facts["generator"].to(facts["device"]).eval(), facts["noise"]

    def check_networks(self, resolved: ResolvedRecipe, device: torch.device) -> None:
        """Compare the sizes of both networks of a recipe with the saved weights, before anything is allocated.

        Raises:
            RunError: they do not fit.
        """
        for name in ("generator", "discriminator"):
            self.check_weights(name, resolved, self._facts(device))

    def check_weights(self, name: str, resolved: ResolvedRecipe, facts: dict[str, Any]) -> None:
        """Build a network without memory and compare its shapes with the saved weights.

        A part that cannot be built on the meta device, or asks for more facts, is not compared.

        Raises:
            RunError: the shapes differ.
        """
        try:
            with torch.device("meta"):
                skeleton = resolved.offers[name].build(facts, resolved.parameters(name))
            expected = {key: value.shape for key, value in skeleton.state_dict().items() if isinstance(value, Tensor)}
        except Exception:  # any part may fail here in its own way; building it for real will tell
            return
        saved = {key: value.shape for key, value in self.part_state(name).items() if isinstance(value, Tensor)}
        for key in sorted(expected.keys() | saved.keys()):
            if expected.get(key) != saved.get(key):
                raise RunError(
                    f"{self.path}: its weights do not fit the {name} of its recipe: '{key}' is "
                    f"{_shape(saved.get(key))}, not {_shape(expected.get(key))}"
                )

    def _facts(self, device: torch.device) -> dict[str, Any]:
        return {
            "seed": self.manifest.seed,
            "device": device,
            "sample_shape": self.manifest.sample_shape,
            "num_classes": self.manifest.num_classes,
            "z_dim": self.manifest.z_dim,
        }

    def _load_state(self, name: str, part: Any) -> None:
        state = self.part_state(name)
        try:
            part.load_state_dict(state)
        except (RuntimeError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise RunError(f"{self.path}: the state of '{name}' does not fit its part: {error}") from error

    def _trees(self) -> dict[str, Any]:
        try:
            trees = json.loads(self._read("state.json"))
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.path / 'state.json'}: no JSON: {error}") from None
        if not isinstance(trees, dict):
            raise RunError(f"{self.path / 'state.json'}: holds no states")
        return trees

    def _put_together(self, name: str, tree: Any) -> Any:
        tensors = {}
        if f"{name}.safetensors" in self.manifest.files:
            try:
                tensors = load(self._read(f"{name}.safetensors"))
            except (SafetensorError, ValueError, KeyError) as error:
                raise RunError(f"{self.path / name}.safetensors: no safetensors file: {error}") from error
        try:
            return put_together(tree, tensors)
        except RecursionError:
            raise RunError(f"{self.path / 'state.json'}: nested too deeply") from None

    def _read(self, name: str) -> bytes:
        """Read one of the checkpoint's files, of the size and with the hash that the manifest says."""
        if name not in self.manifest.files:
            raise RunError(f"{self.path}: has no {name}")
        entry = self.manifest.files[name]
        path = self.path / name
        content = read_bounded(path, entry.bytes)
        if len(content) != entry.bytes or hashlib.sha256(content).hexdigest() != entry.sha256:
            raise RunError(f"{path}: damaged: it is not what the manifest says")
        return content


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint, or the newest undamaged one of a run directory.

    Raises:
        RunError: there is none, or it is damaged.
    """
    if not path.is_dir():
        raise RunError(f"{path}: no such run directory or checkpoint")
    if (path / FILE_NAME).exists():
        return _open(path)
    skipped: list[str] = []
    for each in checkpoints_in(path):
        try:
            checkpoint = _open(each)
        except RunError as error:
            skipped.append(str(error))
        else:
            return Checkpoint(each, checkpoint.manifest, tuple(skipped))
    if skipped:
        raise RunError("; ".join([f"{path}: no checkpoint is left undamaged", *skipped]))
    raise RunError(f"{path}: neither a checkpoint nor a run directory with one in it")


def _open(path: Path) -> Checkpoint:
    checkpoint = Checkpoint(path, read_manifest(path))
    checkpoint.verify()
    return checkpoint


def _shape(shape: torch.Size | None) -> str:
    return "missing" if shape is None else str(tuple(shape))
