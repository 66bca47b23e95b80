import random

import numpy as np
import pytest
import torch

from ganfw.engine.random_streams import (
    derive_seed,
    global_state,
    own_randomness,
    seed_global,
    seeded_generator,
    set_global_state,
)
from ganfw.run.state import flatten_state, unflatten_state


def draw_all() -> tuple[float, float, float]:
    return float(torch.rand(())), random.random(), float(np.random.rand())


def test_streams_of_other_names_or_seeds_differ_and_are_in_range() -> None:
    seeds = {derive_seed(seed, *names) for seed in range(50) for names in ((), ("a",), ("b",), ("a", 1), ("a", 11))}

    assert len(seeds) == 250
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_stream_is_a_function_of_seed_and_name(device: torch.device) -> None:
    first, again = (torch.rand(4, generator=seeded_generator(device, 3, "x"), device=device) for _ in range(2))

    assert torch.equal(first, again)


def test_global_state_brings_back_torch_python_and_numpy(device: torch.device) -> None:
    state = global_state(device)
    first = draw_all()
    set_global_state(state, device)

    assert draw_all() == first


def test_global_state_survives_a_checkpoint(device: torch.device) -> None:
    np.random.standard_normal()  # leaves a second value waiting in NumPy's state
    state = global_state(device)
    first = (*draw_all(), np.random.standard_normal())
    set_global_state(unflatten_state(*flatten_state(state)), device)

    assert (*draw_all(), np.random.standard_normal()) == first


def test_seed_global_makes_all_three_repeat(device: torch.device) -> None:
    with own_randomness(0):
        seed_global(2**62 + 5, device)
        first = draw_all()
        seed_global(2**62 + 5, device)
        assert draw_all() == first


def test_own_randomness_leaves_the_outside_as_it_was(device: torch.device) -> None:
    state = global_state(device)
    expected = draw_all()
    set_global_state(state, device)
    inside = []
    for _ in range(2):
        with own_randomness(7):
            inside.append(draw_all())

    assert draw_all() == expected
    assert inside[0] == inside[1]


@pytest.mark.parametrize("position", [-1, 625, 10**9])
def test_a_position_beyond_the_numbers_of_numpy_is_refused(device: torch.device, position: int) -> None:
    state = global_state(device)
    state["numpy"]["state"]["pos"] = position

    with own_randomness(0), pytest.raises(ValueError, match=f"NumPy's generator has no position {position}"):
        set_global_state(state, device)
