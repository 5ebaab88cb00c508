"""Any value is found in every supported form, at any place and beside any neighbours; without it nothing is."""

import base64
import io
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from credly_audit.leaks import scan as scanning
from credly_audit.leaks.candidates import BASE64, ESCAPED, PERCENT, UTF_16, Match
from credly_audit.leaks.scan import TextOrigin
from credly_audit.secrets.fingerprint import Fingerprints
from tests.leaks.finding import VALUE, places, read, scan_for, search_for

ALPHABET = string.ascii_letters + string.digits + "-_"
FINGERPRINT = Fingerprints().digest(VALUE)

FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "Base64 of the value and a colon": lambda value: base64.b64encode(f"{value}:".encode()),
    "Base64 of a pair": lambda value: base64.b64encode(f"user=ü, {value}—".encode()),
    "URL-safe Base64": lambda value: base64.urlsafe_b64encode(f"??>{value}".encode()),
    "every character URL-encoded": lambda value: "".join(f"%{ord(each):02x}" for each in value).encode(),
    "signs URL-encoded": lambda value: quote(value, safe="").replace("-", "%2D").replace("_", "%5F").encode(),
    "every character escaped": lambda value: "".join(f"\\u{ord(each):04X}" for each in value).encode(),
    "JSON in JSON": lambda value: value.replace("-", "\\\\u002d").encode(),
    "C": lambda value: value.replace("_", "\\x5f").encode(),
    "HTML": lambda value: value.replace("-", "&#45;").replace("_", "&#x5F;").encode(),
    "UTF-16, little endian": lambda value: value.encode("utf-16-le"),
    "UTF-16, big endian": lambda value: value.encode("utf-16-be"),
    "Base64 of UTF-16": lambda value: base64.b64encode(f"x {value}".encode("utf-16")),
    "Base64 of Base64": lambda value: base64.b64encode(base64.b64encode(f"{value}:".encode())),
}

values = st.text(ALPHABET, min_size=16, max_size=64)
neighbours = st.binary(max_size=40)
"""Beside a value: bytes that end with none of the characters that values have, nor with those of an escape."""

BORDERS = b" \"'=:/,;\n\t<>@(){}[]."


@pytest.mark.parametrize("form", FORMS)
@given(value=values, before=neighbours, after=neighbours, border=st.sampled_from(list(BORDERS)))
def test_a_value_is_found_in_every_form_beside_anything_else(
    form: str, value: str, before: bytes, after: bytes, border: int
) -> None:
    edge = bytes([border])
    text = FORMS[form](value)
    wide = len(before) % 2 and "UTF-16" in form and "Base64" not in form
    found = search_for(value).find(before + edge + b"\0" * bool(wide) + text + edge + after)

    assert {match.fingerprint for match in found} == {Fingerprints().digest(value)}


@given(value=values, before=st.text(ALPHABET, max_size=80), after=st.text(ALPHABET, max_size=80))
def test_a_value_is_found_within_a_longer_run(value: str, before: str, after: str) -> None:
    value += "Zg"  # no part of a hex number
    found = search_for(value).find(f"{before}{value}{after}".encode())

    assert Match(0, Fingerprints().digest(value)) in found


def test_windows_within_a_hex_number_are_left_out_but_a_value_that_is_one_is_found() -> None:
    number = "0123456789abcdef-0123456789abcdef"

    assert search_for(number).find(f"={number}=".encode())
    assert not search_for(number).find(f"={number}0=".encode())
    assert search_for(f"{number}G").find(f"={number}G{number}=".encode())


@given(value=values, content=st.binary(max_size=3_000) | st.text(ALPHABET + " %\\&", max_size=3_000).map(str.encode))
def test_a_text_without_the_value_holds_none(value: str, content: bytes) -> None:
    assume(value.encode() not in content)

    assert search_for(value).find(content) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("block", [61, 64])
def test_a_value_on_the_border_of_two_blocks_is_found(form: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "BLOCK", block)
    text = FORMS[form](VALUE)

    for offset in range(0, 3 * block, 7):
        scan = scan_for(VALUE)
        content = b"#" * 512 + b"\n" + b"=" * offset + b"\n" + text + b"\n" + b"." * 200
        scan.read(TextOrigin("file"), io.BytesIO(content), None)
        assert places(scan) == ["file:3"], offset


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        (VALUE, ()),
        (base64.b64encode(f"{VALUE}:".encode()).decode(), (BASE64,)),
        (VALUE.replace("-", "%2d"), (PERCENT,)),
        (VALUE.replace("-", "\\u002d"), (ESCAPED,)),
        (base64.b64encode(VALUE.replace("-", "\\u002d").encode()).decode(), (BASE64, ESCAPED)),
        (base64.b64encode(VALUE.encode("utf-16")).decode(), (BASE64, UTF_16)),
    ],
)
def test_it_says_where_the_value_begins_and_how_it_is_encoded(text: str, forms: tuple[str, ...]) -> None:
    [match] = search_for(VALUE).find(f"Authorization: Basic {text} ".encode())

    assert match.fingerprint == FINGERPRINT
    assert match.forms == forms
    assert 21 <= match.offset <= 25


def test_values_of_different_lengths_are_told_apart() -> None:
    short, long = VALUE[:20], VALUE

    found = search_for(short, long).find(long.encode())

    assert {match.fingerprint for match in found} == {Fingerprints().digest(short), Fingerprints().digest(long)}


def test_each_line_counts_once_and_lines_of_windows_and_utf_16_are_lines_too() -> None:
    assert places(read(f"{VALUE} {VALUE}\r\n\r\n{VALUE}".encode())) == ["file:1", "file:3"]
    assert places(read(f"first\r\n{VALUE}".encode("utf-16"))) == ["file:2"]


def test_a_value_on_very_many_lines_is_cut_and_the_rest_counted() -> None:
    scan = read(f"{VALUE}\n".encode() * 250)

    assert len(scan.leaks) == scanning.MOST_LINES
    assert scan.omitted == 250 - scanning.MOST_LINES


def test_a_line_of_many_megabytes_is_searched_to_its_end() -> None:
    scan = read(b"a b" * (4 << 20) + VALUE.encode() + b" c" * (1 << 20))

    assert places(scan) == ["file:1"]
    assert scan.searched["bytes"] == (12 << 20) + len(VALUE) + (2 << 20)
