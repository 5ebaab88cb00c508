"""Reads a text as whoever wants a secret value would: without what hides it, and with its encodings undone.

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

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

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

LETTERS_AFTER_BACKSLASH = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}

BASE64 = np.full(128, -1, dtype=np.int64)
for _place, _letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"):
    BASE64[ord(_letter)] = _place
BASE64[[ord("+"), ord("-")]] = 62
BASE64[[ord("/"), ord("_")]] = 63

HEX = np.full(128, -1, dtype=np.int64)
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
        codes = np.frombuffer(_as_ascii(joined).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)
        places = np.arange(len(codes), dtype=np.int64)
        return cls(codes, places, places + 1, codes == ord(SEPARATOR))

    def take(self, kept: Mask, *, barrier: bool) -> "View":
        """Return the characters of the mask; where others are left out they are a barrier, or nothing at all."""
        closed = np.cumsum(self.barriers | (~kept if barrier else False))
        places = np.flatnonzero(kept)
        passed = closed[places]
        return View(self.codes[kept], self.starts[kept], self.ends[kept], np.diff(passed, prepend=0) > 0)

    def long_runs(self, fits: Mask, least: int) -> "View | None":
        """Return the runs of at least so many characters that fit, with barriers between them; None: there is none."""
        begins = self.barriers | ~fits
        begins[1:] |= ~fits[:-1]
        groups = np.cumsum(begins)
        kept: Mask = fits & (np.bincount(groups)[groups] >= least) if len(groups) else fits
        return self.take(kept, barrier=True) if kept.any() else None

    def text(self) -> str:
        """Return the characters as a text."""
        return self.codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _as_ascii(text: str) -> str:
    """Each character that Unicode takes for an ASCII one as that; all others, and the length, stay."""
    if text.isascii():
        return text
    plain = {each: unicodedata.normalize("NFKC", each) for each in set(text) if not each.isascii()}
    alike = {ord(each): said for each, said in plain.items() if len(said) == 1 and said.isascii()}
    return text.translate(alike | DASHES)


def squeeze(view: View) -> View:
    """Return the printable ASCII alone: what is invisible, foreign or a line's end does not part a value.

    Blanks do, unless one of the two pieces beside them looks like a piece of a value and not like a word.
    """
    printable = (view.codes >= FIRST) & (view.codes <= LAST)
    squeezed = view.take(printable, barrier=False)
    places = np.flatnonzero(printable)
    blanks = np.diff(np.cumsum(view.codes == BLANK)[places], prepend=0) > 0
    if not blanks.any():
        return squeezed
    lines = np.diff(np.cumsum(np.isin(view.codes, LINE_BREAKS))[places], prepend=0) > 0
    pieces: Numbers = np.cumsum(blanks | lines | squeezed.barriers)
    odd = _odd_pieces(squeezed.codes, pieces)
    joined = odd[pieces] | odd[np.maximum(pieces - 1, 0)]
    barriers = squeezed.barriers | (blanks & ~lines & ~joined)
    return View(squeezed.codes, squeezed.starts, squeezed.ends, barriers)


def _odd_pieces(codes: Numbers, pieces: Numbers) -> Mask:
    """Which pieces are no words: letters and digits together, or a capital after a small letter."""
    is_small, is_capital = (codes >= ord("a")) & (codes <= ord("z")), (codes >= ord("A")) & (codes <= ord("Z"))
    is_digit = (codes >= ord("0")) & (codes <= ord("9"))
    many = int(pieces[-1]) + 1
    has_letter = np.bincount(pieces, weights=is_small | is_capital, minlength=many) > 0
    has_digit = np.bincount(pieces, weights=is_digit, minlength=many) > 0
    rises = np.zeros(len(codes), dtype=bool)
    rises[1:] = is_capital[1:] & is_small[:-1] & (pieces[1:] == pieces[:-1])
    return (has_letter & has_digit) | (np.bincount(pieces, weights=rises, minlength=many) > 0)


def decoded_views(view: View, squeezed: View, least: int) -> Iterator[View]:
    """Yield what the view holds in encoded form; `least` is the length of the shortest value."""
    escaped = _without_escapes(view)
    if escaped is not None:
        yield escaped
    for alphabet, characters, bits in ((BASE64, least * 4 // 3, 6), (HEX, least * 2, 4)):
        encoded = squeezed.long_runs(alphabet[squeezed.codes] >= 0, characters)
        if encoded is not None:
            values = alphabet[encoded.codes]
            yield from _decoded(encoded, values, bits, least)


def _decoded(encoded: View, values: Numbers, bits: int, least: int) -> Iterator[View]:
    """Yield what the runs hold, read as bytes from each of their first characters on; only what could be a text."""
    together = math.lcm(bits, 8) // bits  # characters that make whole bytes
    for shift in range(together):
        first, second, left, right = _firsts(len(values), shift, together, bits)
        codes = ((values[first] << left) | (values[second] >> right)) & 0xFF
        closed = np.cumsum(encoded.barriers)
        whole = closed[first] == closed[second]
        barriers = np.diff(closed[first], prepend=0) > 0
        text = View(codes, encoded.starts[first], encoded.ends[second], barriers)
        readable = whole & ((codes >= BLANK) & (codes <= LAST) | (codes == 0) | np.isin(codes, LINE_BREAKS))
        found = text.long_runs(readable, least)
        if found is not None:
            yield found


def _firsts(many: int, shift: int, together: int, bits: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """For each byte: the two characters that hold it, and by how much each is to be shifted."""
    groups = np.arange(shift, many, together, dtype=np.int64)
    offsets = np.arange(together * bits // 8, dtype=np.int64)
    first_bits = offsets * 8
    inner = first_bits // bits
    first = (groups[:, None] + inner).reshape(-1)
    left = np.broadcast_to(8 - bits + first_bits % bits, (len(groups), len(offsets))).reshape(-1)
    right = np.broadcast_to(2 * bits - 8 - first_bits % bits, (len(groups), len(offsets))).reshape(-1)
    inside = first + 1 < many
    return first[inside], first[inside] + 1, left[inside], right[inside]


def _without_escapes(view: View) -> View | None:
    """Return the view with every escape undone; None where it has none."""
    if not np.isin(view.codes, [ord(each) for each in "%&\\=-<"]).any():
        return None
    begins, ends, codes = [], [], []
    for match in ESCAPES.finditer(view.text()):
        character = _unescaped(match[0])
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


def _unescaped(escape: str) -> str | None:
    """The character that an escape stands for, empty where it stands for none; None where it is no escape."""
    if escape[-1] in "\n>":
        return ""
    if escape[0] in "%=":
        return chr(int(escape[1:], 16))
    if escape[0] == "\\":
        if escape[1] not in "uUx":
            return LETTERS_AFTER_BACKSLASH.get(escape[1], escape[1])
        number = int("0x" + escape[2:], 0)
        return chr(number) if number <= sys.maxunicode else None
    character = _as_ascii(html.unescape(escape))
    return character if len(character) == 1 else None
