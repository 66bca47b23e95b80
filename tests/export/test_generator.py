"""What can be exported is the generator that `ganfw sample` draws with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ganfw import InputError, Registry, open_checkpoint
from ganfw.export.generator import TrainedGenerator, open_generator

MakeRun = Callable[..., Path]
Open = Callable[..., TrainedGenerator]


def test_its_first_samples_are_those_of_ganfw_sample(opened: Open) -> None:
    trained = opened()

    expected = trained.source.sample(25, seed=trained.manifest.seed)

    torch.testing.assert_close(trained(*trained.inputs()), expected, rtol=0, atol=1e-6)


def test_averaged_weights_are_exported_where_there_are_any(opened: Open, exported_registry: Registry) -> None:
    trained = opened(averaging={"generator": {"use": "ema", "decay": 0.5}}, run={"max_steps": 3})
    checkpoint = trained.checkpoint

    assert trained.averaged
    weights = trained.network.state_dict()
    saved = checkpoint.part_state("generator")
    assert not torch.equal(weights["0.0.weight"], saved["0.0.weight"])
    assert torch.equal(
        weights["0.0.weight"], checkpoint.source(exported_registry, "cpu").networks["generator"][0][0].weight
    )


def test_a_sampler_stays_behind(opened: Open) -> None:
    trained = opened(sampler={"use": "zeros"})

    assert trained.command == "ganfw sample --set sampler.enabled=false"
    assert trained.source.sampler is None
    assert trained(*trained.inputs()).any()


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        (
            {"generator": {"use": "of_images"}, "data": {"use": "with_images"}},
            "its generator asks for 'clean' besides noise; it must ask for nothing but classes to be exported",
        ),
        (
            {"generator": {"use": "restless"}},
            "its generator draws random numbers itself; it must give the same samples for the same noise, so that "
            "its export can be compared with it",
        ),
    ],
)
def test_what_cannot_be_exported_is_refused(
    make_run: MakeRun, exported_registry: Registry, tables: dict[str, Any], reason: str
) -> None:
    checkpoint = open_checkpoint(make_run(**tables))

    with pytest.raises(InputError) as caught:
        open_generator(checkpoint, exported_registry)
    assert str(caught.value) == f"{checkpoint.path}: cannot be exported: {reason}"
