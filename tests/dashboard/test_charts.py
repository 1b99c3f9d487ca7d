"""Charts: from plain numbers to shapes."""

from itertools import pairwise

import pytest

from dashboard.charts import HEIGHT, LINES, OTHER, WIDTH, Series, nice_maximum, stacked_bars

ONES = [(0, 4), (1, 4), (4, 4), (5, 8), (8, 8), (9, 12), (45, 60), (203, 240), (1001, 1200)]
TENTHS = [(0, 400), (401, 800), (203_400, 240_000)]


@pytest.mark.parametrize(
    ("unit", "highest", "end"), [*((1, *one) for one in ONES), *((100, *tenth) for tenth in TENTHS)]
)
def test_a_scale_ends_at_a_round_number_that_its_lines_divide(unit: int, highest: int, end: int) -> None:
    assert nice_maximum(highest, unit) == end
    assert end % (LINES * unit) == 0


def test_what_is_shown_fits_and_is_not_lost_in_an_empty_chart() -> None:
    for highest in range(1, 5000):
        assert highest <= nice_maximum(highest) <= max(LINES, 2 * highest)


def test_bars_are_stacked_from_the_bottom_the_largest_series_first() -> None:
    chart = stacked_bars(["Mon", "Tue"], [Series("small", [1, 0]), Series("large", [2, 3])])

    assert [entry.name for entry in chart.legend] == ["large", "small"]
    assert chart.scale == ["4", "3", "2", "1", "0"]
    monday, tuesday = chart.bars
    large, small = monday.segments
    assert (float(large.height), float(large.y)) == (HEIGHT / 2, HEIGHT / 2)
    assert (float(small.height), float(small.y)) == (HEIGHT / 4, HEIGHT / 4)
    assert len(tuesday.segments) == 1
    assert large.fill == tuesday.segments[0].fill != small.fill


def test_a_bar_says_what_it_shows() -> None:
    chart = stacked_bars(["Mon", "Tue"], [Series("a", [2000, 0]), Series("b", [500, 0])], lambda amount: f"{amount} m")
    assert [bar.title for bar in chart.bars] == ["Mon\na: 2000 m\nb: 500 m\nTotal: 2500 m", "Tue\nnothing"]


def test_the_table_has_the_numbers_the_last_step_first_and_no_empty_line() -> None:
    chart = stacked_bars(["Mon", "Tue", "Wed"], [Series("a", [1, 0, 3]), Series("b", [1, 0, 0])])
    assert [(row.label, row.values, row.total) for row in chart.rows] == [
        ("Wed", ["3", "0"], "3"),
        ("Mon", ["1", "1"], "2"),
    ]


def test_from_the_sixth_series_on_they_are_one() -> None:
    chart = stacked_bars(["Mon"], [Series(f"model {at}", [at]) for at in range(1, 9)])
    assert [entry.name for entry in chart.legend] == ["model 8", "model 7", "model 6", "model 5", "model 4", OTHER]
    assert chart.legend[-1].total == "6"
    assert len({entry.swatch for entry in chart.legend}) == 6


def test_bars_stand_beside_each_other_within_the_picture() -> None:
    for count in (1, 24, 366):
        bars = stacked_bars([str(at) for at in range(count)], [Series("a", [1] * count)]).bars
        edges = [(float(bar.x), float(bar.x) + float(bar.width)) for bar in bars]
        assert edges[0][0] >= 0
        assert edges[-1][1] <= WIDTH
        assert all(left[1] < right[0] for left, right in pairwise(edges))


def test_nothing_is_an_empty_chart() -> None:
    assert stacked_bars(["Mon"], [Series("a", [0])]).is_empty
    assert stacked_bars(["Mon"], []).is_empty
