import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganfw import RunError
from ganfw.run.state import flatten_state, unflatten_state


def same(left: Any, right: Any) -> bool:
    """Whether two states are equal, types and bits of tensors included."""
    if isinstance(left, Tensor):
        return isinstance(right, Tensor) and left.dtype == right.dtype and torch.equal(left, right)
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right or (isinstance(left, float) and math.isnan(left) and math.isnan(right))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
tensors = st.lists(st.integers(-9, 9), max_size=3).map(torch.tensor)
states = st.recursive(
    scalars | tensors,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(alphabet="ab.$'", max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(states)
def test_put_together_undoes_take_apart(state: Any) -> None:
    import json

    tree, tensors = flatten_state(state)

    assert same(unflatten_state(json.loads(json.dumps(tree, allow_nan=False)), tensors), state)


def test_tensors_are_copies() -> None:
    weight = torch.ones(2)
    _, tensors = flatten_state({"weight": weight})
    weight.zero_()

    assert tensors["weight"].tolist() == [1, 1]


def test_names_of_a_network_stay_as_they_are() -> None:
    network = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.BatchNorm1d(1)))

    _, tensors = flatten_state(network.state_dict())

    assert list(tensors) == list(network.state_dict())


def test_state_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(RunError) as caught:
        flatten_state({"parts": [{"a": {1, 2}}]})
    assert str(caught.value) == "the state 'parts.0.a' is of type set, which a checkpoint cannot hold"


@pytest.mark.parametrize(
    "tree", [{"$tensor": "gone"}, {"$float": "1e3"}, {"$items": [[1]]}, {"$tuple": 3}, {"$call": "os.system"}]
)
def test_a_tree_that_take_apart_never_makes_is_refused(tree: Any) -> None:
    with pytest.raises(RunError) as caught:
        unflatten_state([tree], {})
    assert str(caught.value) == f"the saved state has an entry that cannot be read: {tree}"
