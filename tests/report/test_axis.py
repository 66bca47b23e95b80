"""Axes at round numbers, and numbers as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganfw.report.axis import duration, round_axis, shown, with_deviation

numbers = st.floats(-1e100, 1e100).map(lambda value: value if abs(value) >= 1e-100 else 0.0)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.1, 0.95], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([81.0, 89.0], ["80", "82", "84", "86", "88", "90"]),
        ([0.0, 1.1], ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25"]),
        ([-2.0, 2.0], ["\N{MINUS SIGN}2", "\N{MINUS SIGN}1", "0", "1", "2"]),
        ([10.0, 10.0], ["0", "2", "4", "6", "8", "10"]),
        ([0.0, 90_000.0], ["0", "20,000", "40,000", "60,000", "80,000", "100,000"]),
    ],
)
def test_ticks_are_round(values: list[float], labels: list[str]) -> None:
    assert round_axis(values).labels() == labels


@given(st.lists(numbers, min_size=1, max_size=5), st.booleans())
def test_every_value_lies_on_its_axis(values: list[float], ends_at_data: bool) -> None:
    axis = round_axis(values, ends_at_data=ends_at_data)

    assert len(axis.labels()) == len(axis.ticks) <= 12
    for value in values:
        assert -1e-6 <= axis.share(value) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (0.0, "0"),
        (10.0, "10"),
        (312.4, "312.4"),
        (1234.56, "1,235"),
        (1709.5, "1,710"),
        (1200.4, "1,200"),
        (2.00004, "2"),
        (0.123456, "0.1235"),
        (0.5, "0.5"),
        (-0.00012, "\N{MINUS SIGN}0.00012"),
        (0.0000123, "1.230e\N{MINUS SIGN}05"),
        (12_345_678.0, "1.235e+07"),
    ],
)
def test_four_digits_are_shown(value: float | None, text: str) -> None:
    assert shown(value) == text


@given(numbers)
def test_what_is_shown_is_the_number_to_four_digits(value: float) -> None:
    read = float(shown(value).replace(",", "").replace("\N{MINUS SIGN}", "-"))

    assert math.isclose(read, value, rel_tol=5.1e-4)


def test_a_mean_has_the_decimals_of_its_deviation() -> None:
    assert with_deviation(84.7391, 2.338) == "84.7 ± 2.3"
    assert with_deviation(0.27221, 0.008338) == "0.2722 ± 0.0083"
    assert with_deviation(10.0, 0.0) == "10 ± 0"
    assert with_deviation(1.5, None) == "1.5"
    assert with_deviation(None, None) == "\N{EN DASH}"


def test_durations_have_two_units() -> None:
    assert [duration(seconds) for seconds in (1.24, 61, 3599.6, 7260)] == [
        "1.2 s",
        "1 min 1 s",
        "1 h 0 min",
        "2 h 1 min",
    ]
