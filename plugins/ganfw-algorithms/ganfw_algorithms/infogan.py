"""InfoGAN: noise with codes, a network that guesses them from samples, and what the codes have come to mean."""

import inspect
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from ganfw import (
    InputError,
    SampleRequest,
    Training,
    UpdateContext,
    discover,
    draw_noise,
    evaluation_mode,
    generate,
    to_uint8,
)
from ganfw_algorithms.measurements import EverySteps, Measurement, held_out


class Codes:
    """Noise of three pieces: Gaussian coordinates, a category as a one-hot vector, and codes uniform on [-1, 1].

    Source: Chen et al., "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
    Adversarial Nets", 2016, which has 62 coordinates, 10 categories and 2 codes for MNIST.

    Attributes:
        z_dim: length of all three together.
    """

    def __init__(
        self,
        device: torch.device,
        /,
        *,
        noise_dim: Annotated[int, Ge(1), "Gaussian coordinates"] = 62,
        categories: Annotated[int, Ge(2), "values of the category"] = 10,
        continuous: Annotated[int, Ge(0), "codes that are numbers"] = 2,
    ) -> None:
        self.device = torch.device(device)
        self.noise_dim, self.categories, self.continuous = noise_dim, categories, continuous
        self.z_dim = noise_dim + categories + continuous

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)` float32."""
        noise = torch.randn(count, self.noise_dim, generator=random, device=self.device)
        category = torch.randint(self.categories, (count,), generator=random, device=self.device)
        codes = torch.rand(count, self.continuous, generator=random, device=self.device) * 2 - 1
        return self.join(noise, one_hot(category, self.categories).float(), codes)

    def split(self, z: Tensor) -> Mapping[str, Tensor]:
        """Return `noise`, `(n, noise_dim)`, `category`, `(n, categories)`, and `continuous`, `(n, continuous)`."""
        noise, category, continuous = z.split([self.noise_dim, self.categories, self.continuous], dim=1)
        return {"noise": noise, "category": category, "continuous": continuous}

    def join(self, noise: Tensor, category: Tensor, continuous: Tensor) -> Tensor:
        """Return `(n, z_dim)` from the pieces that `split` gives."""
        return torch.cat([noise, category, continuous], dim=1)


class CodeHead(nn.Module):
    """InfoGAN's Q: guesses the codes of a sample from features of the discriminator, whose layers it shares.

    A hidden layer with LeakyReLU(0.1), then logits of the category, and mean and log variance of each number.

    Raises:
        InputError: the noise has no codes.
    """

    def __init__(
        self,
        noise: Any,
        /,
        *,
        features: Annotated[int, Ge(1), "how many features the discriminator gives"] = 64,
        hidden_dim: Annotated[int, Ge(1), "width of the hidden layer"] = 64,
    ) -> None:
        super().__init__()
        require_codes(noise)
        self.hidden = nn.Sequential(nn.Linear(features, hidden_dim), nn.LeakyReLU(0.1))
        self.category = nn.Linear(hidden_dim, noise.categories)
        self.mean = nn.Linear(hidden_dim, noise.continuous)
        self.log_variance = nn.Linear(hidden_dim, noise.continuous)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Return `category`, `(n, categories)`, `mean` and `log_variance`, `(n, continuous)`, for `(n, features)`."""
        hidden = self.hidden(features)
        return {name: getattr(self, name)(hidden) for name in ("category", "mean", "log_variance")}


class Information:
    """InfoGAN's term: the cross-entropy of the codes under Q, added to the losses of both networks.

    Its negative bounds the mutual information of codes and sample from below, up to a constant. Q, `[networks.q]`,
    reads the output `features` of the discriminator, which therefore learns to give them; Q itself belongs to the
    generator's optimizer: `networks = ["generator", "q"]`.

    Source: Chen et al., "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
    Adversarial Nets", 2016.

    Raises:
        InputError: the noise has no codes; or, in training, the recipe has no Q, or the discriminator gives no
        features.
    """

    def __init__(
        self,
        noise: Any,
        /,
        *,
        category_weight: Annotated[float, Ge(0), "weight of the category's cross-entropy"] = 1.0,
        continuous_weight: Annotated[float, Ge(0), "weight of the numbers' negative log-likelihood"] = 0.1,
    ) -> None:
        require_codes(noise)
        self.noise = noise
        self.category_weight, self.continuous_weight = category_weight, continuous_weight

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the term of the fakes, a scalar."""
        return self.generator(context)

    def generator(self, context: UpdateContext) -> Tensor:
        """Return the term of the fakes, a scalar."""
        if "features" not in context.fake_outputs or "q" not in context.networks:
            raise InputError("information needs [networks.q], and a discriminator that gives 'features'")
        guess = context.networks["q"](context.fake_outputs["features"])
        category, continuous = code_losses(guess, self.noise.split(context.z))
        term: Tensor = self.category_weight * category + self.continuous_weight * continuous
        return term


def code_losses(guess: Mapping[str, Tensor], codes: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of the category, and the negative log-likelihood of the numbers, both scalars.

    Args:
        guess: what Q returns, `category`, `(n, categories)`, `mean` and `log_variance`, `(n, continuous)` float32.
        codes: what was to be guessed, the pieces of `Codes.split`.
    """
    category = cross_entropy(guess["category"], codes["category"].argmax(1))
    squares = (codes["continuous"] - guess["mean"]).square() / guess["log_variance"].exp()
    continuous = ((squares + guess["log_variance"]) / 2).sum(1).mean()  # less the constant log(2 pi) / 2 of each
    return category, continuous


class Traversal:
    """Samples in which one code moves and the others stay: ten of each noise, one for each value of the code.

    The category takes each value in turn; a number goes from -2 to 2, as in the paper's figures. `ganfw sample -n 100`
    so gives ten noises, a row each.

    Source: Chen et al., "InfoGAN", 2016.

    Raises:
        InputError: the noise has no such code.
    """

    def __init__(
        self,
        generator: nn.Module,
        noise: Any,
        /,
        *,
        code: Annotated[Literal["category", "continuous"], "which kind of code moves"] = "category",
        index: Annotated[int, Ge(0), "which of the numbers moves"] = 0,
    ) -> None:
        require_codes(noise)
        self.generator, self.noise = generator, noise
        self.code, self.index = code, index
        if code == "continuous" and index >= self.noise.continuous:
            raise InputError(f"the noise has {self.noise.continuous} codes that are numbers; there is no index {index}")

    def __call__(self, request: SampleRequest) -> Tensor:
        """Return `(count, *sample_shape)` float32 on the CPU.

        Raises:
            InputError: the request asks for truncation, which this noise does not have.
        """
        steps = self.noise.categories if self.code == "category" else 10
        z = draw_noise(self.noise, -(-request.count // steps), seed=request.seed, truncation=request.truncation)
        pieces = dict(self.noise.split(z.repeat_interleave(steps, 0)))
        turns = torch.arange(len(pieces["category"]), device=z.device) % steps
        if self.code == "category":
            pieces["category"] = one_hot(turns, steps).float()
        else:
            pieces["continuous"][:, self.index] = torch.linspace(-2, 2, steps, device=z.device)[turns]
        z = self.noise.join(**pieces)[: request.count]
        return generate(self.generator, z, labels=request.labels, batch_size=request.batch_size)


class CodePurity(Measurement):
    """Measures how well the category agrees with the digit, in MNIST and in samples.

    `purity`: the share of samples of the generator that the shipped classifier takes for the most frequent digit of
    their category. `digits_found`: how many digits are the most frequent one of some category. `held_out_purity`: the
    same as `purity` of held-out images with their labels, in the categories that Q reads in them. Q reads features of
    the discriminator, as `code_head`, or samples, as `code_reader`.
    """

    name = "code_purity"

    def __init__(
        self,
        discriminator: nn.Module,
        q: nn.Module,
        noise: Any,
        /,
        *,
        count: Annotated[int, Ge(1), "samples of the generator"] = 2000,
        every_steps: EverySteps = 1000,
    ) -> None:
        super().__init__(every_steps)
        require_codes(noise)
        self.discriminator, self.q, self.noise, self.count = discriminator, q, noise, count

    @torch.no_grad()
    def measure(self, training: Training) -> Mapping[str, float]:
        """Return `purity` and `held_out_purity`, in [0, 1], and `digits_found`.

        Raises:
            RunError: the data has no held-out part with labels.
        """
        experiment = training.experiment
        z = draw_noise(self.noise, self.count, seed=experiment.settings.seed)
        made = to_uint8(generate(experiment.source.networks["generator"], z))
        classifier = discover().load("embedding", "ganfw:mnist_classifier")(tuple(made.shape[1:]), experiment.device)
        digits = torch.cat([classifier(chunk)[1].argmax(1) for chunk in made.split(1000)])
        share, found = purity(self.noise.split(z)["category"].argmax(1), digits)
        data = held_out(training, self.name)
        with evaluation_mode(self.discriminator, self.q):
            guesses = [self.guess(chunk.float() / 255) for chunk in data.samples.split(1000)]
        assert data.labels is not None
        return {
            "purity": share,
            "digits_found": float(found),
            "held_out_purity": purity(torch.cat(guesses), data.labels)[0],
        }

    def guess(self, samples: Tensor) -> Tensor:
        """Return the most probable category of each sample, `(n,)` int64."""
        reads_samples = "samples" in inspect.signature(self.q.forward).parameters
        category: Tensor = self.q(samples if reads_samples else self.discriminator(samples)["features"])["category"]
        return category.argmax(1)


def purity(groups: Tensor, labels: Tensor) -> tuple[float, int]:
    """Return the purity of groups `(n,)`, given labels `(n,)`, both int64, and how many labels name a group."""
    pairs = torch.stack([groups.cpu(), labels.cpu()])
    counts = torch.zeros(int(groups.max()) + 1, int(labels.max()) + 1)
    counts.index_put_(tuple(pairs), torch.ones(pairs.shape[1]), accumulate=True)
    there = counts[counts.sum(1) > 0]
    return float(there.max(1).values.sum() / pairs.shape[1]), len(there.argmax(1).unique())


def require_codes(noise: Any) -> None:
    """Refuse noise without a category.

    Raises:
        InputError: the noise has no codes.
    """
    if not hasattr(noise, "categories"):
        raise InputError("the noise has no codes to guess; take noise.use = 'codes'")
