"""Train a classifier on labelled images, so that its penultimate layer is an embedding of such images."""

import math
from collections.abc import Callable
from importlib.metadata import version

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganfw.data import TensorData
from ganfw.engine.kernels import fast_kernels
from ganfw.engine.random_streams import own_randomness, seeded_generator
from ganfw.errors import DataError, InputError
from ganfw.evaluation.classifier import Classifier, TrainedClassifier
from ganfw.images import to_uint8

LEARNING_RATE = 4e-3
WARM_UP = 0.2
"""The share of the steps in which the learning rate rises; in the others it falls to 0."""
BATCH_SIZE = 128
SMOOTHING = 0.05
SHIFT, TURN, STRETCH = 0.1, 0.15, 0.1
"""How far images are moved (of half their side), turned (radians) and stretched, at most."""


def train_classifier(
    data: TensorData,
    test: TensorData | None = None,
    *,
    epochs: int = 10,
    seed: int = 0,
    make_network: Callable[[int, int], nn.Module] = Classifier,
    device: torch.device | str = "cpu",
    say: Callable[[str], None] = lambda line: None,
) -> TrainedClassifier:
    """Train a classifier on labelled images.

    Every image is shifted, turned and stretched a little, anew in each epoch. Labels are smoothed (Szegedy et al.,
    "Rethinking the Inception Architecture", 2016, section 7), so that features of different classes stay apart
    without growing; the learning rate rises and falls once (Smith and Topin, "Super-Convergence", 2019).

    Args:
        data: images with labels.
        test: others like them, to measure the accuracy on; None to measure none.
        epochs: how often every image is seen.
        seed: of all random numbers.
        make_network: makes an untrained network of the number of channels and that of classes. `TrainedClassifier.read`
            reads only the default one.
        device: where to compute.
        say: called with a line of text after each epoch.

    Raises:
        DataError: the data are not labelled images.
        InputError: `epochs` is below 1.
    """
    labels = data.labels
    if len(data.sample_shape) != 3 or labels is None or (data.num_classes or 0) < 2:
        raise DataError("a classifier learns from images with labels of at least two classes; this data has none such")
    if epochs < 1:
        raise InputError(f"the number of epochs must be >= 1, not {epochs}")
    device = torch.device(device)
    num_classes = int(data.num_classes or 0)
    random = seeded_generator("cpu", seed, "classifier")
    with own_randomness(seed, device), fast_kernels(device):
        network = make_network(data.sample_shape[0], num_classes).to(device)
        optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.02)
        steps = epochs * math.ceil(len(data) / BATCH_SIZE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=WARM_UP)
        for epoch in range(epochs):
            network.train()
            total = torch.zeros((), device=device)
            for chosen in torch.randperm(len(data), generator=random).split(BATCH_SIZE):
                images = _disturb(_to_float(data.samples[chosen]), random).to(device)
                _, logits = network(images)
                loss = functional.cross_entropy(logits, labels[chosen].to(device), label_smoothing=SMOOTHING)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += len(chosen) * loss.detach()
            trained = TrainedClassifier(network.eval(), data.sample_shape, num_classes, {}, "classifier", device)
            measured = "" if test is None else f", accuracy {accuracy(trained, test):.4f}"
            say(f"epoch {epoch + 1} of {epochs}: loss {total.item() / len(data):.4f}{measured}")
    about = {
        "ganfw": version("ganfw"),
        "trained_on": data.sha256(),
        "epochs": str(epochs),
        "seed": str(seed),
        **({} if test is None else {"accuracy": f"{accuracy(trained, test):.4f}"}),
    }
    network.requires_grad_(False)
    return TrainedClassifier(network, data.sample_shape, num_classes, about, "classifier", device)


def accuracy(classifier: TrainedClassifier, data: TensorData) -> float:
    """Return the share of images, `data.samples`, whose most probable class is their label."""
    if data.labels is None:
        raise DataError("accuracy needs labels; this data has none")
    samples = data.samples if data.samples.dtype == torch.uint8 else to_uint8(data.samples)
    _, probabilities = classifier(samples.cpu())
    return float((probabilities.argmax(1) == data.labels.cpu()).double().mean())


def _to_float(samples: Tensor) -> Tensor:
    return samples.to(torch.float32).div(255) if samples.dtype == torch.uint8 else samples


def _disturb(images: Tensor, random: torch.Generator) -> Tensor:
    """Shift, turn and stretch each image a little; the border is repeated outside."""
    count = len(images)

    def within(limit: float) -> Tensor:
        return (2 * torch.rand(count, generator=random) - 1) * limit

    angle, scale = within(TURN), 1 + within(STRETCH)
    row = torch.stack([angle.cos() * scale, -angle.sin() * scale, within(SHIFT)], 1)
    other = torch.stack([angle.sin() * scale, angle.cos() * scale, within(SHIFT)], 1)
    grid = functional.affine_grid(torch.stack([row, other], 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
