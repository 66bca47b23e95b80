"""Steps that break their contract."""

import torch
from attrs import evolve

from ganfw import Update
from ganfw.builtin.alternating import Alternating
from ganfw.testing import modes, steps


class Changed(Alternating):
    """The usual step, with a change of one update."""

    def updates(self):
        discriminator, generator = super().updates()
        return [evolve(discriminator, **self.changes(discriminator)), generator]

    def changes(self, update):
        return {}


class WithoutOneLayer(Alternating):
    """Cuts the generator's first layer off from the gradient."""

    def __init__(self, generator, discriminator, loss, noise, /) -> None:
        super().__init__(generator, discriminator, loss, noise)
        generator[0][0].register_forward_hook(lambda layer, inputs, output: output.detach())


class WithoutOptimizer(Changed):
    def changes(self, update):
        return {"after": self.after}

    def after(self):
        for weight in self.objective._generator.parameters():
            weight.sub_(0.01)


class NeverTheDiscriminator(Changed):
    """Takes back what the discriminator learns."""

    kept = ()

    def changes(self, update):
        return {"draw": self.draw, "after": self.after}

    def draw(self, batch, random):
        self.kept = [weight.detach().clone() for weight in self.objective._discriminator.parameters()]
        return *self.objective.due("discriminator", batch), self.noise(len(batch), random)

    def after(self):
        for weight, kept in zip(self.objective._discriminator.parameters(), self.kept, strict=True):
            weight.copy_(kept)


class Changing(Changed):
    steps = 0

    def changes(self, update):
        return {"observe": self.observe}

    def observe(self, seen):
        self.steps += 1
        return {"first": torch.ones(())} if self.steps == 2 else {}


class Global(Changed):
    def changes(self, update):
        return {"draw": self.draw}

    def draw(self, batch, random):
        torch.rand(1)
        return *self.objective.due("discriminator", batch), self.noise(len(batch), random)


class NewEachTime(Changed):
    def changes(self, update):
        return {"loss": lambda *inputs: update.loss(*inputs)}


class InBfloat16Only(Changed):
    """Cannot take what a matrix product in bfloat16 gives."""

    def changes(self, update):
        return {"loss": self.loss}

    def loss(self, batch, random, due, step, z):
        loss, seen = self.objective.of_discriminator(batch, random, due, step, z)
        layer = next(each for each in self.objective._discriminator.modules() if isinstance(each, torch.nn.Linear))
        rounded = layer.weight.to(torch.bfloat16) if "forward" in vars(self.objective._discriminator) else layer.weight
        return loss + (layer.weight @ rounded.T).mean(), seen


class OtherWhenCompiled:
    def __init__(self, generator, discriminator, loss, noise, /) -> None:
        self.parts = generator, discriminator, loss, noise

    def updates(self):
        return [
            Update("discriminator", self.of_discriminator, draw=self.draw),
            Update("generator", self.of_generator, draw=self.draw),
        ]

    def draw(self, batch, random):
        return (self.parts[-1](len(batch), random),)

    def of_discriminator(self, batch, random, z):
        generator, discriminator, loss, _ = self.parts
        value = loss.discriminator(discriminator(batch.samples), discriminator(generator(z)))
        return value * (2 if torch.compiler.is_compiling() else 1)

    def of_generator(self, batch, random, z):
        generator, discriminator, loss, _ = self.parts
        return loss.generator(discriminator(generator(z)))


class OfItsOwnRows(Changed):
    """Makes its own noise, the same rows in every process."""

    def changes(self, update):
        return {"draw": self.draw}

    def draw(self, batch, random):
        z = torch.randn(len(batch), self.noise.z_dim, generator=random)
        return *self.objective.due("discriminator", batch), z


BROKEN = (
    (
        steps.trains_every_network,
        WithoutOneLayer,
        "in 5 steps no gradient reaches '0.0.weight' of the generator",
    ),
    (
        steps.each_update_is_of_its_own_weights,
        WithoutOptimizer,
        "weights of the generator change though its optimizer has a learning rate of 0",
    ),
    (
        steps.each_update_is_of_its_own_weights,
        NeverTheDiscriminator,
        "weights of the discriminator stand still where the generator's optimizer has a learning rate of 0",
    ),
    (steps.gives_statistics, Changing, "its statistics have other names in another step"),
    (
        steps.draws_only_from_the_generator,
        Global,
        "it draws from a global random generator: draw from the one that it is given",
    ),
    (
        steps.gives_the_same_updates_every_time,
        NewEachTime,
        "asked again, updates() returns other losses: make each a method of the step",
    ),
    (modes.trains_in_bf16, InBfloat16Only, "in bfloat16 it fails: "),
    (modes.trains_compiled, OtherWhenCompiled, "compiled, "),
    (modes.trains_in_two_processes, OfItsOwnRows, "in two processes "),
)
