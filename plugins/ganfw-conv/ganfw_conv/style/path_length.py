"""Path length regularisation: a step in w should change the image equally much, wherever it starts and leads."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from ganfw import InputError, UpdateContext


class PathLength:
    """Adds weight · E[(||J^T y|| - a)²] to the loss of a style-based generator.

    J is the Jacobian of the image by w, y are images of N(0, 1 / pixels) noise, and J^T y is the gradient of the sum of
    image times y. a is the exponential running mean of the lengths ||J^T y||, the current batch included, and is
    saved with the run. Injected noise is drawn anew, and styles are not mixed.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, section 3.2, equation 4, where
    y are of N(0, 1). Divided by the root of the number of pixels, as in the code of the authors, lengths do not grow
    with the size. That code has a weight of 2, and the term in every fourth step.

    The running mean is of the rows of one process, so the run must be trained in one.
    """

    def __init__(
        self,
        device: torch.device,
        /,
        *,
        weight: Annotated[float, Ge(0), "weight of the squared differences"] = 2.0,
        every_steps: Annotated[int, Ge(1), "steps between two terms; each is multiplied by this number"] = 4,
        decay: Annotated[float, Gt(0), Le(1), "share of the running mean that a batch replaces"] = 0.01,
        share: Annotated[float, Gt(0), Le(1), "share of the rows of the batch that it is computed for"] = 0.5,
    ) -> None:
        self.weight = weight
        self.every_steps = every_steps
        self.decay = decay
        self.share = share
        self.mean = torch.zeros((), device=device)

    def generator(self, context: UpdateContext) -> Tensor:
        """Move the running mean, and return the term, a float32 scalar.

        Raises:
            InputError: the generator has no mapping and synthesis, or no noise.
        """
        network: Any = context.networks["generator"]
        if context.z is None or not (hasattr(network, "mapping") and hasattr(network, "synthesis")):
            raise InputError("path_length needs a generator that makes w from noise, such as 'style'; choose one")
        rows = max(1, math.ceil(self.share * len(context.z)))
        noise = context.random.normal(network.synthesis.places)[:rows]
        y = context.random.normal(*context.fake.shape[1:])[:rows] / math.sqrt(math.prod(context.fake.shape[2:]))
        w = network.mapping(context.z[:rows], None if context.labels is None else context.labels[:rows])
        images = network.synthesis(w, noise)
        (gradients,) = torch.autograd.grad((images * y).sum(), w, create_graph=True)
        lengths = gradients.square().sum(1).sqrt()
        self.mean = torch.lerp(self.mean, lengths.detach().mean(), self.decay)
        term: Tensor = self.weight * (lengths - self.mean).square().mean()
        return term

    def state_dict(self) -> dict[str, Any]:
        """Return the running mean."""
        return {"mean": self.mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.mean = state["mean"].to(self.mean.device, copy=True)
