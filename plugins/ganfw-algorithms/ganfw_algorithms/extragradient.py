"""Extragradient: both networks step from where they are, with the gradients of where they would come to."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ganfw import Augmentation, Batch, Loss, Noise, Objective, Regularizer, Update

Apply = Callable[[Update, Batch, torch.Generator], None]


class Extragradient:
    """The classic losses; each step looks a step ahead, and moves by the gradients that are there.

    With w the weights of both networks and F their gradients, each of its network's own loss, and as plain gradient
    descent writes it,

        ahead = w - lr · F(w)
        w     = w - lr · F(ahead)

    Another optimizer makes both moves, the look ahead and the move, one after the other with one state. Both networks
    compute their gradients at the same weights, and each pass has fresh noise. A step takes twice the time of the
    classic step. What is logged are means over both passes. `[averaging]` takes in the weights after each optimizer's
    step, so those that are ahead, too.

    Source: Gidel et al., "A Variational Inequality Perspective on Generative Adversarial Networks", 2019, section 3.2.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        noise: Noise,
        regularizers: Mapping[str, Regularizer] | None = None,
        augmentations: Mapping[str, Augmentation] | None = None,
        networks: Mapping[str, nn.Module] | None = None,
        /,
    ) -> None:
        self.noise = noise
        self.networks = networks or {"generator": generator, "discriminator": discriminator}
        self.objective = Objective(generator, discriminator, loss, regularizers, augmentations, networks)

    def updates(self) -> Sequence[Update]:
        """Return the discriminator's update, then the generator's."""
        return [self.objective.update(network, self.noise) for network in ("discriminator", "generator")]

    def drive(self, batch: Batch, random: torch.Generator, apply: Apply) -> None:
        """Look ahead, and move by what is seen there."""
        weights: list[Tensor] = [weight for network in self.networks.values() for weight in network.parameters()]
        with torch.no_grad():
            start = [weight.clone() for weight in weights]
        ahead = self.moves(weights, batch, random, apply)
        with torch.no_grad():
            torch._foreach_add_(weights, ahead)
        moves = self.moves(weights, batch, random, apply)
        with torch.no_grad():
            torch._foreach_copy_(weights, torch._foreach_add(start, moves))

    def moves(self, weights: list[Tensor], batch: Batch, random: torch.Generator, apply: Apply) -> list[Tensor]:
        """Return by how much both updates, each from the weights as they are, change them; the weights stay."""
        with torch.no_grad():
            start = [weight.clone() for weight in weights]
            moves = [torch.zeros_like(weight) for weight in weights]
        for update in self.updates():
            apply(update, batch, random)
            with torch.no_grad():
                torch._foreach_add_(moves, torch._foreach_sub(weights, start))
                torch._foreach_copy_(weights, start)
        return moves
