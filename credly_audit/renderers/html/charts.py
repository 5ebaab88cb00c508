"""Bars from zero, with their labels beside them: where each stands in a drawing, for the template to draw."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

WIDTH = 480
ROW, THICK, LABEL, ROOM = 30, 18, 168, 52
"""Of lying bars: height of a row and of its bar, width for its label and for its number."""

TALL, ABOVE, BELOW = 150, 22, 26
"""Of standing bars: height of the highest, room for its number and for its label."""

LEAST = 2.0
"""A bar that stands for something can be seen."""


@dataclass(frozen=True, slots=True)
class Datum:
    """What a bar stands for; `tone` names its colour, `note` says in the table what the colour says."""

    label: str
    value: float
    tone: str = "plain"
    note: str = ""
    short: str = ""
    """The label where it has little room; empty: the label itself."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in its drawing."""

    datum: Datum
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing; its title says what is found. `lying`: bars go from left to right."""

    title: str
    unit: str
    bars: tuple[Bar, ...]
    height: int
    lying: bool
    width: int = WIDTH
    label: int = LABEL
    base: int = ABOVE + TALL

    @property
    def noted(self) -> bool:
        """Whether its table has a column of notes."""
        return any(bar.datum.note for bar in self.bars)


def lying(title: str, unit: str, data: Iterable[Datum]) -> Chart:
    """Bars below each other, for words as labels."""
    data = list(data)
    most = max((datum.value for datum in data), default=0)
    bars = tuple(
        Bar(datum, LABEL, number * ROW + (ROW - THICK) / 2, _share(datum.value, most, WIDTH - LABEL - ROOM), THICK)
        for number, datum in enumerate(data)
    )
    return Chart(title, unit, bars, len(data) * ROW, lying=True)


def standing(title: str, unit: str, data: Iterable[Datum]) -> Chart:
    """Bars beside each other, for what follows in time."""
    data = list(data)
    most = max((datum.value for datum in data), default=0)
    step = WIDTH / max(len(data), 6)
    bars = []
    for number, datum in enumerate(data):
        height = _share(datum.value, most, TALL)
        bars.append(
            Bar(datum, round(number * step + step * 0.15, 1), ABOVE + TALL - height, round(step * 0.7, 1), height)
        )
    return Chart(title, unit, tuple(bars), ABOVE + TALL + BELOW, lying=False)


def _share(value: float, most: float, room: float) -> float:
    return round(max(value / most * room, LEAST), 1) if value and most else 0.0


AXIS, MOST_LABELS, LETTER = 52, 6, 8.5
"""Of stacked bars: room for the numbers of the axis, how many labels fit, and how wide a letter is."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Bars on top of each other, the first at the bottom; `short` is empty where its label has no room."""

    label: str
    short: str
    right: float
    top: float
    total: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class StackedChart:
    """A drawing of stacks with an axis from zero; `ticks` are its lines (y, number), `words` name the tones."""

    title: str
    unit: str
    stacks: tuple[Stack, ...]
    ticks: tuple[tuple[float, int], ...]
    words: Mapping[str, str]
    noted: bool
    """The total of each stack fits above it."""
    width: int = WIDTH
    label: int = AXIS
    base: int = ABOVE + TALL
    height: int = ABOVE + TALL + BELOW


def stack(
    title: str,
    unit: str,
    names: Sequence[tuple[str, str]],
    values: Mapping[str, Sequence[int]],
    words: Mapping[str, str],
) -> StackedChart:
    """Stack the values of each tone; `names` are the labels, full and short, `words` those of the tones."""
    totals = [sum(each) for each in zip(*values.values(), strict=True)]
    step = (WIDTH - AXIS) / max(len(names), 6)
    every = -(-len(names) // MOST_LABELS)
    tick = _tick(max(totals, default=0))
    room = TALL / max(-(-max(totals, default=0) // tick) * tick, 1)
    stacks = []
    for place, (label, short) in enumerate(names):
        x, bars, top = AXIS + place * step + step * 0.12, [], float(ABOVE + TALL)
        for tone, numbers in values.items():
            height = round(numbers[place] * room, 1)
            top = round(top - height, 1)
            bars.append(Bar(Datum(words[tone], numbers[place], tone), round(x, 1), top, round(step * 0.76, 1), height))
        is_named = (len(names) - 1 - place) % every == 0
        stacks.append(
            Stack(label, short if is_named else "", round(x + step * 0.76, 1), top, totals[place], tuple(bars))
        )
    ticks = tuple((round(ABOVE + TALL - at * room, 1), at) for at in range(0, max(totals, default=0) + tick, tick))
    fits = step > max((len(f"{total:,}") for total in totals), default=0) * LETTER
    return StackedChart(title, unit, tuple(stacks), ticks, words, fits)


def _tick(most: int) -> int:
    """Return the distance of two lines of an axis: 1, 2 or 5 times a power of ten, so that there are four at most."""
    power = 1
    while True:
        for each in (1, 2, 5):
            if most <= 4 * each * power:
                return each * power
        power *= 10
