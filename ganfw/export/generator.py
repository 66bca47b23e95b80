"""The generator of a checkpoint, as an export takes it: the network that `ganfw sample` draws with."""

from collections.abc import Mapping
from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn

from ganfw.data import form
from ganfw.engine.networks import call_network, inputs_of
from ganfw.engine.random_streams import own_randomness
from ganfw.engine.sampling import SampleSource, draw_noise, each_class_in_turn
from ganfw.errors import InputError
from ganfw.plugins.registry import RegisteredPart, Registry
from ganfw.recipe.resolution import resolve
from ganfw.run.load import SAMPLING_TABLES, Checkpoint
from ganfw.run.manifest import Manifest

WITHOUT_SAMPLER = "sampler.enabled=false"
"""What `ganfw sample --set` needs to draw without it, where the recipe has a sampler."""
COUNT = 25
"""How many samples an export is checked with, and shows first: those that `ganfw sample` draws."""


@frozen(eq=False)
class TrainedGenerator:
    """A generator from noise, or from noise and classes, on the CPU and in evaluation mode.

    Attributes:
        checkpoint: where it comes from.
        source: what samples are made with.
        part: the registered part that built it.
        parameters: the part's keys.
        noise_part: the registered part of its noise.
        noise_parameters: that part's keys.
        averaged: whether the weights are means.
        num_classes: how many classes it knows; None where it takes no labels.
        sampler: the name of the recipe's sampler, which an export does without; None where it has none.
        manifest_sha256: the hash of the checkpoint's manifest, which has the hashes of its other files.
    """

    checkpoint: Checkpoint
    source: SampleSource
    part: RegisteredPart
    parameters: Mapping[str, Any]
    noise_part: RegisteredPart
    noise_parameters: Mapping[str, Any]
    averaged: bool
    num_classes: int | None
    sampler: str | None
    manifest_sha256: str

    @property
    def manifest(self) -> Manifest:
        """What the checkpoint is of."""
        return self.checkpoint.manifest

    @property
    def z_dim(self) -> int:
        """The length of a noise vector."""
        assert self.source.noise is not None
        return self.source.noise.z_dim

    @property
    def network(self) -> nn.Module:
        """The generator itself."""
        return self.source.networks["generator"]

    @property
    def command(self) -> str:
        """The command that draws the same samples."""
        return "ganfw sample" + (f" --set {WITHOUT_SAMPLER}" if self.sampler else "")

    @property
    def makes_images(self) -> bool:
        """Whether samples are grey or colour images."""
        return len(self.manifest.sample_shape) == 3 and self.manifest.sample_shape[0] in (1, 3)

    def inputs(self) -> tuple[Tensor, ...]:
        """Return what the first samples of the run's seed are made from.

        These are `z`, `(25, z_dim)` float32, and `labels`, `(25,)` int64, where the generator takes them.
        """
        assert self.source.noise is not None
        z = draw_noise(self.source.noise, COUNT, seed=self.manifest.seed)
        return (z,) if self.num_classes is None else (z, each_class_in_turn(self.num_classes, COUNT))

    @torch.no_grad()
    def __call__(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return `(n, *sample_shape)` float32 for `(n, z_dim)` float32 and `(n,)` int64."""
        samples: Tensor = call_network(self.network, z, labels=labels).float()
        return samples


def open_generator(checkpoint: Checkpoint, registry: Registry) -> TrainedGenerator:
    """Build the generator of a checkpoint, and make sure that it can leave ganfw.

    Raises:
        InputError: the run has no generator from noise, or its generator needs more than noise and classes, or draws
            other samples each time.
        RunError: the checkpoint is damaged or does not fit its recipe.
        RecipeError: a package that supplied a part is missing.
        PartError: a part cannot be built.
    """
    resolved = resolve(checkpoint.recipe(), registry, only=SAMPLING_TABLES)
    sampler = resolved.parts.get("sampler")
    source = checkpoint.source(registry, "cpu", [WITHOUT_SAMPLER] if sampler else [])
    where = f"{checkpoint.path}: cannot be exported"
    if source.noise is None or "generator" not in source.networks:
        raise InputError(f"{where}: its recipe has no generator with noise to export; choose another run")
    network = source.networks["generator"]
    takes = inputs_of(network)
    num_classes = getattr(network, "num_classes", None) if "labels" in takes else None
    num_classes = num_classes if isinstance(num_classes, int) else None
    more = [name for name, required in takes.items() if required and (name != "labels" or num_classes is None)]
    if more:
        asked = " and ".join(f"'{name}'" for name in more)
        raise InputError(
            f"{where}: its generator asks for {asked} besides noise; it must ask for nothing but classes to be exported"
        )
    averages = (resolved.networks_of(f"averaging.{name}") for name in resolved.names_in("averaging"))
    trained = TrainedGenerator(
        checkpoint,
        source,
        resolved.parts["generator"],
        resolved.parameters("generator"),
        resolved.parts["noise"],
        resolved.parameters("noise"),
        any("generator" in networks for networks in averages),
        num_classes,
        sampler.part.name if sampler else None,
        str(checkpoint.origin()["manifest_sha256"]),
    )
    _require_repeatable(trained, where)
    return trained


def _require_repeatable(trained: TrainedGenerator, where: str) -> None:
    """Make sure that samples are a function of noise and labels, of the shape that the checkpoint says."""
    inputs = trained.inputs()
    samples = []
    for seed in (0, 1):
        with own_randomness(seed):
            samples.append(trained(*inputs))
    expected = (COUNT, *trained.manifest.sample_shape)
    if tuple(samples[0].shape) != expected:
        raise InputError(f"{where}: its generator gives {form(samples[0])}; it must give {expected}")
    if not torch.equal(*samples):
        raise InputError(
            f"{where}: its generator draws random numbers itself; it must give the same samples for the same noise, "
            "so that its export can be compared with it"
        )
