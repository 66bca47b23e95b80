"""Samples of a style-based generator, with truncation in w."""

from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from ganfw import InputError, Noise, SampleRequest, draw_noise, generate, inputs_of


class StyleSampler:
    """Makes samples of a style-based generator; truncation is in w.

    With a truncation of psi, w becomes mean + psi (w - mean), with the running mean of w that the generator keeps: 1
    changes nothing, and 0 gives the image of the mean, which differs only by injected noise. The noise itself is not
    truncated. Injected noise is drawn for each sample, as in training, or the fixed noise of the generator.

    Source: Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks", 2019, appendix B.

    Raises:
        InputError: the generator keeps no mean of w.
    """

    def __init__(
        self,
        generator: nn.Module,
        noise: Noise,
        /,
        *,
        injected_noise: Annotated[Literal["drawn", "fixed"], "drawn for each sample, or the same for all"] = "drawn",
    ) -> None:
        if not (hasattr(generator, "mapping") and hasattr(generator, "synthesis")):
            raise InputError("this sampler needs a generator that keeps a mean of w, such as 'style'; choose one")
        self.generator: Any = generator
        self.noise = noise
        self.injected_noise = injected_noise

    def __call__(self, request: SampleRequest) -> Tensor:
        """Return `(count, *sample_shape)` float32 in [0, 1] on the CPU.

        Raises:
            InputError: the count, the truncation or the labels are out of range.
        """
        if request.count < 1:
            raise InputError(f"the number of samples must be >= 1, not {request.count}")
        psi = 1.0 if request.truncation is None else request.truncation
        if not psi >= 0:
            raise InputError(f"the truncation in w must be >= 0, not {psi}")
        z = draw_noise(self.noise, request.count, seed=request.seed)
        if self.injected_noise == "drawn":
            z = torch.cat([z, self._injected(request).to(z.device)], dim=1)
        is_conditional = "labels" in inputs_of(self.generator)
        network = (_ConditionalTruncated if is_conditional else _Truncated)(self.generator, self.noise.z_dim, psi)
        return generate(network, z, labels=request.labels, batch_size=request.batch_size)

    def _injected(self, request: SampleRequest) -> Tensor:
        """Draw `(count, places)` float32 on the CPU, each row from a seed of its own."""
        random = torch.Generator().manual_seed(request.seed)
        seeds = torch.randint(2**32, (request.count,), generator=random).tolist()
        places = self.generator.synthesis.places
        return torch.stack([torch.randn(places, generator=random.manual_seed(seed)) for seed in seeds])


class _Truncated(nn.Module):
    """A generator whose input is noise and, behind it, the noise to inject if there is any."""

    def __init__(self, generator: Any, z_dim: int, psi: float) -> None:
        super().__init__()
        self.generator = generator
        self.z_dim = z_dim
        self.psi = psi

    def forward(self, x: Tensor) -> Tensor:
        return self.images(x, None)

    def images(self, x: Tensor, labels: Tensor | None) -> Tensor:
        z, injected = x[:, : self.z_dim], x[:, self.z_dim :]
        mapping, synthesis = self.generator.mapping, self.generator.synthesis
        w = mapping.truncate(mapping(z, labels), self.psi, labels)
        images: Tensor = synthesis(w, injected if x.shape[1] > self.z_dim else None)
        return images


class _ConditionalTruncated(nn.Module):
    """The same for a conditional generator."""

    def __init__(self, generator: Any, z_dim: int, psi: float) -> None:
        super().__init__()
        self.truncated = _Truncated(generator, z_dim, psi)
        self.num_classes: int = generator.num_classes

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.truncated.images(x, labels)
