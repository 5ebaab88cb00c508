"""Whatever the pages look like: no token is lost or doubled, and nothing is complete that the list itself disproves."""

import json
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from credly_audit.collection.evaluate_coverage import evaluate_coverage
from credly_audit.collection.listing import Tokens
from credly_audit.collection.reading import MOST_PAGES, Reading, Wanted
from credly_audit.config.settings import Organization
from credly_audit.credly.wire import ListPage, TokenRow, read_page

PER_PAGE = 3
FIELDS = ("count", "current_page", "total_count", "total_pages", "per", "previous_page_url", "next_page_url")

DROPPED = object()
Claim = Any
"""What stands in a field: a function of the true value, or DROPPED."""


def page_of(ids: list[str], metadata: Any) -> ListPage[TokenRow]:
    rows = [{"id": each, "write_enabled": True} for each in ids]
    return read_page(json.dumps({"data": rows, "metadata": metadata}).encode(), lambda _: None, lambda _: None)


def true_metadata(number: int, shown: int, total: int) -> dict[str, Any]:
    pages = max(1, ceil(total / PER_PAGE))
    return {
        "count": shown,
        "current_page": number,
        "total_count": total,
        "total_pages": pages,
        "per": PER_PAGE,
        "previous_page_url": f"https://x/?page={number - 1}" if number > 1 else None,
        "next_page_url": f"https://x/?page={number + 1}" if number < pages else None,
    }


class Change(NamedTuple):
    """What somebody does to the list after a request."""

    how: str
    place: int


class Server:
    """A list of tokens that changes after some requests, and what the server says of it in the metadata.

    `replays` are requests that a cache answers with the rows of an earlier request for another page; `short` is a
    request whose page lacks its last row, though another page follows.
    """

    def __init__(
        self,
        tokens: list[str],
        changes: Mapping[int, Change] | None = None,
        claims: Mapping[str, Claim] | None = None,
        *,
        replays: Mapping[int, int] | None = None,
        short: int = 0,
    ) -> None:
        self.tokens = list(tokens)
        self.throughout = set(tokens)
        self.changes = changes or {}
        self.claims = claims or {}
        self.replays = replays or {}
        self.short = short
        self.asked = 0
        self.shown: list[tuple[int, list[str]]] = []
        self.changed: list[tuple[int, str]] = []

    def answer(self, wanted: Wanted) -> ListPage[TokenRow]:
        self.asked += 1
        ids = self._rows(wanted.number)
        self.shown.append((wanted.number, ids))
        metadata = true_metadata(wanted.number, len(ids), len(self.tokens))
        for field, claim in self.claims.items():
            if claim is DROPPED:
                del metadata[field]
            else:
                metadata[field] = claim(metadata[field])
        if self.asked in self.changes:
            self._change(self.changes[self.asked])
        return page_of(ids, metadata)

    def _rows(self, number: int) -> list[str]:
        ids = self.tokens[(number - 1) * PER_PAGE : number * PER_PAGE]
        if self.asked == self.short and len(self.tokens) > number * PER_PAGE:
            return ids[:-1]
        others = [rows for page, rows in self.shown if page != number and rows]
        return others[self.replays[self.asked] % len(others)] if self.asked in self.replays and others else ids

    def _change(self, change: Change) -> None:
        if change.how == "add":
            self.tokens.insert(change.place % (len(self.tokens) + 1), f"new{self.asked}")
        elif self.tokens:
            self.throughout.discard(self.tokens.pop(change.place % len(self.tokens)))
        self.changed.append((self.asked, change.how))


Answers = Callable[[Wanted], ListPage[TokenRow]]


def new_listing() -> Tokens:
    return Tokens(0, Organization(id="88cf96b7-e4ca-4a17-b938-a72bf2b9c273"), None)


def read(listing: Tokens, answers: Answers, order: Callable[[list[Wanted]], int] = lambda _: 0) -> Tokens:
    """Read as the workers do: some pages are open at a time, and they are answered in any order."""
    waiting: list[Wanted] = []
    for _ in range(30_000):
        while len(waiting) < 3 and listing.reading.remaining() and (wanted := listing.wanted()):
            waiting.append(wanted)
        if not waiting:
            break
        wanted = waiting.pop(order(waiting))
        listing.take(wanted, answers(wanted))
    assert listing.finished
    return listing


TOKENS = st.integers(0, 14).map(lambda many: [f"t{number}" for number in range(many)])
CHANGES = st.dictionaries(
    st.integers(1, 16), st.builds(Change, st.sampled_from(["add", "remove"]), st.integers(0, 20)), max_size=5
)
NO_NUMBERS = st.sampled_from([True, False, None, "x", "-1", -1, 1.5, [], {}, "", "1e3"])
NUMBERS = st.integers(0, 12) | st.sampled_from([10**25, "4", "99", 3.0, 1e300, float("inf")])


def constant(value: Any) -> Claim:
    return lambda _: value


def beside(by: int) -> Claim:
    return lambda true: max(0, true + by)


ANY_CLAIM = st.just(DROPPED) | (NO_NUMBERS | NUMBERS).map(constant)
LINK = st.just(DROPPED) | st.sampled_from(["https://x/?page=9", None, "", True]).map(constant)
TRUE_OR_NONE = st.just(DROPPED) | NO_NUMBERS.map(constant)
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "count": ANY_CLAIM,
        "current_page": ANY_CLAIM,
        "total_count": TRUE_OR_NONE,
        "total_pages": ANY_CLAIM,
        "per": ANY_CLAIM,
        "previous_page_url": LINK,
        "next_page_url": LINK,
    },
)


def drawn_order(data: st.DataObject) -> Callable[[list[Wanted]], int]:
    return lambda waiting: data.draw(st.integers(0, len(waiting) - 1)) if len(waiting) > 1 else 0


@settings(deadline=None)
@given(tokens=TOKENS, dropped=st.sets(st.sampled_from(FIELDS)), data=st.data())
def test_a_list_that_nobody_changes_is_complete_whatever_part_of_the_metadata_is_missing(
    tokens: list[str], dropped: set[str], data: st.DataObject
) -> None:
    server = Server(tokens, claims=dict.fromkeys(dropped, DROPPED))

    listing = read(new_listing(), server.answer, drawn_order(data))

    assert list(listing.rows) == tokens
    assert listing.strikes == 0
    assert evaluate_coverage(listing).status == ("complete" if tokens else "unverified")


def test_the_listing_without_totals_of_51_tokens_of_which_one_is_removed() -> None:
    """The first input of issue 11, point 4, scaled to pages of three."""
    server = Server(["t0", "t1", "t2", "t3"], {1: Change("remove", 0)}, dict.fromkeys(FIELDS, DROPPED))

    listing = read(new_listing(), server.answer)

    assert (evaluate_coverage(listing).status, list(listing.rows)) == ("complete", ["t1", "t2", "t3"])
    assert listing.strikes == 1


def net_zero(server: Server, listing: Tokens) -> bool:
    """Whether tokens were both created and removed within the reading that counted, by its requests."""
    first = server.asked - len(listing.reading.pages) - (listing.reading.again is not None) + 1
    return {how for request, how in server.changed if request >= first} == {"add", "remove"}


@settings(deadline=None, max_examples=250)
@given(
    tokens=TOKENS,
    changes=CHANGES,
    claims=CLAIMS,
    replays=st.dictionaries(st.integers(2, 16), st.integers(0, 9), max_size=2),
    short=st.integers(0, 6),
    data=st.data(),
)
@example(
    tokens=["t0", "t1", "t2", "t3"],
    changes={1: Change("remove", 0)},
    claims=dict.fromkeys(FIELDS, DROPPED),
    replays={},
    short=0,
    data=None,
)
def test_complete_means_that_every_token_that_existed_throughout_was_collected_once(
    tokens: list[str],
    changes: dict[int, Change],
    claims: dict[str, Claim],
    replays: dict[int, int],
    short: int,
    data: st.DataObject | None,
) -> None:
    """As many created as removed within one reading is the documented exception, where the list has totals alone."""
    # Where neither tells how long a page or the list is, nobody could notice a page that lacks a row.
    is_measured = "total_count" not in claims or "per" not in claims
    server = Server(tokens, changes, claims, replays=replays, short=short if is_measured else 0)

    listing = read(new_listing(), server.answer, drawn_order(data) if data else lambda _: 0)

    if evaluate_coverage(listing).status == "complete":
        assume(not (listing.reading.has_totals and net_zero(server, listing)))
        shown = [row.id for page in listing.reading.pages.values() for row in page.rows]
        assert len(shown) == len(set(shown)) == len(listing.rows)
        assert server.throughout <= set(listing.rows)


@settings(deadline=None, max_examples=100)
@given(
    tokens=TOKENS,
    changes=CHANGES,
    by=st.integers(-4, 4).filter(bool),
    others=st.sets(st.sampled_from([field for field in FIELDS if field != "total_count"])),
)
def test_a_total_that_is_wrong_is_never_complete(
    tokens: list[str], changes: dict[int, Change], by: int, others: set[str]
) -> None:
    claims: dict[str, Claim] = dict.fromkeys(others, DROPPED) | {"total_count": beside(by)}
    server = Server(tokens, changes, claims)

    listing = read(new_listing(), server.answer)

    if evaluate_coverage(listing).status == "complete":
        assert net_zero(server, listing)


@settings(deadline=None)
@given(
    layout=st.lists(st.lists(st.sampled_from([f"t{n}" for n in range(8)]), max_size=4), min_size=1, max_size=5),
    metadata=st.dictionaries(st.sampled_from(FIELDS), NUMBERS | NO_NUMBERS) | NO_NUMBERS,
)
def test_random_pages_are_never_complete_against_their_own_word(layout: list[list[str]], metadata: Any) -> None:
    def answer(wanted: Wanted) -> ListPage[TokenRow]:
        return page_of(layout[wanted.number - 1] if wanted.number <= len(layout) else [], metadata)

    listing = read(new_listing(), answer)

    pages = [page for _, page in sorted(listing.reading.pages.items())]
    shown = [row.id for page in pages for row in page.rows]
    assert set(listing.rows) >= set(shown)
    if evaluate_coverage(listing).status == "complete":
        assert len(shown) == len(set(shown))
        assert all(page.total_count in {None, len(shown)} for page in pages)
        assert all(page.count in {None, page.length} for page in pages)
        assert all(page.current_page in {None, number} for number, page in listing.reading.pages.items())
        filled = max(number for number, page in listing.reading.pages.items() if page.length)
        assert all(page.total_pages in {None, filled} for page in pages)
        assert not listing.reading.pages[filled].has_next


LIES: dict[str, tuple[list[str], dict[str, Claim], str]] = {
    "count": (["a"], {"count": constant(50)}, "page 1 reports 50 tokens and contains 1"),
    "current-page": (["a"], {"current_page": constant(2)}, "page 1 reports that it is page 2"),
    "no-pages": (["a"], {"total_pages": constant(0)}, "the last page with tokens is page 1, not page 0 as reported"),
    "next-link": (["a", "b", "c"], {"next_page_url": constant("https://x/")}, "page 1 links to a next page"),
    "previous-link": (["a"], {"previous_page_url": constant("https://x/")}, "page 1 links to a page before it"),
    "total-pages-alone": (
        ["a", "b", "c"],
        dict.fromkeys(FIELDS, DROPPED) | {"total_pages": constant(3)},
        "the last page with tokens is page 1, not page 3 as reported",
    ),
    "fewer-pages-than-tokens": (
        [f"t{n}" for n in range(8)],
        {"total_pages": constant(2), "next_page_url": DROPPED},
        "the last page with tokens is page 3, not page 2 as reported",
    ),
    "total-as-text": (["a"], {"total_count": constant("2")}, "1 of 2 reported tokens were listed"),
    "huge-total": (["a"], {"total_count": constant(10**400)}, "1 of 9,223,372,036,854,775,807 reported tokens"),
    "per": ([f"t{n}" for n in range(8)], {"per": constant(4)}, "page 1 is not full although more pages follow"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_claim_that_the_rows_disprove_is_a_mismatch_that_says_so(lie: str) -> None:
    tokens, claims, said = LIES[lie]

    listing = read(new_listing(), Server(tokens, claims=claims).answer)

    assert evaluate_coverage(listing).status == "mismatch"
    assert said in evaluate_coverage(listing).reason
    assert list(listing.rows) == tokens


def test_pages_that_disagree_on_their_size_are_a_mismatch() -> None:
    def answer(wanted: Wanted) -> ListPage[TokenRow]:
        rows = [[], ["a", "b", "c"], ["d", "e"], []][min(wanted.number, 3)]
        return page_of(rows, {"per": 3 if wanted.number == 1 else 2})

    listing = read(new_listing(), answer)

    assert "its pages disagree on how many tokens a page contains" in evaluate_coverage(listing).reason


def test_a_total_that_only_some_pages_claim_is_a_mismatch() -> None:
    def answer(wanted: Wanted) -> ListPage[TokenRow]:
        return page_of([f"t{wanted.number}"], {"total_count": 2, "total_pages": 2} if wanted.number == 1 else {})

    assert (
        "not all of its pages report how many tokens there are" in evaluate_coverage(read(new_listing(), answer)).reason
    )


@pytest.mark.parametrize("totals", [{"total_count": 0, "total_pages": 1}, {"total_count": 0, "total_pages": 0}])
def test_no_tokens_are_one_page_and_not_none(totals: dict[str, int]) -> None:
    asked: list[Wanted] = []

    def answer(wanted: Wanted) -> ListPage[TokenRow]:
        asked.append(wanted)
        return page_of([], totals)

    assert evaluate_coverage(read(new_listing(), answer)).status == "unverified"
    assert asked == [Wanted(1)]


COSTS = {0: 1, 2: 1, 3: 2, 4: 3, 6: 3, 7: 4}


@pytest.mark.parametrize("tokens", COSTS)
def test_with_totals_a_list_costs_its_pages_and_page_1_again_where_that_was_full(tokens: int) -> None:
    server = Server([f"t{n}" for n in range(tokens)])

    read(new_listing(), server.answer)

    assert server.asked == COSTS[tokens]


def test_a_page_without_numbers_that_repeats_is_no_proof() -> None:
    """A server that ignores `page`, or a cache that answers page 1 for every page: nothing tells them apart."""
    listing = read(new_listing(), lambda _: page_of(["a", "b"], {}))

    assert (list(listing.rows), evaluate_coverage(listing).status) == (["a", "b"], "mismatch")
    assert "a token is listed twice" in evaluate_coverage(listing).reason


def test_a_cache_that_answers_page_1_for_every_page_is_not_asked_for_all_that_it_claims() -> None:
    asked: list[int] = []

    def answer(wanted: Wanted) -> ListPage[TokenRow]:
        asked.append(wanted.number)
        return page_of(["a", "b", "c"], {"total_pages": 9_999})

    assert evaluate_coverage(read(new_listing(), answer)).status == "mismatch"
    assert max(asked) == 2


@pytest.mark.parametrize("metadata", [{}, {"total_count": 10**9}, {"total_count": 10**9, "total_pages": 1}])
def test_exactly_so_many_pages_are_read_and_no_more(metadata: dict[str, int]) -> None:
    listing = read(new_listing(), lambda wanted: page_of([f"t{wanted.number}"], metadata))

    assert max(listing.reading.pages) == MOST_PAGES + 1
    assert evaluate_coverage(listing).status == "failed"
    assert "more than 10,000 pages" in evaluate_coverage(listing).reason


def test_a_claim_of_more_pages_than_that_fails_at_once() -> None:
    listing = read(new_listing(), lambda _: page_of(["a", "b", "c"], {"total_count": 3, "total_pages": 10_001}))

    assert len(listing.reading.pages) == 1
    assert evaluate_coverage(listing).reason.startswith("Page 1 reports 10,001 pages, more than 10,000")


def test_an_empty_page_ends_the_asking() -> None:
    reading: Reading[TokenRow] = Reading("token")
    claims = {"total_count": 300, "total_pages": 100, "per": 3}
    reading.take(reading.wanted() or Wanted(0), page_of(["a", "b", "c"], claims))
    second = reading.wanted()
    assert second == Wanted(2)
    reading.take(second, page_of([], claims))

    assert reading.wanted() == Wanted(1, again=True)
