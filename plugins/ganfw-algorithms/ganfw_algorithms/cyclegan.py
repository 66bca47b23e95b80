"""CycleGAN: translation learnt without pairs."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganfw import Batch, Loss, RowRandom, Update
from ganfw_algorithms.pix2pix import target_of


class ImagePool:
    """Remembers fakes, and gives older ones back for half of the new ones.

    Until it is full, what comes in is kept and given back. Then each image is, with probability one half, exchanged for
    a remembered one, in the order of the batch.

    Source: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017, which
    takes over the idea from Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial
    Training", 2017.
    """

    def __init__(self, size: int) -> None:
        """Make an empty pool of so many images; of 0, one that gives back what comes in."""
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, fakes: Tensor, random: torch.Generator) -> Tensor:
        """Return `(n, *sample_shape)`, some of them older fakes; `random` lives where the fakes do."""
        if not self.size:
            return fakes
        n = len(fakes)
        keeps = (torch.rand(n, generator=random, device=fakes.device) < 0.5).tolist()
        places = torch.randint(self.size, (n,), generator=random, device=fakes.device).tolist()
        given = []
        for fake, keep, place in zip(fakes, keeps, places, strict=True):
            if len(self.images) < self.size:
                self.images.append(fake.clone())
            elif not keep:
                fake, self.images[place] = self.images[place], fake.clone()
            given.append(fake)
        return torch.stack(given)

    def state_dict(self) -> dict[str, Any]:
        """Return the images that are remembered."""
        return {"images": self.images}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.images = list(state["images"])


class CycleGAN:
    """Two translators, there and back, and a discriminator of each domain; no pairs, and no noise.

    The translators deceive the discriminators, and bring back what they are given: a translation of a translation is
    near to its beginning, by the mean absolute difference. The identity term asks that what is of the other domain
    already stays as it is. The discriminators see fakes from a pool of earlier ones.

    The pool is saved with the run. It belongs to one process: training in several needs `pool = 0`.

    Source: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017: least
    squares as the loss, a weight of 10 for pixels in [-1, 1], which is 20 here, a pool of 50 images, and an identity
    term of half the weight where colours are to be kept.
    """

    def __init__(
        self,
        generator: nn.Module,
        back: nn.Module,
        discriminator: nn.Module,
        source_discriminator: nn.Module,
        loss: Loss,
        device: torch.device,
        /,
        *,
        cycle_weight: Annotated[float, Ge(0), "weight of the cycle term"] = 20.0,
        identity_weight: Annotated[float, Ge(0), "weight of the identity term, in shares of the cycle's"] = 0.0,
        pool: Annotated[int, Ge(0), "earlier fakes of each domain that are remembered; 0 for none"] = 50,
    ) -> None:
        self.generator, self.back, self.loss, self.device = generator, back, loss, device
        self.discriminator, self.source_discriminator = discriminator, source_discriminator
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.pools = {"target": ImagePool(pool), "source": ImagePool(pool)}

    def updates(self) -> Sequence[Update]:
        """Return the update of both translators, then that of both discriminators."""
        return [
            Update("generator", self.generator_loss),
            Update("discriminator", self.discriminator_loss, draw=self.draw_fakes),
        ]

    def generator_loss(self, batch: Batch, random: RowRandom) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return what the translators minimise, and the cycle and identity terms."""
        source, target = batch.samples, target_of(batch)
        fake_target, fake_source = self.generator(source), self.back(target)
        adversarial = self.loss.generator(self.discriminator(fake_target))
        adversarial = adversarial + self.loss.generator(self.source_discriminator(fake_source))
        cycle = l1_loss(self.back(fake_target), source) + l1_loss(self.generator(fake_source), target)
        loss, terms = adversarial + self.cycle_weight * cycle, {"cycle": cycle.detach()}
        if self.identity_weight:
            identity = l1_loss(self.generator(target), target) + l1_loss(self.back(source), source)
            loss = loss + self.cycle_weight * self.identity_weight * identity
            terms["identity"] = identity.detach()
        return loss, terms

    @torch.no_grad()
    def draw_fakes(self, batch: Batch, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return fakes of the target and of the source domain, some of them earlier ones."""
        fakes = {"target": self.generator(batch.samples), "source": self.back(target_of(batch))}
        exchanged = {name: self.pools[name].exchange(fakes[name].float(), random) for name in fakes}
        return exchanged["target"], exchanged["source"]

    def discriminator_loss(self, batch: Batch, random: RowRandom, fake_target: Tensor, fake_source: Tensor) -> Tensor:
        """Return what the discriminators minimise, halved as in the paper, so that they learn more slowly."""
        of_target = self.loss.discriminator(self.discriminator(target_of(batch)), self.discriminator(fake_target))
        judged = (self.source_discriminator(each) for each in (batch.samples, fake_source))
        return (of_target + self.loss.discriminator(*judged)) / 2

    def state_dict(self) -> dict[str, Any]:
        """Return the pools' images; nothing while there are none."""
        return {name: pool.state_dict() for name, pool in self.pools.items() if pool.images}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        for name, pool in self.pools.items():
            pool.load_state_dict(state.get(name, {"images": []}))
            pool.images = [each.to(self.device) for each in pool.images]
