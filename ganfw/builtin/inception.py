"""Inception v3 through torch-fidelity, an optional extra: the features of the published scores of large images."""

import hashlib

import torch
from torch import Tensor
from torch.nn import functional

from ganfw import InputError, PartError

BATCH = 64


class Inception:
    """Inception v3 with the weights of the original Fréchet distance: 2,048 features, 1,008 probabilities.

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017. It is torch-fidelity's port of the TensorFlow
    network, which scales images to 299 x 299 as TensorFlow did. Grey images are given to it as three equal channels.
    Its weights (91 MB) are downloaded when it is first used, and kept by torch.

    Raises:
        InputError: the samples are not images of 1 or 3 channels, or the weights cannot be downloaded.
        PartError: torch-fidelity is not installed.
    """

    def __init__(self, sample_shape: tuple[int, ...], device: torch.device, /) -> None:
        if len(sample_shape) != 3 or sample_shape[0] not in (1, 3):
            raise InputError(f"it needs images of 1 or 3 channels, but the samples are {sample_shape}")
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError:
            raise PartError("it needs torch-fidelity: pip install 'ganfw[inception]'") from None
        try:
            self.network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"])
        except OSError as error:
            raise InputError(f"its weights cannot be downloaded: {error}") from error
        self.network.to(device)
        self.device = device
        digest = hashlib.sha256()
        for value in self.network.state_dict().values():
            digest.update(value.cpu().numpy().tobytes())
        self.identity = f"inception sha256:{digest.hexdigest()}"

    @torch.no_grad()
    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(n, 2048)` and probabilities `(n, 1008)`, float32, of `(n, 1 or 3, …)` uint8 images."""
        features, probabilities = [], []
        for chunk in samples.split(BATCH):
            coloured = chunk.expand(-1, 3, -1, -1).to(self.device)
            hidden, logits = self.network(coloured)
            features.append(hidden.cpu())
            probabilities.append(functional.softmax(logits, dim=1).cpu())
        return torch.cat(features), torch.cat(probabilities)
