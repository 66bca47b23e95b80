"""pix2pix and CycleGAN: losses written out in plain PyTorch, the pool of fakes, and pairs made from MNIST."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import grey_dilation
from small_recipes import small
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.nn.functional import binary_cross_entropy_with_logits as entropy

import ganfw
from ganfw import Batch, InputError, RowRandom
from ganfw.testing import check_exact_resume
from ganfw_algorithms.cyclegan import CycleGAN, ImagePool
from ganfw_algorithms.pairs import outline_of, outlines
from ganfw_algorithms.pix2pix import Pix2Pix
from ganfw_algorithms.translators import MultiScalePatches, PairPatchDiscriminator, PatchDiscriminator, Translator

SHAPE = (1, 8, 8)
RANDOM = RowRandom(torch.Generator(), 3)


def images(seed: int) -> Tensor:
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(seed))


def batch() -> Batch:
    return Batch(images(0), more={"target": images(1)})


def networks(seed: int, *kinds: type[nn.Module]) -> list[nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return [kind(SHAPE, channels=2) for kind in kinds]


def loss(registry: ganfw.Registry, name: str) -> ganfw.Loss:
    found: ganfw.Loss = registry.load("loss", name)()
    return found


def test_pix2pix_minimises_what_plain_pytorch_computes(registry: ganfw.Registry) -> None:
    generator, discriminator = networks(0, Translator, PairPatchDiscriminator)
    step = Pix2Pix(generator, discriminator, loss(registry, "ganfw:bce"), l1_weight=7.0, adversarial_weight=0.5)
    source, target = batch().samples, batch().more["target"]

    fake = generator(source)
    judged = [discriminator.layers(2 * torch.cat([each, source], dim=1) - 1) for each in (target, fake)]
    ones, zeros = torch.ones_like(judged[0]), torch.zeros_like(judged[0])
    expected = (entropy(judged[0], ones) + entropy(judged[1], zeros)) / 2
    torch.testing.assert_close(step.discriminator_loss(batch(), RANDOM), expected)
    expected = 0.5 * entropy(judged[1], ones) + 7 * (fake - target).abs().mean()
    torch.testing.assert_close(step.generator_loss(batch(), RANDOM)[0], expected)


@pytest.mark.parametrize("name", ["bce", "lsgan", "hinge"])
def test_losses_of_several_scales_are_the_mean_of_the_losses_of_each(registry: ganfw.Registry, name: str) -> None:
    torch.manual_seed(0)
    discriminator, criterion = MultiScalePatches((1, 16, 16), channels=2, scales=3), loss(registry, f"ganfw:{name}")
    real, fake, source = torch.rand(3, 5, 1, 16, 16)

    def at_each_scale(images: Tensor) -> list[Tensor]:
        both, found = 2 * torch.cat([images, source], dim=1) - 1, []
        for layers in discriminator.scales:
            found.append(layers(both))
            sums = 9 * avg_pool2d(both, 3, stride=2, padding=1)
            both = sums / (9 * avg_pool2d(torch.ones_like(both), 3, stride=2, padding=1))
        assert [each.shape[2:] for each in found] == [(4, 4), (2, 2), (1, 1)]
        return found

    logits = discriminator(real, source), discriminator(fake, source)
    apart = [at_each_scale(each) for each in (real, fake)]

    assert logits[0].shape == (5, 1, 3, 4, 4)
    expected = torch.stack([criterion.discriminator(*each) for each in zip(*apart, strict=True)]).mean()
    torch.testing.assert_close(criterion.discriminator(*logits), expected)
    expected = torch.stack([criterion.generator(each) for each in apart[1]]).mean()
    torch.testing.assert_close(criterion.generator(logits[1]), expected)


def test_a_coarser_scale_sees_more_of_the_image() -> None:
    torch.manual_seed(0)
    discriminator, source = MultiScalePatches((1, 64, 64), channels=2), torch.zeros(1, 1, 64, 64)
    image = torch.rand(1, 1, 64, 64, requires_grad=True)
    logits = discriminator(image, source)[0, 0, :, 8, 8]
    seen = [torch.autograd.grad(each, image, retain_graph=True)[0][0, 0] for each in logits]
    assert [int(each.any(0).sum()) for each in seen] == [18, 37]  # 18 means of three pixels that overlap by one


def test_an_image_too_small_for_the_scales_is_refused() -> None:
    with pytest.raises(InputError, match=r"samples of shape \(1, 8, 8\) are too small for 3 scales; lower scales"):
        MultiScalePatches((1, 8, 8), scales=3)


@pytest.mark.parametrize("identity", [0.0, 0.5])
def test_cyclegan_minimises_what_plain_pytorch_computes(registry: ganfw.Registry, identity: float) -> None:
    there, back, of_target, of_source = networks(0, Translator, Translator, PatchDiscriminator, PatchDiscriminator)
    lsgan = loss(registry, "ganfw:lsgan")
    device = torch.device("cpu")
    step = CycleGAN(
        there, back, of_target, of_source, lsgan, device, cycle_weight=3.0, identity_weight=identity, pool=0
    )
    x, y = batch().samples, batch().more["target"]

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().mean()

    half = lsgan.generator(torch.zeros(1, 1)).item()  # of a squared distance of 1
    deceive = sum((each - 1).square().mean() * half for each in (of_target(there(x)), of_source(back(y))))
    cycle = distance(back(there(x)), x) + distance(there(back(y)), y)
    kept = distance(there(y), y) + distance(back(x), x)
    found, terms = step.generator_loss(batch(), RANDOM)
    torch.testing.assert_close(found, deceive + 3 * (cycle + identity * kept))
    assert set(terms) == ({"cycle", "identity"} if identity else {"cycle"})
    fakes = step.draw_fakes(batch(), torch.Generator())
    told = lsgan.discriminator(of_target(y), of_target(there(x))) + lsgan.discriminator(
        of_source(x), of_source(back(y))
    )
    torch.testing.assert_close(step.discriminator_loss(batch(), RANDOM, *fakes), told / 2)


def test_pool_gives_back_older_fakes_for_half_of_the_new_ones() -> None:
    pool, random = ImagePool(50), torch.Generator().manual_seed(0)
    first = pool.exchange(torch.zeros(50, 1), random)
    assert torch.equal(first, torch.zeros(50, 1))

    older = [int((pool.exchange(torch.full((10, 1), float(turn)), random) != turn).sum()) for turn in range(1, 101)]

    # A new fake comes back for an old one half of the time, but that may be one of the same batch.
    assert sum(older) / 1000 == pytest.approx(0.5 * (1 - 4.5 * 0.5 / 50), abs=0.05)
    assert len(pool.images) == 50


def test_pool_keeps_its_images_in_its_state() -> None:
    pool, other = ImagePool(4), ImagePool(4)
    pool.exchange(torch.rand(6, 2), torch.Generator().manual_seed(1))
    other.load_state_dict(pool.state_dict())
    fakes = torch.rand(5, 2)
    given = [each.exchange(fakes, torch.Generator().manual_seed(2)) for each in (pool, other)]
    assert torch.equal(*given)


def test_a_pool_that_is_full_is_resumed(registry: ganfw.Registry, tmp_path: Path) -> None:
    recipe = small("mnist_cyclegan", registry, "step.pool=5", "step.identity_weight=0.5")
    check_exact_resume(recipe, registry, tmp_path, stop_at=3, steps=6)


def test_outline_is_what_dilation_adds() -> None:
    digits = ganfw.discover().load("data", "ganfw:mnist")(split="test").samples[:20]
    grown = np.stack([grey_dilation(image[0].numpy(), size=(3, 3)) for image in digits])
    assert np.array_equal(outline_of(digits)[:, 0].numpy(), grown - digits[:, 0].numpy())


def test_targets_belong_to_their_outlines_only_where_they_are_paired() -> None:
    paired, apart, held_out = outlines(), outlines(paired=False), outlines(split="test", paired=False)
    assert (len(paired), len(apart), len(held_out)) == (60_000, 30_000, 10_000)
    for data in (paired, held_out):
        assert torch.equal(outline_of(data.more["target"][:100]), data.samples[:100])
    assert torch.equal(apart.samples[:50], paired.samples[:100:2])
    assert torch.equal(apart.more["target"][:50], paired.more["target"][1:100:2])


def test_error_is_that_of_translations_in_shares_of_the_inputs_own(registry: ganfw.Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(small("mnist_cyclegan", registry), registry))
    ganfw.train(experiment, directory=tmp_path, steps=3)

    found = json.loads((tmp_path / "translation_error.json").read_text())[-1]

    data = outlines(split="test")
    source, target = data.samples[:20] / 255, data.more["target"][:20] / 255
    with torch.no_grad():
        error = float((experiment.networks["back"](target) - source).abs().mean())
    identity = float((source - target).abs().mean())
    assert found["identity"] == pytest.approx(identity, abs=1e-4)
    assert found["back_translation"] == pytest.approx(error, abs=1e-4)
    assert found["back_ratio"] == pytest.approx(error / identity, abs=1e-4)
