"""Requests are read strictly: each mistake is one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganfw import InputError
from ganfw.play.parameters import MAX_QUERY_BYTES
from ganfw.play.requests import read_request
from ganfw.play.views import Anchor, Coordinates, Grid, Nearest, Plane, Walk

GRID = "view=grid&run=0&count=9&seed=3"


def test_each_view_is_read() -> None:
    views = {
        f"{GRID}&truncation=0.5&class=2": Grid(count=9, seed=3, truncation=0.5, label=2),
        "view=nearest&run=1&count=9&seed=3&number=8": Nearest(grid=Grid(count=9, seed=3), number=8),
        "view=path&run=0&from=5-0-2&to=6-1-9": Walk(
            start=Anchor(seed=5, number=0, count=2), end=Anchor(seed=6, number=1, count=9)
        ),
        "view=map&run=0&seed=4": Plane(seed=4),
        "view=plane&run=0&seed=4&x=0.25&y=-0.1": Plane(seed=4, point=(0.25, -0.1)),
        "view=coordinates&run=0&of=1-2-3&changes=0:1.5,7:-2": Coordinates(
            anchor=Anchor(seed=1, number=2, count=3), changes={0: 1.5, 7: -2.0}
        ),
    }
    for query, view in views.items():
        assert read_request(query.encode(), 2).view == view


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "view must be one of grid, path, plane, map, coordinates, nearest"),
        ("view", "the request must be at most 16 pairs name=value"),
        ("&".join(["a=1"] * 17), "the request must be at most 16 pairs name=value"),
        ("view=grid&run=0&count=9&seed=%FF", "the request must be at most 16 pairs name=value"),
        (f"{GRID}&seed=4", "the request must name each parameter once"),
        (f"{GRID}&truncaton=1", "unknown parameter 'truncaton'; did you mean 'truncation'?"),
        (
            "view=map&run=0&seed=1&count=4",
            "unknown parameter 'count'; there are view, run, step, truncation, class, seed",
        ),
        ("view=grid&run=2&count=9&seed=3", "run must be an integer from 0 to 1"),
        ("view=grid&run=0&count=0&seed=3", "count must be an integer from 1 to 1000"),
        ("view=grid&run=0&count=9&seed=-1", "seed must be an integer from 0 to 9007199254740991"),
        ("view=grid&run=0&count=9&seed=%D9%A3", "seed must be an integer from 0 to 9007199254740991"),
        (f"{GRID}&truncation=nan", "truncation must be a number from 0 to 10"),
        (f"{GRID}&truncation=1e9", "truncation must be a number from 0 to 10"),
        ("view=nearest&run=0&count=9&seed=3&number=9", "number must be an integer from 0 to 8"),
        ("view=path&run=0&from=1-2&to=0-0-1", "from must be SEED-NUMBER-COUNT, such as 0-3-25"),
        ("view=path&run=0&from=0-2-2&to=0-0-1", "the number of from must be an integer from 0 to 1"),
        ("view=plane&run=0&seed=1&x=0.5&y=3", "y must be a number from -1 to 2"),
        ("view=coordinates&run=0&of=0-0-1&changes=x:1", "a coordinate must be an integer from 0 to 1000000"),
        ("view=coordinates&run=0&of=0-0-1&changes=1:", "the value of a coordinate must be a number from -100 to 100"),
        (
            "view=coordinates&run=0&of=0-0-1&changes=" + ",".join(f"{index}:0" for index in range(65)),
            "at most 64 coordinates may be changed at once",
        ),
        ("x" * (MAX_QUERY_BYTES + 1), "the request must be at most 4096 bytes long"),
    ],
)
def test_a_mistake_is_a_sentence(query: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read_request(query.encode(), 2)

    assert str(caught.value) == sentence


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_a_sentence(query: bytes) -> None:
    with pytest.raises(InputError):
        read_request(query, 2)
