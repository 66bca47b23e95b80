"""Augmentations that break their contract."""

import torch

from ganfw.testing import augmentations


class Brightness:
    def __call__(self, samples, random):
        return samples + random.uniform(1, 1, 1)


class InPlace:
    def __call__(self, samples, random):
        return samples.mul_(0.5)


class Doubling(Brightness):
    def __call__(self, samples, random):
        return torch.cat([samples, samples]) if len(samples) > 2 else samples


class Detaching(Brightness):
    def __call__(self, samples, random):
        return super().__call__(samples.detach(), random)


class Rounding(Brightness):
    def __call__(self, samples, random):
        return super().__call__(samples.round(), random)


class Centring(Brightness):
    def __call__(self, samples, random):
        return super().__call__(samples - samples.mean(), random)


class Idle:
    def __call__(self, samples, random):
        return samples.clone()


class NeverAdapting(Idle):
    def observe(self, real_logits):
        pass


class AllAlike:
    def __call__(self, samples, random):
        return samples + random.uniform(1, 1, 1)[:1]


class Global:
    def __call__(self, samples, random):
        return samples + torch.rand(len(samples), 1, 1, 1)


class Counting(Brightness):
    asked = 0

    def __call__(self, samples, random):
        self.asked += 1
        return self.asked * super().__call__(samples, random)


class Fixed:
    def __call__(self, samples, random):
        return samples + torch.linspace(0, 1, len(samples)).reshape(-1, 1, 1, 1)


class TellingNumbers(Brightness):
    def observe(self, real_logits):
        return {"p": 0.5}


class TellingAList(Brightness):
    def observe(self, real_logits):
        return [real_logits.mean()]


class TellingRows(Brightness):
    def observe(self, real_logits):
        return {"sign": real_logits.sign()}


class TellingWhenSure(Brightness):
    def observe(self, real_logits):
        return {"sign": real_logits.mean()} if real_logits.mean() > 0 else {}


BROKEN = (
    (
        augmentations.keeps_the_form,
        Doubling,
        "what it gives must have the shape (32, 1, 28, 28), not (64, 1, 28, 28)",
    ),
    (augmentations.keeps_the_form, InPlace, "it writes into the samples that it is given"),
    (augmentations.lets_gradients_through, Detaching, "no gradient passes through it"),
    (augmentations.lets_gradients_through, Rounding, "no finite gradient passes through it"),
    (
        augmentations.treats_rows_independently,
        Centring,
        "what it does to a sample depends on the other samples of the batch",
    ),
    (augmentations.changes_each_row_in_its_own_way, Idle, "with its defaults it changes nothing"),
    (
        augmentations.changes_each_row_in_its_own_way,
        NeverAdapting,
        "with its defaults it changes nothing after observing ever surer logits of a million real samples",
    ),
    (
        augmentations.changes_each_row_in_its_own_way,
        AllAlike,
        "it changes all rows of a batch alike: draw a number for each row",
    ),
    (
        augmentations.draws_only_from_its_random,
        Global,
        "it draws from a global random generator: draw from the `random` that it is given",
    ),
    (
        augmentations.draws_only_from_its_random,
        Counting,
        "with the same samples and random numbers it gives something else",
    ),
    (augmentations.draws_only_from_its_random, Fixed, "with other random numbers it does the same"),
    (augmentations.gives_statistics, TellingNumbers, "the statistic 'p' must be a tensor, not float"),
    (augmentations.gives_statistics, TellingAList, "observe must return a mapping or None, not list"),
    (augmentations.gives_statistics, TellingRows, "the statistic 'sign' must have the shape (), not (32, 1)"),
    (augmentations.gives_statistics, TellingWhenSure, "its statistics have other names in another step"),
)
