"""Tries a pattern on texts that are made to be hard for it, before an audit meets such a description."""

from collections.abc import Iterator
from re import _constants as sre  # type: ignore[attr-defined]  # what Python's parser calls the parts of a pattern
from typing import Any

from credly_audit.patterns.search import compile_pattern
from credly_audit.patterns.translation import Tree, parse

PATIENCE = 0.25
"""Seconds that a text of at most LONGEST characters may take."""

LONGEST = 800

REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)

MANY = 9
"""A repetition of more than so many is one that a long text can stretch."""


def find_hostile_text(pattern: str) -> str | None:
    """Return a text of some hundred characters for which the pattern needs unduly long; None: none is known."""
    compiled = compile_pattern(pattern)
    for text in make_hostile_texts(pattern):
        try:
            compiled.search(text, timeout=PATIENCE)
        except TimeoutError:
            return text
    return None


def make_hostile_texts(pattern: str) -> Iterator[str]:
    """Yield texts that repeat what the pattern repeats, and then go on otherwise."""
    for head, bodies, tail in _find_repetitions(parse(pattern), "", ""):
        for body in dict.fromkeys((*bodies, "a", "0", " ", "a ")):
            for many in (30, 60, LONGEST):
                text = f"{head}{body * many}"[:LONGEST]
                yield f"{text}\0"
                yield f"{text}{tail}\0"


def _find_repetitions(tree: Tree, head: str, tail: str) -> Iterator[tuple[str, tuple[str, str], str]]:
    """For each repetition a text that leads up to it, two that it repeats, and one that follows it."""
    for place, (op, value) in enumerate(tree):
        rest = (_make_example(tree[place + 1 :]) + tail)[:LONGEST]
        for inner in _find_inner(op, value):
            yield from _find_repetitions(inner, head, rest)
        if op in REPEATS and value[1] > MANY:
            yield head, (_make_example(value[2]), _make_example(value[2], every=True)), rest
        head = (head + _make_example([(op, value)]))[:LONGEST]


def _find_inner(op: Any, value: Any) -> list[Tree]:
    """The patterns within a part of a pattern."""
    if op is sre.BRANCH:
        return list(value[1])
    if op is sre.GROUPREF_EXISTS:
        return [each for each in value[1:] if each is not None]
    if op in {sre.SUBPATTERN, sre.ASSERT, sre.ASSERT_NOT, *REPEATS}:
        return [value[-1]]
    return [value] if op is sre.ATOMIC_GROUP else []


def _make_example(tree: Tree, *, every: bool = False) -> str:
    """A text that most patterns of this shape match: by the first of several alternatives, or by every one in turn."""
    return "".join(_make_example_of(op, value, every=every) for op, value in tree)[:LONGEST]


def _make_example_of(op: Any, value: Any, *, every: bool) -> str:
    if op is sre.LITERAL:
        return chr(value)
    if op is sre.IN:
        return _choose_member(*value[0])
    if op in REPEATS:
        return _make_example(value[2], every=every) * min(max(value[0], 1), LONGEST)
    if op in {sre.ANY, sre.NOT_LITERAL}:
        return "a"
    inner = [] if op in {sre.ASSERT, sre.ASSERT_NOT} else _find_inner(op, value)
    return "".join(_make_example(each, every=every) for each in (inner if every else inner[:1]))


def _choose_member(op: Any, value: Any) -> str:
    if op in {sre.LITERAL, sre.RANGE}:
        return chr(value if op is sre.LITERAL else value[0])
    return {sre.CATEGORY_DIGIT: "0", sre.CATEGORY_SPACE: " "}.get(value, "a")
