"""Read a text without what hides a secret value in it, and with its encodings undone.

A `View` is a text whose every character remembers where it stands in the original, so that what is found in a view
can be replaced in the text. All work on whole arrays: the cost is linear in the length of the text.
"""

import html
import math
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Kinds = NDArray[np.uint8]
Numbers = NDArray[np.signedinteger[Any]]

SEPARATOR = "\0"
"""Between two texts that are read together; nothing reaches across it."""

LINE_BREAKS = (9, 10, 11, 12, 13, 0x85, 0x2028, 0x2029)
BLANK, FIRST, LAST = 32, 33, 126
"""Printable ASCII: a value is sent in a header and can hold nothing else."""

ESCAPES = re.compile(
    r"%[0-9A-Fa-f]{2}"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?"
    r"|\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|[nrtbfv/\"\\_*-])"
    r"|=[0-9A-Fa-f]{2}"
    r"|[=\\-]\r?\n"
    r"|</?[A-Za-z][^<>]{0,80}>"
)
"""Percent-encoding, HTML, JSON and other languages, quoted-printable; marks of a line's end, and tags, which go."""

DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63\uff0d"), "-")
"""What word processors make of `-`."""

MARKS = "%&\\=<"
"""What an escape begins with, but for the one that ends a line."""

MOST_REPEATED = 1000
"""How often RE2 repeats a character at most."""

LETTERS_AFTER_BACKSLASH = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}

SMALL, CAPITAL, DIGIT, SIGN, MARK, SPACE, LINE, FOREIGN = (1 << bit for bit in range(8))
"""Kinds of characters; a mark is printable as signs are, foreign is what is invisible or no ASCII."""

KINDS = np.full(max(LINE_BREAKS) + 2, FOREIGN, dtype=np.uint8)
KINDS[FIRST : LAST + 1] = SIGN
for _kind, _letters in {
    SMALL: "abcdefghijklmnopqrstuvwxyz",
    CAPITAL: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    DIGIT: "0123456789",
    MARK: MARKS,
    SPACE: chr(BLANK),
    LINE: map(chr, LINE_BREAKS),
}.items():
    KINDS[[ord(_letter) for _letter in _letters]] = _kind

BASE64 = np.full(128, -1, dtype=np.int32)
for _place, _letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"):
    BASE64[ord(_letter)] = _place
BASE64[[ord("+"), ord("-")]] = 62
BASE64[[ord("/"), ord("_")]] = 63

HEX = np.full(128, -1, dtype=np.int32)
for _place, _letter in enumerate("0123456789abcdef"):
    HEX[[ord(_letter), ord(_letter.upper())]] = _place


@dataclass(frozen=True, slots=True)
class View:
    """Characters, where each begins and ends in the original, and whether a barrier stands before it."""

    codes: Numbers
    starts: Numbers
    ends: Numbers
    barriers: Mask

    @classmethod
    def of(cls, joined: str) -> "View":
        """Return the view of texts joined by SEPARATOR; look-alikes of ASCII, such as full width, are read as it."""
        codes = np.frombuffer(_fold_to_ascii(joined).encode("utf-32-le", "surrogatepass"), "<i4")
        places = np.arange(len(codes), dtype=np.int32)
        return cls(codes, places, places + 1, codes == ord(SEPARATOR))

    def take(self, kept: Mask, *, barrier: bool) -> "View":
        """Return the characters of the mask; where others are left out they are a barrier, or nothing at all."""
        places = np.flatnonzero(kept)
        if len(places) == len(kept):
            return self
        barriers = _mark_passed(self.barriers | ~kept if barrier else self.barriers, places)
        return View(self.codes[places], self.starts[places], self.ends[places], barriers)

    def keep_long_runs(self, fits: Mask, least: int) -> "View | None":
        """Return the runs of at least so many characters that fit, with barriers between them; None: there is none."""
        begins = self.barriers | ~fits
        begins[1:] |= ~fits[:-1]
        lengths = np.diff(_find_begins(begins), append=len(begins))
        is_long = lengths >= least
        kept: Mask = fits & np.repeat(is_long, lengths) if is_long.any() else is_long
        return self.take(kept, barrier=True) if kept.any() else None

    def text(self) -> str:
        """Return the characters as a text."""
        return self.codes.astype("<i4").tobytes().decode("utf-32-le", "surrogatepass")


def _find_begins(begins: Mask) -> Numbers:
    """Return where something begins; it does at the first character in any case."""
    begins[:1] = True
    return np.flatnonzero(begins)


def _mark_passed(marks: Mask, places: Numbers) -> Mask:
    """Return for each place whether it, or what lies between it and the one before, is marked."""
    count = np.cumsum(marks, dtype=np.int32)[places]
    return np.diff(count, prepend=np.int32(0)) > 0


def _fold_to_ascii(text: str) -> str:
    """Return the text with look-alikes of ASCII characters replaced; all others, and the length, stay."""
    if text.isascii():
        return text
    plain = {each: unicodedata.normalize("NFKC", each) for each in set(text) if not each.isascii()}
    alike = {ord(each): said for each, said in plain.items() if len(said) == 1 and said.isascii()}
    return text.translate(alike | DASHES)


def squeeze(view: View) -> View:
    """Return the printable ASCII only: what is invisible, foreign or a line's end does not part a value.

    Blanks do, unless one of the two pieces beside them looks like a piece of a value and not like a word.
    """
    kinds = _classify_run(view.codes)
    printable = kinds < SPACE
    squeezed = view.take(printable, barrier=False)
    is_blank = kinds == SPACE
    if not is_blank.any():
        return squeezed
    places = np.flatnonzero(printable)
    lines = _mark_passed(kinds == LINE, places)
    blanks = _mark_passed(is_blank, places) & ~lines
    starts = _find_begins(blanks | lines | squeezed.barriers)
    odd = _find_odd(kinds[places], starts)
    odd[1:] |= odd[:-1]
    barriers = squeezed.barriers.copy()
    barriers[starts] |= blanks[starts] & ~odd
    return View(squeezed.codes, squeezed.starts, squeezed.ends, barriers)


def _classify_run(codes: Numbers) -> Kinds:
    return KINDS[np.minimum(codes, len(KINDS) - 1)]


def _find_odd(kinds: Kinds, starts: Numbers) -> Mask:
    """Return which pieces are no words: letters and digits together, or a capital after a small letter."""
    rises = np.zeros(len(kinds), dtype=bool)
    rises[1:] = (kinds[1:] == CAPITAL) & (kinds[:-1] == SMALL)
    rises[starts] = False
    held = np.bitwise_or.reduceat(kinds, starts)
    has_letter, has_digit = (held & (SMALL | CAPITAL)) > 0, (held & DIGIT) > 0
    return (has_letter & has_digit) | np.logical_or.reduceat(rises, starts)


def build_doubt_pattern(least: int) -> str:
    """Return an expression of RE2 that matches in every text that may hold a value of at least so many characters.

    A text of shorter words holds none: nothing joins them, and there is nothing to undo.
    """
    odd = "[a-z][A-Z]|[A-Za-z][!-~]*[0-9]|[0-9][!-~]*[A-Za-z]"
    return f"[^ -~]|[{re.escape(MARKS)}]|{odd}|[!-~]{{{min(least, MOST_REPEATED)}}}"


def decode_views(view: View, runs: View | None, least: int) -> Iterator[View]:
    """Yield what the view holds in encoded form, and its long runs; `least` is the length of the shortest value."""
    escaped = _reverse_escapes(view)
    if escaped is not None:
        yield escaped
    if runs is None:
        return
    for alphabet, characters, bits in ((BASE64, least * 4 // 3, 6), (HEX, least * 2, 4)):
        encoded = runs.keep_long_runs(alphabet[runs.codes] >= 0, characters)
        if encoded is not None:
            values = alphabet[encoded.codes]
            yield from _decode_runs(encoded, values, bits, least)


def _decode_runs(encoded: View, values: Numbers, bits: int, least: int) -> Iterator[View]:
    """Yield what the runs hold, read as bytes from each of their first characters on; only what could be a text."""
    together = math.lcm(bits, 8) // bits  # characters that make whole bytes
    for shift in range(together):
        first, second, left, right = _locate_bytes(len(values), shift, together, bits)
        codes = ((values[first] << left) | (values[second] >> right)) & 0xFF
        closed = np.cumsum(encoded.barriers)
        whole = closed[first] == closed[second]
        barriers = np.diff(closed[first], prepend=0) > 0
        text = View(codes, encoded.starts[first], encoded.ends[second], barriers)
        readable = whole & ((codes >= BLANK) & (codes <= LAST) | (codes == 0) | np.isin(codes, LINE_BREAKS))
        found = text.keep_long_runs(readable, least)
        if found is not None:
            yield found


def _locate_bytes(many: int, shift: int, together: int, bits: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return for each byte the two characters that hold it, and by how much each is to be shifted."""
    groups = np.arange(shift, many, together, dtype=np.int64)
    offsets = np.arange(together * bits // 8, dtype=np.int64)
    first_bits = offsets * 8
    inner = first_bits // bits
    first = (groups[:, None] + inner).reshape(-1)
    left = np.broadcast_to(8 - bits + first_bits % bits, (len(groups), len(offsets))).reshape(-1)
    right = np.broadcast_to(2 * bits - 8 - first_bits % bits, (len(groups), len(offsets))).reshape(-1)
    inside = first + 1 < many
    return first[inside], first[inside] + 1, left[inside], right[inside]


def _reverse_escapes(view: View) -> View | None:
    """Return the view with every escape undone; None where it has none."""
    if not (_classify_run(view.codes) & (MARK | LINE)).any():
        return None
    begins, ends, codes = [], [], []
    for match in ESCAPES.finditer(view.text()):
        character = _reverse_escape(match[0])
        if character is not None:
            begins.append(match.start())
            ends.append(match.end())
            codes.append(ord(character) if character else 0)
    if not begins:
        return None
    first, last = np.array(begins), np.array(ends)
    changed, until, dropped = view.codes.copy(), view.ends.copy(), np.zeros(len(view.codes) + 1, dtype=np.int64)
    changed[first], until[first] = codes, view.ends[last - 1]
    dropped[first + 1] += 1
    dropped[last] -= 1
    kept = np.cumsum(dropped[:-1]) == 0
    return View(changed, view.starts, until, view.barriers).take(kept, barrier=False)


def _reverse_escape(escape: str) -> str | None:
    """Return the character that an escape stands for, empty where it stands for none; None where it is no escape."""
    if escape[-1] in "\n>":
        return ""
    if escape[0] in "%=":
        return chr(int(escape[1:], 16))
    if escape[0] == "\\":
        if escape[1] not in "uUx":
            return LETTERS_AFTER_BACKSLASH.get(escape[1], escape[1])
        number = int("0x" + escape[2:], 0)
        return chr(number) if number <= sys.maxunicode else None
    character = _fold_to_ascii(html.unescape(escape))
    return character if len(character) == 1 else None
