"""Whatever the pages look like: no token is lost or doubled, and nothing is whole that a listing itself disproves."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.collection.coverage import coverage
from credly_audit.collection.listing import Tokens
from credly_audit.collection.reading import MOST_PAGES, Reading, Wanted
from credly_audit.config.settings import Organization
from credly_audit.credly.wire import Page, Row

PER_PAGE = 3


def row(identifier: str) -> Row:
    return Row(identifier, None, None, True, True, False, None, None, None, None, None, None, None)


def page(ids: list[str], total: int | None, pages: int | None, per: int | None = PER_PAGE) -> Page:
    return Page([row(each) for each in ids], total, pages, per, [], len(ids))


Server = Callable[[Wanted], Page]


class World:
    """A list of tokens that is served in pages; `changes` happen after so many requests."""

    def __init__(self, tokens: list[str], changes: dict[int, tuple[str, int]], *, totals: bool) -> None:
        self.tokens = list(tokens)
        self.changes = changes
        self.totals = totals
        self.asked = 0

    def answer(self, wanted: Wanted) -> Page:
        self.asked += 1
        first = (wanted.number - 1) * PER_PAGE
        total = len(self.tokens)
        pages = max(1, -(-total // PER_PAGE))
        shown = self.tokens[first : first + PER_PAGE]
        answer = page(shown, total, pages) if self.totals else page(shown, None, None, None)
        change = self.changes.get(self.asked)
        if change:
            how, place = change
            if how == "add":
                self.tokens.insert(place % (len(self.tokens) + 1), f"new{self.asked}")
            elif self.tokens:
                self.tokens.pop(place % len(self.tokens))
        return answer


def listing() -> Tokens:
    organization = Organization(id="88cf96b7-e4ca-4a17-b938-a72bf2b9c273")
    return Tokens(0, organization, None)


def read(listing: Tokens, server: Server, order: Callable[[list[Any]], int]) -> None:
    """As the workers do: some pages are open at a time, and they come in any order."""
    waiting: list[tuple[Wanted, Page]] = []
    for _ in range(10_000):
        while len(waiting) < 3 and (wanted := listing.wanted()):
            waiting.append((wanted, server(wanted)))
        if not waiting:
            break
        listing.took(*waiting.pop(order(waiting)))
    assert listing.finished


TOKENS = st.integers(0, 20).map(lambda many: [f"t{number}" for number in range(many)])
CHANGES = st.dictionaries(st.integers(1, 12), st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 30)))


@settings(deadline=None)
@given(tokens=TOKENS, totals=st.booleans(), data=st.data())
def test_a_list_that_stands_still_is_read_whole_in_whichever_order_its_pages_come(
    tokens: list[str], totals: bool, data: st.DataObject
) -> None:
    one = listing()

    read(one, World(tokens, {}, totals=totals).answer, lambda waiting: data.draw(st.integers(0, len(waiting) - 1)))

    assert list(one.rows) == tokens
    assert one.earlier is None
    assert coverage(one).status == ("complete" if tokens else "unverified")


@settings(deadline=None, max_examples=300)
@given(tokens=TOKENS, changes=CHANGES, totals=st.booleans(), data=st.data())
def test_a_list_that_shifts_is_complete_only_with_what_some_instant_could_have_shown(
    tokens: list[str], changes: dict[int, tuple[str, int]], totals: bool, data: st.DataObject
) -> None:
    world = World(tokens, changes, totals=totals)
    one = listing()

    read(one, world.answer, lambda waiting: data.draw(st.integers(0, len(waiting) - 1)))

    rows = list(one.rows)
    assert len(rows) == len(set(rows))
    if totals and coverage(one).status == "complete":
        assert len(rows) == one.reading.total_count()
        assert not one.reading.contradictions()
    last_change = max(changes, default=0)
    if totals and coverage(one).status == "complete" and one.earlier and last_change < len(one.earlier.pages):
        assert set(rows) == set(world.tokens)


@settings(deadline=None)
@given(
    layout=st.lists(st.lists(st.sampled_from([f"t{n}" for n in range(8)]), max_size=4), min_size=1, max_size=5),
    total=st.none() | st.integers(0, 12),
    pages=st.none() | st.integers(0, 6),
    per=st.none() | st.integers(0, 4),
)
def test_random_pages_are_never_complete_against_their_own_word(
    layout: list[list[str]], total: int | None, pages: int | None, per: int | None
) -> None:
    def answer(wanted: Wanted) -> Page:
        here = layout[wanted.number - 1] if wanted.number <= len(layout) else []
        return page(here, total, pages, per)

    one = listing()
    read(one, answer, lambda _: 0)

    shown = [
        each for number in sorted(one.reading.pages) for each in [row.id for row in one.reading.pages[number].rows]
    ]
    assert set(one.rows) >= set(shown)
    if coverage(one).status == "complete":
        assert len(shown) == len(set(shown))
        assert total is None or total == len(shown)


def test_a_server_that_knows_no_page_numbers_has_one_page() -> None:
    one = listing()

    read(one, lambda _: page(["a", "b"], None, None, None), lambda _: 0)

    assert (list(one.rows), len(one.reading.pages), one.earlier) == (["a", "b"], 1, None)
    assert coverage(one).status == "complete"


def test_exactly_so_many_pages_are_read_and_no_more() -> None:
    one = listing()

    def endless(wanted: Wanted) -> Page:
        return page([f"t{wanted.number}"], None, None, None)

    while not one.finished:
        wanted = one.wanted()
        assert wanted is not None
        one.took(wanted, endless(wanted))

    assert max(one.reading.pages) == MOST_PAGES + 1
    assert coverage(one).status == "failed"
    assert "more than 10,000 pages" in coverage(one).reason


def test_pages_are_counted_up_even_where_the_total_says_fewer() -> None:
    reading = Reading("token")
    first = reading.wanted()
    assert first is not None
    reading.took(first, page(["a", "b", "c"], 3, 3))

    assert [reading.wanted(), reading.wanted(), reading.wanted()] == [Wanted(2), Wanted(3), None]


def test_an_empty_page_ends_the_asking() -> None:
    reading = Reading("token")
    reading.took(reading.wanted() or Wanted(0), page(["a", "b", "c"], 300, 100))
    second = reading.wanted()
    assert second == Wanted(2)
    reading.took(second, page([], 300, 100))

    assert reading.wanted() == Wanted(1, again=True)
