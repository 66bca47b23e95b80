"""The reference GAN trained by other loops than ganfw's: each as a user of that tool would write it.

Every function prepares its loop and returns a function that trains for a number of steps. All but `bare_step` do the
work of `recipes/mnist_mlp.toml`: the same networks, batch 128 and the short last batch, one Adam each, both losses
known.
"""

import gzip
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from itertools import chain, pairwise, repeat
from pathlib import Path
from typing import Any

import torch
from interleave import RECIPE
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torchvision import datasets, transforms

from ganfw import Experiment, Recipe, Training, assemble, discover, resolve
from ganfw.engine import kernels
from ganfw.engine.kernels import fast_kernels

TrainSteps = Callable[[int], None]

Z_DIM, PIXELS, HIDDEN, BATCH, LEARNING_RATE = 64, 784, 128, 128, 1e-5


def generator() -> nn.Sequential:
    """Return the reference generator."""
    widths = [Z_DIM, HIDDEN, 2 * HIDDEN, 4 * HIDDEN, 8 * HIDDEN]
    blocks = [
        nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True))
        for inputs, outputs in pairwise(widths)
    ]
    return nn.Sequential(*blocks, nn.Linear(widths[-1], PIXELS), nn.Sigmoid())


def discriminator() -> nn.Sequential:
    """Return the reference discriminator."""
    widths = [PIXELS, 4 * HIDDEN, 2 * HIDDEN, HIDDEN]
    blocks = [nn.Sequential(nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)) for inputs, outputs in pairwise(widths)]
    return nn.Sequential(*blocks, nn.Linear(widths[-1], 1))


def torchvision_mnist() -> datasets.MNIST:
    """Return torchvision's MNIST, read from the files that ganfw ships."""
    root = Path(tempfile.mkdtemp(prefix="mnist-"))
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    with as_file(files("ganfw.builtin") / "mnist_data") as folder:
        for packed in folder.glob("*.gz"):
            with gzip.open(packed) as source, (raw / packed.stem).open("wb") as target:
                shutil.copyfileobj(source, target)
    data = datasets.MNIST(str(root), transform=transforms.ToTensor())
    shutil.rmtree(root)  # torchvision holds it in memory
    return data


def forever(loader: Any) -> Iterator[Any]:
    """Yield batches of one epoch after another."""
    return chain.from_iterable(repeat(loader))


def notebook(device: str = "cpu") -> TrainSteps:
    """Return the loop of a first GAN notebook: a DataLoader, and `.item()` each step."""
    loader = torch.utils.data.DataLoader(torchvision_mnist(), batch_size=BATCH, shuffle=True)
    gen, disc = generator().to(device), discriminator().to(device)
    gen_opt = torch.optim.Adam(gen.parameters(), lr=LEARNING_RATE)
    disc_opt = torch.optim.Adam(disc.parameters(), lr=LEARNING_RATE)
    batches = forever(loader)

    def train(steps: int) -> None:
        mean_disc_loss = mean_gen_loss = 0.0
        for _ in range(steps):
            real, _labels = next(batches)
            count = len(real)
            real = real.view(count, -1).to(device)

            disc_opt.zero_grad()
            fake = gen(torch.randn(count, Z_DIM, device=device))
            fake_logits = disc(fake.detach())
            real_logits = disc(real)
            disc_loss = (
                bce(fake_logits, torch.zeros_like(fake_logits)) + bce(real_logits, torch.ones_like(real_logits))
            ) / 2
            disc_loss.backward()
            disc_opt.step()

            gen_opt.zero_grad()
            fake_logits = disc(gen(torch.randn(count, Z_DIM, device=device)))
            gen_loss = bce(fake_logits, torch.ones_like(fake_logits))
            gen_loss.backward()
            gen_opt.step()

            mean_disc_loss += disc_loss.item() / steps
            mean_gen_loss += gen_loss.item() / steps

    return train


def tuned(precision: str = "fp32") -> TrainSteps:
    """Return what an expert writes for this work by hand, in eager PyTorch.

    Data in memory, no generator gradient in the discriminator's update and none of the discriminator's weights in
    the generator's, one discriminator pass over fakes and reals, fused Adam, losses read at the end only.
    """
    data = torchvision_mnist()
    images = data.data.view(-1, PIXELS).float() / 255
    gen, disc = generator(), discriminator()
    gen_opt = torch.optim.Adam(gen.parameters(), lr=LEARNING_RATE, fused=True)
    disc_opt = torch.optim.Adam(disc.parameters(), lr=LEARNING_RATE, fused=True)

    def epochs() -> Iterator[Tensor]:
        while True:
            for chunk in torch.randperm(len(images)).split(BATCH):
                yield images[chunk]

    batches = epochs()

    def train(steps: int) -> None:
        total = torch.zeros(2)
        for _ in range(steps):
            real = next(batches)
            count = len(real)
            targets = torch.cat([torch.zeros(count, 1), torch.ones(count, 1)])
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                with torch.no_grad():
                    fake = gen(torch.randn(count, Z_DIM))
                disc_loss = bce(disc(torch.cat([fake, real])).float(), targets)
            disc_opt.zero_grad()
            disc_loss.backward()
            disc_opt.step()

            disc.requires_grad_(False)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                gen_loss = bce(disc(gen(torch.randn(count, Z_DIM))).float(), targets[count:])
            gen_opt.zero_grad()
            gen_loss.backward()
            gen_opt.step()
            disc.requires_grad_(True)
            total += torch.stack([disc_loss.detach(), gen_loss.detach()])
        total.tolist()

    return train


def tuned_bf16() -> TrainSteps:
    """Return the hand-tuned loop under bfloat16 autocast."""
    return tuned("bf16")


def lightning_manual() -> TrainSteps:
    """Return Lightning's loop with manual optimisation, as its GAN example does."""
    import logging
    import warnings

    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")

    class Gan(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.generator, self.discriminator = generator(), discriminator()

        def configure_optimizers(self) -> list[torch.optim.Optimizer]:
            return [
                torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
                for network in (self.generator, self.discriminator)
            ]

        def training_step(self, batch: list[Tensor]) -> None:
            real = batch[0].flatten(1)
            count = len(real)
            gen_opt, disc_opt = self.optimizers()

            self.toggle_optimizer(disc_opt)
            fake_logits = self.discriminator(self.generator(torch.randn(count, Z_DIM)).detach())
            real_logits = self.discriminator(real)
            disc_loss = (
                bce(fake_logits, torch.zeros_like(fake_logits)) + bce(real_logits, torch.ones_like(real_logits))
            ) / 2
            disc_opt.zero_grad()
            self.manual_backward(disc_loss)
            disc_opt.step()
            self.untoggle_optimizer(disc_opt)

            self.toggle_optimizer(gen_opt)
            fake_logits = self.discriminator(self.generator(torch.randn(count, Z_DIM)))
            gen_loss = bce(fake_logits, torch.ones_like(fake_logits))
            gen_opt.zero_grad()
            self.manual_backward(gen_loss)
            gen_opt.step()
            self.untoggle_optimizer(gen_opt)
            self.log_dict({"discriminator": disc_loss, "generator": gen_loss}, prog_bar=False)

    gan = Gan()
    loader = torch.utils.data.DataLoader(torchvision_mnist(), batch_size=BATCH, shuffle=True)

    def train(steps: int) -> None:
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_steps=2 * steps,  # it counts optimizer steps
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(gan, loader)

    return train


def jax_jitted() -> TrainSteps:
    """Return the whole step jitted by JAX, data in memory."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    images = jnp.asarray(torchvision_mnist().data.view(-1, PIXELS).numpy().astype(np.float32) / 255)
    gen_widths = [Z_DIM, HIDDEN, 2 * HIDDEN, 4 * HIDDEN, 8 * HIDDEN, PIXELS]
    disc_widths = [PIXELS, 4 * HIDDEN, 2 * HIDDEN, HIDDEN, 1]

    def layers(key: Any, widths: list[int]) -> list[tuple[Any, Any]]:
        return [
            (
                jax.random.uniform(jax.random.fold_in(key, 2 * i), (a, b), minval=-(a**-0.5), maxval=a**-0.5),
                jax.random.uniform(jax.random.fold_in(key, 2 * i + 1), (b,), minval=-(a**-0.5), maxval=a**-0.5),
            )
            for i, (a, b) in enumerate(pairwise(widths))
        ]

    def norms(widths: list[int]) -> list[tuple[Any, Any]]:
        return [(jnp.ones(width), jnp.zeros(width)) for width in widths[1:-1]]

    def generate(params: Any, running: Any, z: Any) -> tuple[Any, Any]:
        linear, norm = params
        after = []
        for (weight, bias), (scale, shift), (mean, variance) in zip(linear, norm, running, strict=False):
            z = z @ weight + bias
            batch_mean, batch_variance = z.mean(0), z.var(0)
            after.append((0.9 * mean + 0.1 * batch_mean, 0.9 * variance + 0.1 * batch_variance))
            z = jax.nn.relu((z - batch_mean) * jax.lax.rsqrt(batch_variance + 1e-5) * scale + shift)
        return jax.nn.sigmoid(z @ linear[-1][0] + linear[-1][1]), after

    def judge(params: Any, x: Any) -> Any:
        for weight, bias in params[:-1]:
            x = jax.nn.leaky_relu(x @ weight + bias, 0.2)
        return x @ params[-1][0] + params[-1][1]

    def disc_loss(params: Any, fake: Any, real: Any) -> Any:
        logits = judge(params, jnp.concatenate([fake, real]))
        return (jax.nn.softplus(logits[: len(fake)]).mean() + jax.nn.softplus(-logits[len(fake) :]).mean()) / 2

    def gen_loss(params: Any, running: Any, disc: Any, z: Any) -> tuple[Any, Any]:
        fake, running = generate(params, running, z)
        return jax.nn.softplus(-judge(disc, fake)).mean(), running

    def adam(params: Any, grads: Any, moments: Any, t: Any) -> tuple[Any, Any]:
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], grads)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], grads)
        rate = LEARNING_RATE / (1 - 0.9**t)
        root = jnp.sqrt(1 - 0.999**t)
        params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + 1e-8), params, first, second)
        return params, (first, second)

    def step(state: Any, key: Any, indices: Any) -> tuple[Any, Any]:
        gen, running, disc, gen_moments, disc_moments, t = state
        real = images[indices]
        first_key, second_key = jax.random.split(key)
        fake, running = generate(gen, running, jax.random.normal(first_key, (len(indices), Z_DIM)))
        d_loss, grads = jax.value_and_grad(disc_loss)(disc, fake, real)
        disc, disc_moments = adam(disc, grads, disc_moments, t)
        z = jax.random.normal(second_key, (len(indices), Z_DIM))
        (g_loss, running), grads = jax.value_and_grad(gen_loss, has_aux=True)(gen, running, disc, z)
        gen, gen_moments = adam(gen, grads, gen_moments, t)
        return (gen, running, disc, gen_moments, disc_moments, t + 1), jnp.stack([d_loss, g_loss])

    jitted = jax.jit(step, donate_argnums=0)
    key = jax.random.key(0)
    gen = (layers(jax.random.fold_in(key, 1), gen_widths), norms(gen_widths))
    disc = layers(jax.random.fold_in(key, 2), disc_widths)
    running = [(jnp.zeros(width), jnp.ones(width)) for width in gen_widths[1:-1]]
    zeros = [jax.tree.map(jnp.zeros_like, tree) for tree in (gen, gen, disc, disc)]
    state = (gen, running, disc, (zeros[0], zeros[1]), (zeros[2], zeros[3]), jnp.float32(1))
    random = np.random.default_rng(0)

    def epochs() -> Iterator[Any]:
        while True:
            order = random.permutation(len(images))
            yield from (order[start : start + BATCH] for start in range(0, len(order), BATCH))

    batches = epochs()
    count = 0

    def train(steps: int) -> None:
        nonlocal state, count
        total = jnp.zeros(2)
        for _ in range(steps):
            count += 1
            state, losses = jitted(state, jax.random.fold_in(key, count), jnp.asarray(next(batches)))
            total = total + losses
        np.asarray(total)

    return train


def bare_step(*settings: str) -> TrainSteps:
    """Return the updates of ganfw on one batch: neither loop, data nor callbacks."""
    registry = discover()
    recipe = Recipe.load(RECIPE, registry).with_overrides(settings)
    return _on_one_batch(assemble(resolve(recipe, registry)))


def _on_one_batch(experiment: Experiment) -> TrainSteps:
    batch = next(experiment.batches.epoch(0))
    random = torch.Generator().manual_seed(0)
    training = Training(experiment)

    def train(steps: int) -> None:
        with training.engine() as updater:
            for _ in range(steps):
                updater.run(experiment.step, experiment.updates, batch, random)

    return train


def step_without(precision: str, *changes: str) -> TrainSteps:
    """Return the bare step in a precision with parts of the engine taken out.

    They are `onednn`, `one_pass` and `fused`.
    """
    if "onednn" in changes:
        kernels._onednn_is_exact = lambda: False
    registry = discover()
    experiment = assemble(
        resolve(Recipe.load(RECIPE, registry).with_overrides([f"run.precision={precision}"]), registry)
    )
    if "one_pass" in changes:
        experiment.step.objective._one_pass = False
    if "fused" in changes:
        for optimizer in experiment.optimizers.values():
            for group in optimizer.param_groups:
                group["fused"] = False
    return _on_one_batch(experiment)


def products(dtype: torch.dtype = torch.float32) -> TrainSteps:
    """Return the matrix products of a step alone, each repeated with warm operands in its fastest layout.

    A step has 2.49 GFLOP of them: the generator forward twice and backward once, the discriminator on fakes and reals
    forward and backward without the gradient of its input, and on fakes forward and backward without those of its
    weights. Every product is timed in each layout of its operands that a framework could choose, and the best counts.
    "Training" for n steps runs each product n times in that layout.
    """
    gen = list(pairwise(GEN_WIDTHS))
    disc = list(pairwise(DISC_WIDTHS))
    shapes: list[tuple[int, int, int]] = []
    for inputs, outputs in gen:
        shapes += 2 * [(BATCH, inputs, outputs)] + [(inputs, BATCH, outputs)]
    shapes += [(BATCH, outputs, inputs) for inputs, outputs in gen[1:]]
    for inputs, outputs in disc:
        shapes += [(2 * BATCH, inputs, outputs), (inputs, 2 * BATCH, outputs)]
        shapes += [(BATCH, inputs, outputs), (BATCH, outputs, inputs)]
    shapes += [(2 * BATCH, outputs, inputs) for inputs, outputs in disc[1:]]
    with fast_kernels(torch.device("cpu")):
        calls = [_fastest_product(*shape, dtype) for shape in shapes]

    def train(steps: int) -> None:
        with fast_kernels(torch.device("cpu")):
            for call in calls:
                for _ in range(steps):
                    call()

    return train


def products_bf16() -> TrainSteps:
    """Return the matrix products of a step alone in bfloat16."""
    return products(torch.bfloat16)


GEN_WIDTHS = [Z_DIM, HIDDEN, 2 * HIDDEN, 4 * HIDDEN, 8 * HIDDEN, PIXELS]
DISC_WIDTHS = [PIXELS, 4 * HIDDEN, 2 * HIDDEN, HIDDEN, 1]


def _fastest_product(rows: int, inner: int, columns: int, dtype: torch.dtype) -> Callable[[], Tensor]:
    """Return the product `(rows, inner) @ (inner, columns)` with its operands laid out for speed."""
    out = torch.empty(rows, columns, dtype=dtype)
    candidates = []
    for transpose_left in (False, True):
        for transpose_right in (False, True):
            left = torch.randn(inner, rows).to(dtype).t() if transpose_left else torch.randn(rows, inner).to(dtype)
            right = (
                torch.randn(columns, inner).to(dtype).t() if transpose_right else torch.randn(inner, columns).to(dtype)
            )
            candidates.append(lambda left=left, right=right: torch.mm(left, right, out=out))
    return min(candidates, key=_seconds)


def _seconds(call: Callable[[], Tensor]) -> float:
    times = []
    for _ in range(30):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2]


def main() -> None:
    """Train as `interleave.py` asks: for each line with a number of steps, print the seconds they took."""
    train = globals()[sys.argv[1]](*sys.argv[2:])
    for line in sys.stdin:
        started = time.perf_counter()
        train(int(line))
        print("seconds", time.perf_counter() - started, flush=True)
    if torch.cuda.is_initialized():
        print("cuda MiB", torch.cuda.max_memory_allocated() / 2**20, flush=True)


if __name__ == "__main__":
    main()
