"""Bars from zero, with their labels beside them: where each stands in a drawing, for the template to draw."""

from collections.abc import Iterable
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
