"""Charts of plain numbers: stacked bars, as shapes for `parts/chart.html` to write as SVG.

No script draws them, and their colours are classes, so that they follow the theme and print. The numbers stand in a
table below each, for whoever cannot see it or wants them exactly.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

# The picture's own measures; it is stretched to the page's.
WIDTH, HEIGHT = 1200.0, 240.0
# Of a step's width, what its bar takes; and the widest that it may be.
FILLED = 0.72
WIDEST = 64.0
LINES = 4
# The numbers at which lines may stand, but for zeros at their end; in tenths.
ROUND = (10, 15, 20, 25, 30, 40, 50, 60, 80)
FILLS = ("fill-chart-1", "fill-chart-2", "fill-chart-3", "fill-chart-4", "fill-chart-5", "fill-chart-6")
SWATCHES = ("bg-chart-1", "bg-chart-2", "bg-chart-3", "bg-chart-4", "bg-chart-5", "bg-chart-6")
# Those without a colour of their own are added up, in the last colour.
MOST_SERIES = len(FILLS) - 1
OTHER = "Other"


class Series(Struct, frozen=True):
    """What is stacked: a value, not negative, for each step. `colour` counts from 0; None: whatever comes next."""

    name: str
    values: Sequence[int]
    colour: int | None = None

    @property
    def total(self) -> int:
        return sum(self.values)


class Segment(Struct, frozen=True):
    """A piece of a bar; numbers as SVG takes them."""

    y: str
    height: str
    fill: str


class Bar(Struct, frozen=True):
    """One step. `title` is what a pointer over it is told; the hit area is as high as the chart."""

    x: str
    width: str
    hit_x: str
    hit_width: str
    title: str
    segments: list[Segment]


class LegendEntry(Struct, frozen=True):
    name: str
    swatch: str
    total: str


class Row(Struct, frozen=True):
    """A line of the table: a step, its value in each series, and their sum."""

    label: str
    values: list[str]
    total: str


class Chart(Struct, frozen=True):
    """`scale` are the values at the lines, from the top; `lines` their heights; `labels` some of the steps' names."""

    bars: list[Bar]
    scale: list[str]
    lines: list[str]
    labels: list[str]
    legend: list[LegendEntry]
    rows: list[Row]
    width: str = f"{WIDTH:g}"
    height: str = f"{HEIGHT:g}"

    @property
    def is_empty(self) -> bool:
        return not self.legend


def stacked_bars(
    steps: Sequence[str], series: Sequence[Series], text: Callable[[int], str] = str, unit: int = 1
) -> Chart:
    """A bar for each of `steps`. The largest series lie at the bottom; the sixth and all after it are one, "Other".

    `text` writes a value; `unit` is the least that is worth a line of the scale.
    """
    shown = _largest(series)
    sums = [sum(one.values[at] for one in shown) for at in range(len(steps))]
    top = nice_maximum(max(sums, default=0), unit)
    fills = [_colour(FILLS, one, at) for at, one in enumerate(shown)]
    rows = [
        Row(step, [text(one.values[at]) for one in shown], text(sums[at])) for at, step in enumerate(steps) if sums[at]
    ]
    return Chart(
        bars=[
            _bar(at, step=step, steps=steps, series=shown, fills=fills, top=top, text=text)
            for at, step in enumerate(steps)
        ],
        scale=[text(top * line // LINES) for line in range(LINES, -1, -1)],
        lines=[_number(HEIGHT * line / LINES) for line in range(LINES + 1)],
        labels=_some(steps),
        legend=[LegendEntry(one.name, _colour(SWATCHES, one, at), text(one.total)) for at, one in enumerate(shown)],
        rows=rows[::-1],
    )


def nice_maximum(highest: int, unit: int = 1) -> int:
    """The end of a scale that `highest` fits on, such that its four lines stand at round numbers of units."""
    units = max(1, -(-highest // unit))
    magnitude = 1
    while True:
        for digits in ROUND:
            # 15 is no round number among ones: one and a half.
            line, rest = divmod(digits * magnitude, 10)
            if not rest and LINES * line >= units:
                return LINES * line * unit
        magnitude *= 10


def _largest(series: Sequence[Series]) -> list[Series]:
    ranked = sorted((one for one in series if one.total), key=lambda one: one.total, reverse=True)
    if len(ranked) <= MOST_SERIES:
        return ranked
    # Beside one colour for all others there is none left for the one that comes next.
    others = [sum(values) for values in zip(*(one.values for one in ranked[MOST_SERIES:]), strict=True)]
    return [*ranked[:MOST_SERIES], Series(OTHER, others, colour=MOST_SERIES)]


def _colour(colours: Sequence[str], series: Series, at: int) -> str:
    return colours[at if series.colour is None else series.colour]


def _bar(
    at: int,
    *,
    step: str,
    steps: Sequence[str],
    series: Sequence[Series],
    fills: Sequence[str],
    top: int,
    text: Callable[[int], str],
) -> Bar:
    room = WIDTH / len(steps)
    width = min(room * FILLED, WIDEST)
    segments, told, below = [], [], 0
    for one, fill in zip(series, fills, strict=True):
        value = one.values[at]
        if not value:
            continue
        height = HEIGHT * value / top
        below += value
        segments.append(Segment(_number(HEIGHT - HEIGHT * below / top), _number(height), fill))
        told.append(f"{one.name}: {text(value)}")
    if len(told) > 1:
        told.append(f"Total: {text(below)}")
    return Bar(
        x=_number(at * room + (room - width) / 2),
        width=_number(width),
        hit_x=_number(at * room),
        hit_width=_number(room),
        title="\n".join((step, *told)) if told else f"{step}\nnothing",
        segments=segments,
    )


def _some(steps: Sequence[str]) -> list[str]:
    """First, middle and last: what fits below a chart on a telephone, too."""
    if len(steps) < 3:
        return list(steps)
    return [steps[0], steps[(len(steps) - 1) // 2], steps[-1]]


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
