"""From a request to the view it asks for."""

import math

from attrs import frozen

from ganfw.errors import InputError
from ganfw.play.parameters import MAX_SEED, Parameters, integer, number
from ganfw.play.runs import Model
from ganfw.play.views import Anchor, Coordinates, Grid, Nearest, Plane, View, Walk

MAX_IMAGES = 100
"""Images of a request at most."""
MAX_POINTS = 1000
"""Points of a request at most."""
MAX_VALUES = 1 << 24
"""Values of all samples of a request at most, 16 MiB as they are sent."""
MAX_CHANGES = 64
"""Coordinates that may be changed at once."""
MAX_TRUNCATION = 10.0
VIEWS = ("grid", "path", "plane", "map", "coordinates", "nearest")


@frozen
class Request:
    """A view of a checkpoint.

    Attributes:
        run: the number of the run, from 0.
        step: of the checkpoint; None for the newest.
        sampler: instead of the recipe's own, or `""`.
        view: what of it.
    """

    run: int
    step: int | None
    sampler: str
    view: View

    def check(self, model: Model) -> None:
        """Make sure that the page can draw what this asks for.

        Raises:
            InputError: it cannot.
        """
        shape = model.checkpoint.manifest.sample_shape
        if model.kind == "other":
            raise InputError(
                f"samples of shape {' x '.join(map(str, shape))} are neither images nor points in the plane, which is "
                "all that this page draws; ganfw sample RUN -o samples.npy writes them as numbers"
            )
        most = min(MAX_IMAGES if model.kind == "images" else MAX_POINTS, max(1, MAX_VALUES // math.prod(shape)))
        if self.view.count > most:
            raise InputError(f"at most {most} such samples are drawn at once")


def read_request(query: bytes, runs: int) -> Request:
    """Read the parameters of a request.

    Args:
        query: what stands behind the `?` of its address.
        runs: how many runs there are.

    Raises:
        InputError: a parameter is missing, unknown or out of range.
    """
    given = Parameters(query)
    kind = given.choice("view", VIEWS)
    run = given.integer("run", 0, runs - 1)
    step = given.optional_integer("step", 10**15)
    view = _view(kind, given)
    sampler = given.text("sampler") if kind in ("grid", "nearest") else ""
    given.finish()
    return Request(run, step, sampler, view)


def _view(kind: str, given: Parameters) -> View:
    truncation = given.optional_number("truncation", 0, MAX_TRUNCATION)
    label = given.optional_integer("class", 10**9)
    match kind:
        case "path":
            start, end = (_anchor(name, given.text(name)) for name in ("from", "to"))
            return Walk(start=start, end=end, truncation=truncation, label=label)
        case "plane" | "map":
            seed = given.integer("seed", 0, MAX_SEED)
            point = None if kind == "map" else (given.number("x", -1, 2), given.number("y", -1, 2))
            return Plane(seed=seed, point=point, truncation=truncation, label=label)
        case "coordinates":
            anchor, changes = _anchor("of", given.text("of")), _changes(given.text("changes"))
            return Coordinates(anchor=anchor, changes=changes, truncation=truncation, label=label)
    count = given.integer("count", 1, MAX_POINTS)
    grid = Grid(count=count, seed=given.integer("seed", 0, MAX_SEED), truncation=truncation, label=label)
    return grid if kind == "grid" else Nearest(grid=grid, number=given.integer("number", 0, count - 1))


def _anchor(name: str, word: str) -> Anchor:
    """Read `SEED-NUMBER-COUNT`."""
    parts = word.split("-")
    if len(parts) != 3:
        raise InputError(f"{name} must be SEED-NUMBER-COUNT, such as 0-3-25")
    count = integer(f"the count of {name}", parts[2], 1, MAX_POINTS)
    number = integer(f"the number of {name}", parts[1], 0, count - 1)
    return Anchor(seed=integer(f"the seed of {name}", parts[0], 0, MAX_SEED), number=number, count=count)


def _changes(text: str) -> dict[int, float]:
    """Read `INDEX:VALUE,INDEX:VALUE`."""
    words = text.split(",") if text else []
    if len(words) > MAX_CHANGES:
        raise InputError(f"at most {MAX_CHANGES} coordinates may be changed at once")
    changes = {}
    for word in words:
        index, _, value = word.partition(":")
        changes[integer("a coordinate", index, 0, 10**6)] = number("the value of a coordinate", value, -100, 100)
    return changes
