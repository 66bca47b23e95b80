"""Losses that break what every part must do."""

import os
from typing import Annotated

from ganfw import InputError
from ganfw.testing import parts


class Wasserstein:
    """The score of a critic, which has no bounds."""

    def discriminator(self, real_logits, fake_logits):
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits):
        return -fake_logits.mean()


class Undocumented:
    discriminator = Wasserstein.discriminator
    generator = Wasserstein.generator


class KeyWithoutHelp(Wasserstein):
    """The score of a critic, which has no bounds."""

    def __init__(self, *, scale: float = 1.0) -> None: ...


class KeyWithoutDefault(Wasserstein):
    """The score of a critic, which has no bounds."""

    def __init__(self, *, scale: Annotated[float, "how much it counts"]) -> None: ...


class RefusingItsDefaults(Wasserstein):
    def __init__(self, *, scale: float = 0.0) -> None:
        if scale == 0:
            raise InputError("scale must not be 0")


class Flat(Wasserstein):
    def generator(self, fake_logits):
        return 0 * fake_logits.mean()


class ByChance(Wasserstein):
    def generator(self, fake_logits):
        return super().generator(fake_logits) * (1 + int.from_bytes(os.urandom(4), "big"))


class Ageing(Wasserstein):
    asked = 0

    def generator(self, fake_logits):
        self.asked += 1
        return super().generator(fake_logits) * (self.asked % 4 - 1.5)


BROKEN = (
    (parts.is_documented, Undocumented, "the class or function has no docstring that says what it does"),
    (
        parts.is_documented,
        KeyWithoutHelp,
        "key 'scale' has no help: annotate it Annotated[float, \"what it is\"]",
    ),
    (parts.is_documented, KeyWithoutDefault, "key 'scale' has no default"),
    (parts.builds_with_its_defaults, RefusingItsDefaults, "scale must not be 0"),
    (parts.trains, Flat, "in 5 steps of training no weight of the generator moved"),
    (
        parts.repeats_itself,
        ByChance,
        "two runs with one seed end with other weights: draw random numbers from the generator that is given, or from "
        "torch's global one, and from no other",
    ),
    (
        parts.resumes_exactly,
        Ageing,
        "a resumed run is not exact: metrics.jsonl differs; a part that changes in training needs state_dict() and "
        "load_state_dict(state)",
    ),
)
