"""A second judge of MNIST digits, given to `ganfw evaluate --plugin`: another network and seed than the shipped one.

    ganfw evaluate RUN --plugin benchmarks/second_judge.py --set embedding.use=second_judge

A claim that only one classifier's features support may be about that classifier. This one has no convolution: it is a
perceptron, trained by the same function from seed 1. It learns when it is first used, which takes minutes, and is kept
in the file that `embedding.weights` names.
"""

import hashlib
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ganfw import Part, TrainedClassifier, discover, hookimpl, train_classifier, write_atomically

SEED, EPOCHS = 1, 10


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Offer the embedding."""
    yield Part(
        kind="embedding",
        name="second_judge",
        target=f"{__name__}:second_judge",
        help="a perceptron that has learnt to tell MNIST's digits, as a second opinion",
    )


class Perceptron(nn.Module):
    """Three hidden layers, the last of 64 features, and a logit for each class."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        widths = [channels * 28 * 28, 1024, 512, 64]
        self.hidden = nn.Sequential(
            nn.Flatten(),
            *(layer for pair in pairwise(widths) for layer in _block(*pair)),
        )
        self.logits = nn.Linear(64, num_classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, 64)` and logits `(n, num_classes)` of images `(n, channels, 28, 28)` in [0, 1]."""
        features = self.hidden(2 * images - 1)
        return features, self.logits(features)


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def second_judge(
    sample_shape: tuple[int, ...],
    device: torch.device,
    /,
    *,
    weights: Annotated[str, "where the trained weights are kept"] = "runs/second_judge.safetensors",
) -> TrainedClassifier:
    """Return the perceptron, trained."""
    path = Path(weights)
    if not path.exists():
        mnist = discover().load("data", "mnist")
        training, test = mnist(split="train"), mnist(split="test")
        trained = train_classifier(
            training, test, make_network=Perceptron, epochs=EPOCHS, seed=SEED, device=device, say=_say
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, save(trained.network.state_dict(), trained.about))
    content = path.read_bytes()
    network = Perceptron(sample_shape[0], 10).to(device).eval().requires_grad_(False)
    network.load_state_dict(load(content))
    identity = f"second_judge sha256:{hashlib.sha256(content).hexdigest()}"
    return TrainedClassifier(network, sample_shape, 10, {}, identity, device)
