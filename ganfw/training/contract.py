"""Check, once and before training, that the parts of an experiment fit together.

Each check runs a part on a batch of two, and networks in training on one of one where the run has such a batch, and
looks at shape, dtype, device and range, so that a misfit is told by the part's name instead of by a crash in a matrix
product.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganfw.data import RowRandom
from ganfw.engine.networks import call_with_labels, takes_labels
from ganfw.engine.random_streams import own_randomness, seeded_generator
from ganfw.engine.sampling import evaluation_mode
from ganfw.errors import GanfwError, PartError
from ganfw.protocols import Augmentation, Loss, Noise, Regularizer, UpdateContext
from ganfw.training.batches import Batches
from ganfw.training.objective import is_relativistic

COUNT = 2
"""Samples in the batch that is tried."""


def check_fit(
    batches: Batches,
    noise: Noise,
    generator: nn.Module,
    discriminator: nn.Module,
    loss: Loss,
    regularizers: Mapping[str, Regularizer],
    augmentations: Mapping[str, Augmentation],
    label: Callable[[str, object], str],
) -> None:
    """Try every part on a small batch; nothing of their state or of the global random state changes.

    Args:
        batches: the data, on the device.
        noise: the noise sampler.
        generator: `(n, z_dim)` to `(n, *sample_shape)`.
        discriminator: `(n, *sample_shape)` to logits `(n, 1)`.
        loss: scalars from logits.
        regularizers: scalars from what an update has seen, by name.
        augmentations: samples from samples, by name.
        label: how errors name a part, given its address in a recipe and the part.

    Raises:
        PartError: a part does not fit; the message names it, what it gives and what is needed.
    """
    device = batches.device
    shape = (COUNT, *batches.sample_shape)
    is_image = len(batches.sample_shape) == 3
    parts = {
        "data": batches.data,
        "noise": noise,
        "generator": generator,
        "discriminator": discriminator,
        "loss": loss,
        **{f"regularizers.{name}": part for name, part in regularizers.items()},
        **{f"augmentations.{name}": part for name, part in augmentations.items()},
    }
    labels = {name: label(name, part) for name, part in parts.items()}

    def run(name: str, call: Callable[..., Any], *inputs: Any) -> Any:
        try:
            return call(*inputs)
        except GanfwError:
            raise
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            given = ", ".join(f"{tuple(x.shape)}" for x in inputs if isinstance(x, Tensor))
            raise PartError(f"{labels[name]} fails on {given or 'a small batch'}: {error}") from error

    with (
        own_randomness(0, device),
        torch.no_grad(),
        evaluation_mode(generator),
        evaluation_mode(discriminator),
    ):
        batch = batches.first(COUNT)
        real = batch.samples.expand(COUNT, *batch.samples.shape[1:])
        classes = None if batch.labels is None else batch.labels.expand(COUNT)
        _check(labels["data"], real, shape, device, (0.0, 1.0) if is_image else None)
        if noise.device.type != device.type:
            raise PartError(f"{labels['noise']} is on {noise.device}; the run is on {device}")
        z = run("noise", noise, COUNT, seeded_generator(device, 0, "contract"))
        _check(labels["noise"], z, (COUNT, noise.z_dim), device)
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            for parameter in network.parameters():
                if parameter.device.type != device.type:
                    raise PartError(f"{labels[name]} is on {parameter.device}; move it to the run's {device}")
            require_labels(network, labels[name], labels["data"], batches)
        if takes_labels(generator) and not isinstance(getattr(generator, "num_classes", None), int):
            raise PartError(f"{labels['generator']} is conditional; it must have an attribute num_classes, an int")
        fake = run("generator", lambda z: call_with_labels(generator, z, classes), z)
        _check(labels["generator"], fake, shape, device, (0.0, 1.0) if is_image else None)

        def discriminate(samples: Tensor) -> Tensor:
            return call_with_labels(discriminator, samples, classes)

        logits = run("discriminator", discriminate, real)
        _check(labels["discriminator"], logits, (COUNT, 1), device)
        if batches.shortest_batch == 1:
            one_class = None if classes is None else classes[:1]
            _check_training_on_one(labels["generator"], generator, z[:1], one_class, batches)
            _check_training_on_one(labels["discriminator"], discriminator, real[:1], one_class, batches)
        reals = {"real_logits": logits} if is_relativistic(loss) else {}
        for value in (
            run("loss", loss.discriminator, logits, logits),
            run("loss", lambda fake_logits: loss.generator(fake_logits, **reals), logits),
        ):
            _check(labels["loss"], value, (), device)
        draws = RowRandom(seeded_generator(device, 0, "contract"), COUNT)
        for name, augmentation in augmentations.items():
            address = f"augmentations.{name}"
            _check(labels[address], run(address, augmentation, real, draws), shape, device)
        for regularizer_name, regularizer in regularizers.items():
            address = f"regularizers.{regularizer_name}"
            for name in ("discriminator", "generator"):
                if not hasattr(regularizer, name):
                    continue
                with torch.enable_grad():
                    context = UpdateContext(
                        real=real,
                        fake=fake,
                        real_logits=discriminate(real),
                        fake_logits=discriminate(fake),
                        labels=classes,
                        discriminate=discriminate,
                        generator=generator,
                        discriminator=discriminator,
                        random=draws,
                    )
                    _check(labels[address], run(address, getattr(regularizer, name), context), (), device)


def _check_training_on_one(
    label: str, network: nn.Module, inputs: Tensor, classes: Tensor | None, batches: Batches
) -> None:
    """Make sure that a network can train on a batch of one sample, as BatchNorm cannot; a copy of it is tried."""
    try:
        call_with_labels(copy.deepcopy(network).train(), inputs, classes)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise PartError(
            f"{label} cannot train on one sample, and with {batches.size:,} samples and run.batch_size = "
            f"{batches.batch_size} there is a batch of one; choose another batch size: {error}"
        ) from error


def require_labels(network: nn.Module | type[nn.Module], label: str, data_label: str, batches: Batches) -> None:
    """Make sure that the data has the labels that a conditional network asks for.

    Args:
        network: the network, or its class.
        label: how errors name it.
        data_label: how errors name the data.
        batches: the data.

    Raises:
        PartError: it has not.
    """
    if not takes_labels(network):
        return
    labels = batches.first(1).labels
    if labels is None or batches.num_classes is None:
        raise PartError(f"{label} is conditional on labels, which {data_label} does not have")
    if labels.dtype != torch.int64:
        raise PartError(f"{data_label} gives labels of {labels.dtype}; torch.int64 is needed")


def _check(
    label: str,
    value: object,
    shape: tuple[int, ...],
    device: torch.device,
    bounds: tuple[float, float] | None = None,
) -> None:
    if not isinstance(value, Tensor):
        raise PartError(f"{label} gives {type(value).__name__}, not a tensor")
    if tuple(value.shape) != shape:
        raise PartError(f"{label} gives shape {tuple(value.shape)}; {shape} is needed")
    if value.dtype != torch.float32:
        raise PartError(f"{label} gives {value.dtype}; torch.float32 is needed")
    if value.device.type != device.type:
        raise PartError(f"{label} gives a tensor on {value.device}; the run is on {device}")
    if not torch.isfinite(value).all():
        raise PartError(f"{label} gives values that are not finite")
    low, high = (float(value.min()), float(value.max())) if bounds else (0.0, 0.0)
    if bounds and not (bounds[0] <= low and high <= bounds[1]):
        raise PartError(f"{label} gives values from {low:.3g} to {high:.3g}; images must be in [0, 1]")
