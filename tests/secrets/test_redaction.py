"""A known value is found in a text however it is broken, joined or encoded there, and nothing else is touched."""

import base64
import binascii
import html
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints, Trace
from credly_audit.secrets.redaction import BATCH, REDACTED, Redactor

FINGERPRINTS = Fingerprints()
ALPHABET = string.ascii_letters + string.digits + "-_"

values = st.one_of(
    st.text(st.sampled_from(alphabet), min_size=16, max_size=64)
    for alphabet in (ALPHABET, string.ascii_lowercase, string.digits)
).filter(FINGERPRINTS.of)
words = st.text(st.sampled_from("abcdE ,.2"), max_size=40)
texts = st.text(max_size=40) | words


def in_pieces(value: str, between: str, many: int) -> str:
    size = max(1, len(value) // many)
    return between.join(value[start : start + size] for start in range(0, len(value), size))


BREAKS = {
    "line feed": "\n",
    "carriage return": "\r",
    "line ends": "\r\n",
    "indented": "\n    ",
    "tab": "\t",
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "soft hyphen": "\u00ad",
    "byte order mark": "\ufeff",
    "word joiner": "\u2060",
    "variation selector": "\ufe0f",
    "right-to-left mark": "\u200f",
    "replaced character": "\ufffd",
    "entity": "&shy;",
    "percent": "%E2%80%8B",
    "percent, indented": "%0A    ",
    "json": "\\u200b",
    "quoted-printable": "=\r\n",
    "a tag": "</t></r><r><t xml:space='preserve'>",
}

ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "in full width": lambda value: "".join(chr(ord(each) + 0xFEE0) for each in value),
    "percent": lambda value: "".join(f"%{ord(each):02x}" for each in value),
    "percent, twice": lambda value: "".join(f"%25{ord(each):02X}" for each in value),
    "the rare letters in percent": lambda value: value.replace("-", "%2D").replace("_", "%5F"),
    "entities": lambda value: "".join(f"&#{ord(each)};" for each in value),
    "entities in hex": lambda value: "".join(f"&#x{ord(each):X};" for each in value),
    "named entities": lambda value: value.replace("_", "&lowbar;").replace("-", "&hyphen;"),
    "markdown": lambda value: value.replace("_", "\\_").replace("-", "\\-"),
    "json": lambda value: "".join(f"\\u{ord(each):04x}" for each in value),
    "hex": lambda value: value.encode().hex(),
    "hex, preceded": lambda value: "a" + value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "basic": lambda value: base64.b64encode(f"{value}:".encode()).decode(),
    "base64, preceded by one": lambda value: base64.b64encode(f"a{value}".encode()).decode(),
    "base64, preceded by two": lambda value: base64.urlsafe_b64encode(f"ab{value}:c".encode()).decode(),
    "base64 in lines": lambda value: base64.encodebytes(f"{value}:".encode() * 3).decode(),
    "base64, twice": lambda value: base64.b64encode(base64.b64encode(value.encode())).decode(),
    "base64 of utf-16": lambda value: base64.b64encode(value.encode("utf-16-le")).decode(),
    "joined to a long name": lambda value: f"{'name_of-a_system_' * 5}{value}-{'and_its-team_' * 5}",
    "with a line at its end": lambda value: f"{value}--",
    **{name: lambda value, between=between: in_pieces(value, between, 2) for name, between in BREAKS.items()},
    **{f"{name}, often": lambda value, between=between: between.join(value) for name, between in BREAKS.items()},
}


def readings(text: str) -> Iterator[str]:
    """What a person with patience could read in a text: restated here, apart from the code."""
    joined = re.sub(r"=\r?\n|</?[a-z][^<>]*>", "", text)
    for said in (text, unquote(text), unquote(unquote(text)), html.unescape(text), joined):
        visible = re.sub(r"[^!-~]", "", re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), said))
        yield visible
        for run in re.findall(r"[A-Za-z0-9+/_-]+", visible):
            yield from _decoded(run.replace("-", "+").replace("_", "/"))
        for run in re.findall(r"[0-9a-fA-F]+", visible):
            yield from (_of_hex(run[shift:]) for shift in (0, 1))


def _decoded(run: str) -> Iterator[str]:
    for shift in range(4):
        part = run[shift:]
        part = part[: len(part) - len(part) % 4] if len(part) % 4 == 1 else part
        try:
            decoded = base64.b64decode(part + "=" * (-len(part) % 4)).replace(b"\0", b"").decode("latin-1")
        except binascii.Error:
            continue
        yield decoded
        for inner in re.findall(r"[A-Za-z0-9+/]{16,}", decoded):
            yield from _decoded(inner)


def _of_hex(run: str) -> str:
    return bytes.fromhex(run[: len(run) // 2 * 2]).decode("latin-1")


def knowing(*known: str, fingerprints: Fingerprints = FINGERPRINTS, with_checksums: bool = True) -> Redactor:
    traces = [trace for value in known if (trace := fingerprints.trace(value))]
    assert len(traces) == len(known)
    return Redactor(fingerprints.digest, traces if with_checksums else [replace(t, checksum=None) for t in traces])


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(value=values, other=values, before=texts, after=texts, with_checksums=st.booleans())
@settings(max_examples=5, deadline=None)
def test_no_reading_of_what_is_left_holds_a_known_value(
    encoding: str, value: str, other: str, before: str, after: str, with_checksums: bool
) -> None:
    text = f"{before} {ENCODINGS[encoding](value)} {after}"
    if encoding not in {"in full width", "named entities", "markdown"}:
        assert any(value in reading for reading in readings(text))

    clean, count = knowing(value, other, with_checksums=with_checksums).redact_and_count(text)

    assert count > 0
    assert REDACTED in clean
    assert [reading for reading in readings(clean) if value in reading] == []


@given(value=values, text=st.text())
@settings(max_examples=50, deadline=None)
def test_a_text_without_the_value_is_not_touched(value: str, text: str) -> None:
    if all(value not in reading for reading in readings(text)):
        assert knowing(value).redact_values(text) == text


VALUE = "MADE-UP-Xq3_vT9rLm-2WkPz7bNc4Hd"


@pytest.mark.parametrize("blank", [" ", "  ", "\u00a0", "\u2009", " \n "])
@pytest.mark.parametrize("many", [2, 3])
def test_a_random_value_is_found_though_blanks_part_it(blank: str, many: int) -> None:
    text = f"The old one, {in_pieces(VALUE, blank, many)}, is revoked."

    assert knowing(VALUE).redact_and_count(text) == (f"The old one, {REDACTED}, is revoked.", 1)


@pytest.mark.parametrize(
    "text",
    [
        "abcdefghIjkl mnopqrstuvwx",
        "abcdefghijk1 mnopqrstuvwx",
        "1bcdefghijkl mnopqrstuvwx",
        "abcdefgh\u200bIjklmnop qrstuvwx",
        "abcdefgh\\n Ijklmnop\\n qrstuvwx",
    ],
)
def test_a_value_is_found_in_short_pieces_of_which_one_is_odd(text: str) -> None:
    value = re.sub(r"\\n|[^0-9A-Za-z]", "", text)

    assert knowing(value).redact_values(f"The old one, {text}, is no more") == f"The old one, {REDACTED}, is no more"


def test_a_long_value_is_found() -> None:
    value = string.ascii_lowercase * 77

    assert knowing(value).redact_values(f"It is {value} again") == f"It is {REDACTED} again"


def test_only_the_value_and_the_run_that_it_stands_in_are_replaced() -> None:
    redactor = knowing(VALUE)

    assert redactor.redact_and_count(f"before {VALUE}, after") == (f"before {REDACTED}, after", 1)
    assert redactor.redact_and_count(f"token={VALUE}&next=1") == (f"token={REDACTED}&next=1", 1)
    assert redactor.redact_and_count(f"{VALUE}\n{VALUE} {VALUE}") == (f"{REDACTED}\n{REDACTED} {REDACTED}", 3)
    assert redactor.redact_and_count(f"name_{VALUE}_name-{VALUE}") == (REDACTED, 1)
    assert redactor.redact_and_count(f"Größe {in_pieces(VALUE, '…', 2)} Größe") == (f"Größe {REDACTED} Größe", 1)


def test_values_are_found_under_a_key_too() -> None:
    keyed = Fingerprints(Secret("MADE-UP-key"))

    assert knowing(VALUE, fingerprints=keyed).redact(f"x {VALUE}") == f"x {REDACTED}"
    assert Redactor(keyed.digest, [Trace.of(VALUE, FINGERPRINTS.digest(VALUE))]).redact_values(VALUE) == VALUE


def test_a_column_is_redacted_as_its_texts_are() -> None:
    long = "a word " * (BATCH // 7)
    texts = [None, "", VALUE, "nothing", f"{long}{VALUE} {long}{VALUE}", VALUE, f"x{VALUE}"]
    redactor = knowing(VALUE)

    clean, counts = redactor.redact_column(texts)

    assert list(zip(clean, counts, strict=True)) == [
        (None, 0) if text is None else redactor.redact_and_count(text) for text in texts
    ]
    assert counts == [0, 0, 1, 0, 2, 1, 1]


@given(column=st.lists(st.none() | texts | st.tuples(texts, texts).map(VALUE.join), max_size=8))
@settings(deadline=None)
def test_no_text_of_a_column_changes_what_is_found_in_another(column: list[str | None]) -> None:
    redactor = knowing(VALUE)

    clean, counts = redactor.redact_column(column)

    assert list(zip(clean, counts, strict=True)) == [
        (None, 0) if text is None else redactor.redact_and_count(text) for text in column
    ]
    assert all(count for text, count in zip(column, counts, strict=True) if text and VALUE in text)


@pytest.mark.parametrize("offset", range(-40, 41, 8))
def test_a_value_is_found_where_a_long_text_is_parted(offset: int) -> None:
    text = "." * (BATCH + offset) + VALUE + "." * BATCH

    assert knowing(VALUE).redact_and_count(text) == ("." * (BATCH + offset) + REDACTED + "." * BATCH, 1)


@pytest.mark.parametrize("hidden", ["\u200b", "\u00ad", "\ufeff", "\u2060"])
def test_an_unknown_value_with_something_invisible_in_it_is_known_by_its_shape(hidden: str) -> None:
    value = "q7Rk2ZtW9xLm4Vb8NcJp3Hs6"
    text = f"Größe: {in_pieces(value, hidden, 3)}, keep"

    assert Redactor(FINGERPRINTS.digest).redact_and_count(text) == (f"Größe: {REDACTED}, keep", 1)


@pytest.mark.parametrize(
    "around", ["production-badge-service-account-of-team-learning-operations-2026-q4_{}", "{}" + "_and-its-name" * 6]
)
def test_an_unknown_value_that_is_joined_to_a_long_name_is_known_by_its_shape(around: str) -> None:
    assert Redactor(FINGERPRINTS.digest).redact_and_count(around.format(VALUE)) == (REDACTED, 1)
