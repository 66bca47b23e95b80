"""What a recipe says of its results: `[expect.full]` and `[expect.quick]`, which `ganfw verify` checks."""

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge
from attrs import frozen

FORMS = ("full", "quick")
"""What a recipe may expect results of: the whole run, and the beginning of one, which takes seconds."""

Band = tuple[float, float]
"""The lowest and the highest value that is expected."""


@frozen(kw_only=True)
class MeasuredRuns:
    """The runs that bands were made from; the signature is the schema of `[expect.FORM]` but for `within`."""

    seeds: Annotated[list[Annotated[int, Ge(0)]], "of the runs; a run that is checked has another"]
    steps: Annotated[Annotated[int, Ge(1)] | None, "of each run; without it, all steps of the recipe"] = None
    samples: Annotated[int, Ge(0), "in the evaluation at the end; 0 for none"] = 10_000
    metrics: Annotated[list[str] | None, "names in [metrics] of those that are computed; without it, all"] = None
    seconds: Annotated[Annotated[float, Ge(0)] | None, "of training, the mean over the runs"] = None
    machine: Annotated[str, "where they ran"] = ""


@frozen
class Expectation:
    """The results that a recipe expects of one form.

    Attributes:
        runs: what the bands were made from.
        within: the band of each metric or loss at the end of a run, by its name: `"frechet_distance"`,
            `"loss/generator"`.
    """

    runs: MeasuredRuns
    within: Mapping[str, Band]
