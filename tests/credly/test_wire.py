"""What a page of the listing is made into, whatever it holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credly_audit.credly.wire import ListPage, NotAList, TokenRow, clean, read_page
from credly_audit.secrets.fingerprint import Fingerprints, Trace

VALUE = "MADE-UP-0123456789abcdefghijklmnopqr"
TOKEN: dict[str, Any] = {
    "id": "eec89e5a-d9fa-44f4-ae71-22fad2e58d8c",
    "token": VALUE,
    "owner_id": "88cf96b7-e4ca-4a17-b938-a72bf2b9c273",
    "description": "A new token for use",
    "write_enabled": True,
    "read_enabled": True,
    "delete_enabled": False,
    "created_at": "2020-05-28T16:44:41.034Z",
    "expires_at": "2025-01-14T20:54:48.303Z",
    "owner": {
        "type": "Organization",
        "id": "88cf96b7-e4ca-4a17-b938-a72bf2b9c273",
        "name": "Acclaim",
        "url": "https://x",
    },
}
METADATA = {"count": 1, "current_page": 1, "total_count": 1, "total_pages": 1, "per": 50, "next_page_url": None}


def parsed(content: object, traces: list[Trace] | None = None) -> ListPage:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_page(body, Fingerprints().of, ([] if traces is None else traces).append)


def row_of(**said: object) -> TokenRow:
    return parsed({"data": [TOKEN | said], "metadata": METADATA}).rows[0]


def test_the_documented_shape() -> None:
    traces: list[Trace] = []

    page = parsed({"data": [TOKEN], "metadata": METADATA, "unknown": 1}, traces)

    (row,) = page.rows
    assert (page.total_count, page.total_pages, page.per, page.length, page.faults) == (1, 1, 50, 1, [])
    assert (row.id, row.description, row.owner_name) == (TOKEN["id"], "A new token for use", "Acclaim")
    assert (row.read_enabled, row.write_enabled, row.delete_enabled) == (True, True, False)
    assert (row.created_at, row.created_fault, row.expires_fault) == ("2020-05-28T16:44:41.034Z", None, None)
    assert traces == [Trace(Fingerprints().of(VALUE) or "", len(VALUE))]


def test_a_value_is_in_nothing_that_is_returned() -> None:
    page = parsed({"data": [TOKEN], "metadata": METADATA})

    assert VALUE not in repr(page)


def test_the_older_shape_lacks_fields_and_that_is_no_wrong_type() -> None:
    older = {key: value for key, value in TOKEN.items() if not key.endswith("_enabled") and key != "expires_at"}

    page = parsed({"data": [older | {"description": None}], "metadata": {}})

    (row,) = page.rows
    assert (page.total_count, page.total_pages, page.faults) == (None, None, [])
    assert (row.write_enabled, row.expires_at, row.expires_fault) == (None, None, "absent")


def test_a_date_that_is_null_is_an_answer() -> None:
    assert (row_of(expires_at=None).expires_at, row_of(expires_at=None).expires_fault) == (None, None)


@pytest.mark.parametrize("value", [1736887488, True, {"a": 1}, ["2025"], 1.5])
def test_a_date_of_the_wrong_type_is_unreadable_and_no_more(value: object) -> None:
    page = parsed({"data": [TOKEN | {"created_at": value}], "metadata": METADATA})

    assert page.rows[0].created_fault == "unreadable"
    assert page.faults == []


def test_a_fault_names_field_and_row_and_never_the_content() -> None:
    page = parsed({"data": [TOKEN, TOKEN | {"description": {"secret": VALUE}}], "metadata": METADATA})

    assert page.faults == ["row 2: description is not a text"]
    assert page.rows[1].description is None


@pytest.mark.parametrize("element", [None, 5, "token", [TOKEN], True])
def test_a_row_that_is_no_object_is_a_fault(element: object) -> None:
    page = parsed({"data": [TOKEN, element], "metadata": METADATA})

    assert (len(page.rows), page.length, page.faults) == (1, 2, ["row 2: it is not an object"])


NO_PAGES = {
    b"": "not JSON",
    b"{": "not JSON",
    b"\xff\xfe\x00": "not JSON",
    b"<!DOCTYPE html><html></html>": "web page",
    b"[]": "not an object",
    b"null": "not an object",
    b'"text"': "not an object",
    b"{}": "`data` is missing",
    b'{"data": null}': "`data` is not a list",
    b'{"data": 7}': "`data` is not a list",
    b'{"data": {"message": "Invalid"}, "metadata": null}': "`data` is an object",
    b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}": "",
}


@pytest.mark.parametrize("body", NO_PAGES, ids=lambda body: body[:30])
def test_what_is_no_page_says_what_it_is(body: bytes) -> None:
    with pytest.raises(NotAList) as raised:
        parsed(body)
    assert NO_PAGES[body] in str(raised.value)


NUMBERS = ("count", "current_page", "total_count", "total_pages", "per")


@pytest.mark.parametrize("said", ["", "x", "-1", "1.5", "\u0661", -1, 1.5, True, False, None, [], {}, ["1"]])
def test_what_is_no_number_is_no_claim(said: object) -> None:
    page = parsed({"data": [TOKEN], "metadata": dict.fromkeys(NUMBERS, said)})

    assert [getattr(page, name) for name in NUMBERS] == [None] * len(NUMBERS)


@pytest.mark.parametrize(
    ("said", "claimed"),
    [(0, 0), ("7", 7), (7.0, 7), (1 << 63, (1 << 63) - 1), (10**30, (1 << 63) - 1), ("9" * 5_000, (1 << 63) - 1)],
)
def test_a_number_in_any_form_is_a_claim(said: object, claimed: int) -> None:
    page = parsed({"data": [TOKEN], "metadata": dict.fromkeys(NUMBERS, said)})

    assert [getattr(page, name) for name in NUMBERS] == [claimed] * len(NUMBERS)


@pytest.mark.parametrize(("said", "is_link"), [("https://x/?page=2", True), (None, False), ("", False), (True, True)])
def test_of_a_link_it_is_known_only_whether_there_is_one(said: object, is_link: bool) -> None:
    page = parsed({"data": [TOKEN], "metadata": {"next_page_url": said, "previous_page_url": said}})

    assert (page.has_next, page.has_previous) == (is_link, is_link)
    assert "https://x/?page=2" not in repr(page)


@pytest.mark.parametrize(
    ("owner_id", "nested", "read", "is_fault"),
    [
        ("a", "a", "a", False),
        ("a", "A", "a", False),
        ("a", None, "a", False),
        (None, "b", "b", False),
        ("", "", None, False),
        ("a", "b", "a", True),
    ],
)
def test_the_owner_s_id_is_read_from_either_place(
    owner_id: str | None, nested: str | None, read: str | None, is_fault: bool
) -> None:
    page = parsed({"data": [TOKEN | {"owner_id": owner_id, "owner": {"id": nested}}], "metadata": METADATA})

    assert page.rows[0].owner_id == read
    assert page.faults == (["row 1: owner_id and owner.id name different owners"] if is_fault else [])


@pytest.mark.parametrize("metadata", [None, {}, [], "x", 5, True])
def test_metadata_can_be_anything(metadata: object) -> None:
    assert parsed({"data": [TOKEN], "metadata": metadata}).total_pages is None


def test_half_characters_bad_bytes_and_nan_are_read_all_the_same() -> None:
    body = json.dumps({"data": [TOKEN | {"description": "a\ud83d\0b", "\ud83d": 1}], "metadata": METADATA}).encode()
    assert parsed(body).rows[0].description == "a\ufffd\ufffdb"
    assert parsed(body.replace(b"Acclaim", b"\xff\xfe")).rows[0].owner_name == "\ufffd\ufffd"
    assert parsed(body.replace(b'"per": 50', b'"per": NaN')).per is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(
    data=ANYTHING | st.lists(ANYTHING | st.dictionaries(st.sampled_from(sorted(TOKEN)), ANYTHING), max_size=4),
    metadata=ANYTHING | st.dictionaries(st.sampled_from([*NUMBERS, "next_page_url"]), ANYTHING),
)
def test_no_content_breaks_it(data: object, metadata: object) -> None:
    try:
        page = parsed({"data": data, "metadata": metadata})
    except NotAList:
        assert not isinstance(data, list)
        return
    assert isinstance(data, list)
    assert page.length == len(data)
    texts = [text for row in page.rows for text in (row.id, row.description, row.created_at, row.owner_name) if text]
    assert all(text.encode() and "\0" not in text for text in texts)
    assert len(page.rows) == len(data) or page.faults


@given(st.text(st.characters(codec=None)))
def test_a_clean_text_can_be_stored(text: str) -> None:
    clean(text).encode()
    assert "\0" not in clean(text)
    assert len(clean(text)) == len(text)
