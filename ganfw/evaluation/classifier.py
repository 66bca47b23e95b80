"""A small convolutional classifier whose penultimate layer is an embedding: the network, its file, its training.

The file is a safetensors file; the shape of the images and the number of classes are in its metadata, and checked.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import torch
from attrs import field, frozen
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from ganfw.data import TensorData
from ganfw.engine.kernels import fast_kernels
from ganfw.engine.random_streams import own_randomness, seeded_generator
from ganfw.errors import DataError, InputError
from ganfw.files import expanded, read_bounded
from ganfw.images import to_uint8

FEATURES = 64
"""The width of the penultimate layer."""
FORMAT = "ganfw classifier 1"
"""The entry of a file's metadata with what it says of the network."""
MAX_BYTES = 16 << 20
"""A file larger than this (16 MiB) is refused."""
MAX_SIDE = 4096
MAX_CLASSES = 10_000
BATCH = 500
LEARNING_RATE = 4e-3
WARM_UP = 0.2
"""The share of the steps in which the learning rate rises; in the others it falls to 0."""
BATCH_SIZE = 128
SMOOTHING = 0.05
SHIFT, TURN, STRETCH = 0.1, 0.15, 0.1
"""How far images are moved (of half their side), turned (radians) and stretched, at most."""


class Classifier(nn.Module):
    """Five convolutions on images of any size, a hidden layer of 64 features, and a logit for each class.

    Two of them halve the side of the image; at the end it is averaged to 3 x 3. For ten classes, some 107,000
    parameters.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_block(channels, 16, stride=1),
            *_block(16, 32, stride=2),
            *_block(32, 32, stride=1),
            *_block(32, 64, stride=2),
            *_block(64, 64, stride=1),
            nn.AdaptiveAvgPool2d(3),
            nn.Flatten(),
        )
        self.hidden = nn.Sequential(nn.Dropout(0.2), nn.Linear(9 * 64, FEATURES), nn.BatchNorm1d(FEATURES), nn.ReLU())
        self.logits = nn.Linear(FEATURES, num_classes)
        self.to(memory_format=torch.channels_last)  # a third faster on a CPU

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, 64)` and logits `(n, num_classes)` of images `(n, channels, h, w)` float32 in [0, 1]."""
        centred = (2 * images - 1).contiguous(memory_format=torch.channels_last)
        features = self.hidden(self.convolutions(centred))
        return features, self.logits(features)


def _block(inputs: int, outputs: int, *, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


@frozen(eq=False)
class TrainedClassifier:
    """A classifier that has learnt, as an embedding: features (64 of a `Classifier`), and probabilities of classes.

    Attributes:
        network: a `Classifier`, or another network of images that gives features and logits; in evaluation mode.
        sample_shape: the shape of the images it has learnt from; it takes no others.
        num_classes: how many classes it knows.
        about: further entries of its file, such as the accuracy.
        identity: a name, and the SHA-256 of its file.
        device: where it computes.
    """

    network: nn.Module = field(repr=False)
    sample_shape: tuple[int, ...]
    num_classes: int
    about: Mapping[str, str] = field(factory=dict)
    identity: str = "classifier"
    device: torch.device = field(factory=lambda: torch.device("cpu"))

    @torch.no_grad()
    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, 64)` and probabilities `(n, num_classes)`, float32, of uint8 `(n, *sample_shape)`.

        Raises:
            InputError: the samples are not images of the shape it knows.
        """
        if tuple(samples.shape[1:]) != self.sample_shape or samples.dtype != torch.uint8:
            raise InputError(f"{self.identity} {_mismatch(self.sample_shape, tuple(samples.shape[1:]))}")
        features, probabilities = [], []
        with fast_kernels(self.device):
            for chunk in samples.split(BATCH):
                hidden, logits = self.network(chunk.to(self.device).to(torch.float32).div_(255))
                features.append(hidden.cpu())
                probabilities.append(functional.softmax(logits, dim=1).cpu())
        return torch.cat(features), torch.cat(probabilities)

    def to_bytes(self) -> bytes:
        """Write it as a safetensors file: the same bytes for the same weights."""
        claims = {**self.about, "sample_shape": self.sample_shape, "num_classes": self.num_classes}
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        return save(tensors, {FORMAT: json.dumps(claims)})  # one name: several would have no fixed order

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        name: str | None = None,
        sha256: str | None = None,
        sample_shape: tuple[int, ...] | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Read one from its file.

        Args:
            path: a file of `ganfw train-evaluator`; a file of a stranger can do no harm.
            name: the beginning of the identity; by default the file's name without its ending.
            sha256: the hash that the file must have, if one is known.
            sample_shape: the images it is wanted for, if that is known.
            device: where it will compute.

        Raises:
            RunError: the file cannot be read, or is larger than 16 MiB.
            DataError: it has another hash, or is not such a file.
            InputError: it has learnt from images of another shape.
        """
        content = read_bounded(expanded(path).resolve(), MAX_BYTES)
        digest = hashlib.sha256(content).hexdigest()
        if sha256 is not None and digest != sha256:
            raise DataError(f"{path}: damaged: its SHA-256 is not {sha256}; replace it by the original")
        try:
            shape, num_classes, about = _claims(content)
            network = Classifier(shape[0], num_classes)
            network.load_state_dict(load(content))
        except Exception as error:  # safetensors and torch refuse in ways of their own what a file may claim
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{path}: not a classifier; train one with ganfw train-evaluator: {reason}") from None
        if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
            raise DataError(f"{path}: holds a weight that is not finite; train it again: ganfw train-evaluator")
        if sample_shape is not None and sample_shape != shape:
            raise InputError(f"{path} {_mismatch(shape, sample_shape)}")
        network.to(device).eval().requires_grad_(False)
        identity = f"{path.stem if name is None else name} sha256:{digest}"
        return cls(network, shape, num_classes, about, identity, torch.device(device))


def _claims(content: bytes) -> tuple[tuple[int, ...], int, dict[str, str]]:
    """Return the shape of images and the number of classes that a file names, if they are possible, and the rest."""
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    if FORMAT not in metadata:
        raise ValueError(f"it has no '{FORMAT}' in its metadata")
    claims: Any = json.loads(metadata[FORMAT])
    shape, num_classes = claims.pop("sample_shape"), claims.pop("num_classes")
    if not (
        isinstance(shape, list)
        and len(shape) == 3
        and all(type(side) is int and 1 <= side <= MAX_SIDE for side in shape)
        and type(num_classes) is int
        and 2 <= num_classes <= MAX_CLASSES
    ):
        raise ValueError(f"it claims {num_classes!r:.20} classes of images of shape {shape!r:.40}")
    return tuple(shape), num_classes, {str(key): str(value) for key, value in claims.items()}


def _mismatch(known: tuple[int, ...], given: tuple[int, ...]) -> str:
    shapes = [" x ".join(map(str, shape)) for shape in (known, given)]
    return (
        f"knows images of {shapes[0]}, and the samples are {shapes[1]}; train one for them "
        "(ganfw train-evaluator RECIPE -o FILE) or choose another embedding: --set embedding.use=pixels"
    )


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
        raise DataError("a classifier needs images with labels of at least two classes, which this data does not have")
    if epochs < 1:
        raise InputError(f"the number of epochs must be >= 1, not {epochs}")
    device = torch.device(device)
    num_classes = int(data.num_classes or 0)
    about = {"ganfw": version("ganfw"), "trained_on": data.sha256(), "epochs": str(epochs), "seed": str(seed)}
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
            trained = TrainedClassifier(network.eval(), data.sample_shape, num_classes, about, device=device)
            measured = ""
            if test is not None:
                about["accuracy"] = f"{accuracy(trained, test):.4f}"
                measured = f", accuracy {about['accuracy']}"
            say(f"epoch {epoch + 1} of {epochs}: loss {total.item() / len(data):.4f}{measured}")
    network.requires_grad_(False)
    return trained


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
