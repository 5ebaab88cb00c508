r"""Writes a pattern for `regex`, which has a deadline, so that it means what it means to Python's `re`, which has none.

`regex` gives `\w`, `\b`, `\s`, case, `[[:alpha:]]` and `{e}` a meaning of its own. So Python's own parser reads the
pattern, and each part is written anew, every class of characters spelled out.
"""

import re
import warnings
from collections.abc import Callable
from functools import partial
from re import _constants as sre  # type: ignore[attr-defined]  # what Python's parser calls the parts of a pattern
from re import _parser  # type: ignore[attr-defined]  # the only parser that reads every pattern as `re` does
from typing import Any

Tree = Any
"""What Python's parser makes of a pattern: a sequence of pairs, the kind of a part and what it holds."""

DIGIT, ASCII_DIGIT = r"\p{Nd}", "0-9"
SPACE, ASCII_SPACE = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000", r"\t-\r\x20"
WORD, ASCII_WORD = r"\p{L}\p{N}_", "A-Za-z0-9_"

CATEGORIES = {
    sre.CATEGORY_DIGIT: (DIGIT, ASCII_DIGIT),
    sre.CATEGORY_NOT_DIGIT: (DIGIT, ASCII_DIGIT),
    sre.CATEGORY_SPACE: (SPACE, ASCII_SPACE),
    sre.CATEGORY_NOT_SPACE: (SPACE, ASCII_SPACE),
    sre.CATEGORY_WORD: (WORD, ASCII_WORD),
    sre.CATEGORY_NOT_WORD: (WORD, ASCII_WORD),
}
OUTSIDE = (sre.CATEGORY_NOT_DIGIT, sre.CATEGORY_NOT_SPACE, sre.CATEGORY_NOT_WORD)

DOTTED = "Ii\u0130\u0131"
"""The letters i with and without a dot: one letter to Python where case does not count, several to `regex`."""


def parse(pattern: str) -> Tree:
    """Return what Python reads in a pattern; re.error where it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[[` and `--` are characters, whatever they may mean one day
        return _parser.parse(pattern)


def translate(pattern: str) -> str:
    """Return the pattern as `regex` (V0) has to get it; re.error where it is none."""
    tree = parse(pattern)
    return ("(?i)" if _has_case_folding(tree.state.flags) else "") + _translate_sequence(tree.state.flags, tree)


def _has_case_folding(flags: int) -> bool:
    """Whether case does not count in any script; where it is ASCII alone, the letters are spelled out."""
    return bool(flags & re.IGNORECASE) and not flags & re.ASCII


def _translate_sequence(flags: int, tree: Tree) -> str:
    return "".join(WRITERS[op](flags, value) for op, value in tree)


def _translate_literal(flags: int, value: int) -> str:
    letter = chr(value)
    spelled_out = (
        letter in DOTTED
        if _has_case_folding(flags)
        else flags & re.IGNORECASE and letter.isascii() and letter.isalpha()
    )
    return f"[{_translate_members(flags, sre.LITERAL, value)}]" if spelled_out else re.escape(letter)


def _translate_any(flags: int, _: Any) -> str:
    return "(?s:.)" if flags & re.DOTALL else r"[^\n]"


def _set(flags: int, items: Any) -> str:
    r"""A class of characters; `\W` and its like cannot be spelled out within it, so they stand beside it."""
    negated = items[0][0] is sre.NEGATE
    members = "".join(_translate_members(flags, op, value) for op, value in items)
    beside = [
        f"[^{_translate_category(flags, value)}]" for op, value in items if op is sre.CATEGORY and value in OUTSIDE
    ]
    if not beside:
        return f"[{'^' if negated else ''}{members}]"
    union = "|".join([*([f"[{members}]"] if members else []), *beside])
    return f"(?:(?!{union})(?s:.))" if negated else f"(?:{union})"


def _translate_members(flags: int, op: Any, value: Any) -> str:
    if op is sre.CATEGORY:
        return "" if value in OUTSIDE else _translate_category(flags, value)
    if op is sre.NEGATE:
        return ""
    low, high = value if op is sre.RANGE else (value, value)
    written = re.escape(chr(low)) + (f"-{re.escape(chr(high))}" if op is sre.RANGE else "")
    if not flags & re.IGNORECASE:
        return written
    if _has_case_folding(flags):
        return written + (DOTTED if any(low <= ord(each) <= high for each in DOTTED) else "")
    letters = (chr(each) for each in range(max(low, ord("A")), min(high, ord("z")) + 1))
    return written + "".join(each.swapcase() for each in letters if each.isalpha())


def _translate_category(flags: int, value: Any) -> str:
    return CATEGORIES[value][bool(flags & re.ASCII)]


def _translate_branch(flags: int, value: Any) -> str:
    return f"(?:{'|'.join(_translate_sequence(flags, each) for each in value[1])})"


def _group(flags: int, value: Any) -> str:
    number, added, taken, tree = value
    if added & (re.ASCII | re.UNICODE):
        taken |= (re.ASCII | re.UNICODE) & ~added
    inner = (flags | added) & ~taken
    text = _translate_sequence(inner, tree)
    if _has_case_folding(inner) != _has_case_folding(flags):
        text = f"(?{'' if _has_case_folding(inner) else '-'}i:{text})"
    return f"(?:{text})" if number is None else f"({text})"


def _repeat(ending: str, flags: int, value: Any) -> str:
    least, most, tree = value
    return f"(?:{_translate_sequence(flags, tree)}){{{least},{'' if most is sre.MAXREPEAT else most}}}{ending}"


def _translate_group(mark: str, flags: int, value: Any) -> str:
    direction, tree = value
    return f"(?{'<' if direction < 0 else ''}{mark}{_translate_sequence(flags, tree)})"


def _translate_position(flags: int, value: Any) -> str:
    word = _translate_category(flags, sre.CATEGORY_WORD)
    lines = "m" if flags & re.MULTILINE else "-m"
    return {
        sre.AT_BEGINNING: f"(?{lines}:^)",
        sre.AT_BEGINNING_STRING: r"\A",
        sre.AT_END: f"(?{lines}:$)",
        sre.AT_END_STRING: r"\Z",
        sre.AT_BOUNDARY: f"(?:(?<=[{word}])(?![{word}])|(?<![{word}])(?=[{word}]))",
        sre.AT_NON_BOUNDARY: f"(?:(?<=[{word}])(?=[{word}])|(?<![{word}])(?![{word}]))",
    }[value]


def _translate_conditional(flags: int, value: Any) -> str:
    number, yes, no = value
    return f"(?({number}){_translate_sequence(flags, yes)}|{_translate_sequence(flags, no or [])})"


WRITERS: dict[Any, Callable[[int, Any], str]] = {
    sre.LITERAL: _translate_literal,
    sre.NOT_LITERAL: lambda flags, value: _set(flags, [(sre.NEGATE, None), (sre.LITERAL, value)]),
    sre.ANY: _translate_any,
    sre.IN: _set,
    sre.BRANCH: _translate_branch,
    sre.SUBPATTERN: _group,
    sre.MAX_REPEAT: partial(_repeat, ""),
    sre.MIN_REPEAT: partial(_repeat, "?"),
    sre.POSSESSIVE_REPEAT: partial(_repeat, "+"),
    sre.ATOMIC_GROUP: lambda flags, value: f"(?>{_translate_sequence(flags, value)})",
    sre.ASSERT: partial(_translate_group, "="),
    sre.ASSERT_NOT: partial(_translate_group, "!"),
    sre.AT: _translate_position,
    sre.GROUPREF: lambda _flags, value: rf"\g<{value}>",
    sre.GROUPREF_EXISTS: _translate_conditional,
    sre.FAILURE: lambda _flags, _value: "(?!)",
}
"""What writes each kind of a part."""
