"""Which settings matter is found where it was planted, and drawn where it is."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from ganfw.report.axis import DASH
from ganfw.report.chart import BASE, LEFT, RIGHT, TOP, WIDTH
from ganfw.sweep.effects import GAP, Outcome, effects, is_number, parallel, rank_share


def outcomes(count: int = 60) -> list[Outcome]:
    """Return settings whose result follows from `lr` and, where they have one, from `penalty.weight`."""
    draw = random.Random(0)
    found = []
    for number in range(count):
        lr = 10 ** draw.uniform(-5, -2)
        values = {
            "lr": lr,
            "loss.use": draw.choice(["ganfw:bce", "ganfw:hinge"]),
            "penalty.use": ["ganfw:r1", None][number % 2],
            "penalty.weight": [10 ** draw.uniform(-1, 2), None][number % 2],
            "penalty.every_steps": [1, None][number % 2],
            "same": 3,
        }
        found.append(Outcome(f"{number}", values, 5 + 20 * abs(math.log10(lr) + 3.5) + draw.random()))
    return found


def eps_squared(groups: Sequence[Sequence[float]]) -> float:
    """Compute the share in another way: by mean squares within and between groups of ranks."""
    ranks = iter(rankdata([value for group in groups for value in group]))
    ranked = [[next(ranks) for _ in group] for group in groups]
    everything = [rank for group in ranked for rank in group]
    mean, n, k = sum(everything) / len(everything), len(everything), len(groups)
    within = sum((rank - sum(group) / len(group)) ** 2 for group in ranked for rank in group)
    total = sum((rank - mean) ** 2 for rank in everything)
    return max(0.0, (total - within - (k - 1) * within / (n - k)) / total)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=2, max_size=5))
def test_the_share_of_ranks_is_epsilon_squared(groups: list[list[float]]) -> None:
    values = [value for group in groups for value in group]
    if len(values) <= len(groups) or len(set(values)) == 1:
        assert rank_share(groups) is None
    else:
        assert rank_share(groups) == pytest.approx(eps_squared(groups), abs=1e-12)


def test_a_share_is_1_of_what_decides_and_0_of_what_does_not() -> None:
    assert rank_share([[1, 2, 3], [101, 102, 103]]) == pytest.approx(12.5 / 17.5)
    assert rank_share([[1, 1, 1], [2, 2, 2]]) == 1
    assert rank_share([[1, 4], [2, 3]]) == 0


def test_the_setting_that_matters_comes_first_and_what_does_not_vary_is_left_out() -> None:
    found = effects(outcomes(), ["loss.use", "same", "penalty.every_steps", "penalty.weight", "penalty.use", "lr"])

    assert found[0].key == "lr"
    assert {effect.key for effect in found} == {"lr", "loss.use", "penalty.use", "penalty.weight"}
    shares = {effect.key: effect.share for effect in found}
    assert (shares["lr"] or 0) > 0.6
    assert (shares["loss.use"] or 0) < 0.1


def test_dots_and_medians_are_where_the_numbers_are() -> None:
    given = outcomes()
    effect = next(each for each in effects(given, ["lr"]))

    assert len(effect.dots) == len(given)
    assert len(effect.levels) == 4
    ordered = sorted(given, key=lambda each: float(each.values["lr"]))  # type: ignore[arg-type]
    low, high = (float(ordered[end].values["lr"]) for end in (0, -1))  # type: ignore[arg-type]
    for (across, up, text), outcome in zip(effect.dots, ordered, strict=True):
        share = math.log(float(outcome.values["lr"]) / low) / math.log(high / low)  # type: ignore[arg-type]
        assert across == pytest.approx(LEFT + share * (WIDTH - LEFT - RIGHT), abs=0.06)
        assert TOP <= up <= BASE
        assert text == f"{outcome.label}: {outcome.result:,.4g}"
    assert effect.levels[0][0] == LEFT
    heights = sorted(effect.dots[:15], key=lambda dot: dot[1])
    assert effect.levels[0][2] == pytest.approx(heights[7][1], abs=0.06)


def test_values_that_are_few_stand_side_by_side_numbers_in_order_and_lacking_ones_last() -> None:
    given = [Outcome(str(n), {"k": [2, None, 1][n % 3]}, float(n + 1)) for n in range(9)]

    (effect,) = effects(given, ["k"])

    assert [text for _, text, _ in effect.x_ticks] == ["1", "2", DASH]
    assert [text for *_, text in effect.levels] == ["median 6 of 3", "median 4 of 3", "median 5 of 3"]
    assert not is_number(given, "k")


def test_lines_go_through_every_axis_the_best_in_colour() -> None:
    given = outcomes(12)
    keys = ["loss.use", "penalty.weight", "lr", "penalty.use"]

    chart = parallel(given, keys, "Fréchet distance", higher=False)

    assert chart is not None
    assert [axis.name for axis in chart.axes] == ["loss", "weight", "lr", "penalty", "Fréchet distance"]
    assert len(chart.paths) == 12
    assert sum(best for _, best, _ in chart.paths) == 3
    best = min(given, key=lambda each: each.result)
    path = next(path for path, _, text in chart.paths if text == best.hint)
    places = [tuple(map(float, point.split())) for point in path[1:].split("L")]
    assert [across for across, _ in places] == [axis.across for axis in chart.axes]
    ends = [float(path.rpartition(" ")[2]) for path, _, _ in chart.paths]
    assert places[-1][1] == min(ends)  # better is higher
    assert sum(f"{BASE + GAP:g}" in path for path, _, _ in chart.paths) == 6  # those without a weight
    assert parallel(given, ["same"], "x", higher=False) is None
