"""Inception v3 through torch-fidelity, an optional extra: the features of the published scores of large images."""

import hashlib
import io
import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import torch
from attrs import field, frozen
from torch import Tensor, nn
from torch.nn import functional

from ganfw import DataError, InputError, PartError, read_bounded

BATCH = 64
LAYERS = ["2048", "logits_unbiased"]
"""What torch-fidelity calls the features and the logits of the published scores."""
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""The hash of the file of weights that torch-fidelity names, and pytorch-fid too."""
MAX_BYTES = 256 << 20
"""A file larger than this (256 MiB) is refused; that of the published weights has 91 MiB."""


@frozen(eq=False)
class FidelityEmbedding:
    """A feature extractor of torch-fidelity as an embedding.

    Attributes:
        network: maps `(n, 3, height, width)` uint8 images to a pair: features `(n, d)` and logits `(n, classes)`,
            float32. It scales the images to the size that it needs.
        identity: a name, and the hash of its weights.
        device: where it computes.
    """

    network: nn.Module = field(repr=False)
    identity: str
    device: torch.device

    @torch.no_grad()
    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, d)` and probabilities `(n, classes)`, float32, of `(n, 1 or 3, …)` uint8 images."""
        features, probabilities = [], []
        for chunk in samples.split(BATCH):
            coloured = chunk.expand(-1, 3, -1, -1).to(self.device)
            hidden, logits = self.network(coloured)
            features.append(hidden.cpu())
            probabilities.append(functional.softmax(logits, dim=1).cpu())
        return torch.cat(features), torch.cat(probabilities)


def inception(
    sample_shape: tuple[int, ...],
    device: torch.device,
    /,
    *,
    weights: Annotated[str | None, "file of the weights; by default it is downloaded, 91 MiB"] = None,
    sha256: Annotated[str | None, "the hash that the file must have"] = None,
) -> FidelityEmbedding:
    """Inception v3 with the weights of the original Fréchet distance: 2,048 features, 1,008 probabilities.

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017. It is torch-fidelity's port of the TensorFlow
    network, which scales images to 299 x 299 as TensorFlow did. Grey images are given to it as three equal channels.
    Without a file, torch downloads the published weights when they are first used, and keeps them. The identity has
    the hash of the file, which is `6726825d…` for the published weights.

    Raises:
        InputError: the samples are not images of 1 or 3 channels, or the weights cannot be downloaded.
        PartError: torch-fidelity is not installed.
        DataError: the file has another hash, or does not hold weights of this network.
        RunError: the file cannot be read, or is larger than 256 MiB.
    """
    if len(sample_shape) != 3 or sample_shape[0] not in (1, 3):
        raise InputError(f"it needs images of 1 or 3 channels, but the samples are {sample_shape}")
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
    except ImportError:
        raise PartError("it needs torch-fidelity: pip install 'ganfw[inception]'") from None
    own = os.path.expanduser(weights or "")  # noqa: PTH111 - without a home, as it is
    path = (Path(own) if own else _downloaded(URL_INCEPTION_V3)).resolve()
    content = read_bounded(path, MAX_BYTES)
    digest, expected = hashlib.sha256(content).hexdigest(), sha256 or ("" if own else SHA256)
    if expected and digest != expected.lower():
        raise DataError(f"{path}: its SHA-256 is {digest}, not {expected}; replace it by the file that was meant")
    try:
        file = _without_code(content)
        network = FeatureExtractorInceptionV3("inception-v3-compat", LAYERS, feature_extractor_weights_path=file)
    except Exception as error:  # torch refuses in many ways what a file may hold
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path}: not weights of torch-fidelity's Inception v3; leave embedding.weights out to download them: "
            f"{reason}"
        ) from None
    return FidelityEmbedding(network.to(device), f"inception sha256:{digest}", device)


def _downloaded(url: str) -> Path:
    """Return where torch keeps a file that it downloads, which is downloaded first if it is not there."""
    path = Path(torch.hub.get_dir(), "checkpoints", PurePosixPath(url).name)
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=SHA256)
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"its weights cannot be downloaded; give their file, embedding.weights = FILE, from {url}: {error}"
            ) from error
    return path


def _without_code(content: bytes) -> io.BytesIO:
    """Return a file of the same weights, finite ones, that torch has written: torch-fidelity runs what a file asks for.

    Raises:
        ValueError: a value is not finite.
    """
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise ValueError("a value is not finite")
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file
