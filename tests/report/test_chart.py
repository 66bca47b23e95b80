"""The geometry of charts."""

import re

from ganfw.report.chart import BASE, LEFT, MOST_POINTS, RIGHT, TOP, WIDTH, Line, line_chart


def test_a_curve_goes_from_corner_to_corner() -> None:
    chart = line_chart("loss", [Line("a", ((0, 0.0, None), (50, 1.0, None), (100, 2.0, None)))])

    assert chart is not None
    middle = (LEFT + WIDTH - RIGHT) / 2
    assert chart.lines[0].path == f"M{LEFT} {BASE}L{middle:g} {(BASE + TOP) / 2:g}L{WIDTH - RIGHT} {TOP}"
    assert [text for _, text in chart.x_ticks] == ["0", "20", "40", "60", "80", "100"]
    assert chart.summary == "a: 0 at step 0, 2 at step 100, between 0 and 2"


def test_a_missing_value_is_a_gap() -> None:
    chart = line_chart("loss", [Line("a", ((0, 0.0, None), (1, None, None), (2, 2.0, None), (3, 1.0, None)))])

    assert chart is not None
    assert re.sub(r"[\d. ]+", "", chart.lines[0].path) == "MML"


def test_a_spread_is_a_band_on_both_sides() -> None:
    chart = line_chart("loss", [Line("a", ((0, 1.0, 1.0), (1, 1.0, 1.0)))])

    assert chart is not None
    left, right = LEFT, WIDTH - RIGHT
    assert chart.lines[0].band == f"M{left} {TOP}L{right} {TOP}L{right} {BASE}L{left} {BASE}Z"
    assert chart.lines[0].hints[0][2] == "a, step 0: 1.0 ± 1.0"


def test_a_long_curve_is_drawn_by_means_of_stretches() -> None:
    points = tuple((step, float(step % 2), None) for step in range(10 * MOST_POINTS))
    chart = line_chart("loss", [Line("a", points)])

    assert chart is not None
    assert chart.lines[0].path.count("L") == MOST_POINTS - 1
    assert chart.summary == "a: 0.5 at step 9, 0.5 at step 2,999, between 0.5 and 0.5"


def test_lines_differ_in_more_than_colour() -> None:
    lines = [Line(str(style), ((0, 1.0, None), (1, 2.0, None)), style) for style in range(8)]
    chart = line_chart("loss", lines)

    assert chart is not None
    assert [line.style for line in chart.lines] == list(range(8))


def test_nothing_to_draw_is_no_chart() -> None:
    assert line_chart("loss", [Line("a", ((0, None, None),))]) is None
