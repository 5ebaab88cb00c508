"""One pass over the pages of a list: which page to ask for next, and what speaks against having read every row once.

No thread and no request here: pages are handed in, in whichever order they arrive.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple

from credly_audit.credly.wire import ListPage, R
from credly_audit.reasons import ReasonCode

MOST_PAGES = 10_000
"""Half a million tokens: a list with more pages is a server's mistake."""

PAGE_SIZE = 50
"""Rows of a page: 'At most 50 results are returned at a time' ([DOC] workforce)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page to ask for; `again` marks page 1 when it is read a second time, after all others."""

    number: int
    again: bool = False


class EarlyEnd(NamedTuple):
    """Why a reading ended before everything was read: for programs, and as a sentence."""

    code: ReasonCode
    sentence: str


@dataclass(slots=True)
class Reading(Generic[R]):
    """The pages read so far; `what` is a row of them, `trouble` says why it ended early."""

    what: str
    pages: dict[int, ListPage[R]] = field(default_factory=dict)
    again: ListPage[R] | None = None
    trouble: EarlyEnd | None = None
    has_totals: bool = True
    """Whether page 1 says how many rows there are in all. Without that one pass proves nothing, and its pages are read
    one after the other: two such passes show the same only where no row moved from page to page."""
    _next: int = 1
    _last: int | None = None
    """The highest page that the API claims; None where totals are missing and pages are read until one is empty."""
    _size: int = 0
    """Rows of a full page, as far as that is known."""
    _open: int = 0
    _ended: bool = False
    _asked_again: bool = False
    _ids: set[str] = field(default_factory=set)

    def wanted(self) -> Wanted | None:
        """Return the next page to ask for, which counts as asked then; None where there is none, or none yet."""
        wanted = self._peek()
        if wanted is not None:
            self._open += 1
            if wanted.again:
                self._asked_again = True
            else:
                self._next += 1
        return wanted

    def remaining(self) -> int:
        """Return how many pages could be asked for now or later, as far as that is known."""
        if self.trouble:
            return 0
        if self._last is None or self._ended or self._next > self._last:
            return int(self._peek() is not None)
        return self._last - self._next + 1

    @property
    def open(self) -> int:
        """Return the number of pages that were requested and have not arrived."""
        return self._open

    @property
    def finished(self) -> bool:
        """Whether nothing is open and nothing more is wanted."""
        return self._open == 0 and self._peek() is None

    def take(self, wanted: Wanted, page: ListPage[R]) -> None:
        """Take in a page that has arrived."""
        self._open -= 1
        if wanted.again:
            self.again = page
            return
        self.pages[wanted.number] = page
        ids = {row.id for row in page.rows}
        # Empty, or shown before: asking on would have no end where a server claims pages without end.
        self._ended = self._ended or ids <= self._ids
        self._ids |= ids
        self._heed_claims(wanted.number, page)
        if wanted.number > MOST_PAGES and not self._ended:
            self._end_of_pages(f"there are more than {MOST_PAGES:,} pages without an end")

    def fail(self, wanted: Wanted, trouble: EarlyEnd) -> None:
        """Note that a page could not be read: nothing more is asked for, what is open may still arrive."""
        self._open -= 1
        page = "page 1, read again: " if wanted.again else f"page {wanted.number}: " if wanted.number > 1 else ""
        self.end(trouble._replace(sentence=page + trouble.sentence))

    def end(self, trouble: EarlyEnd) -> None:
        """Ask for nothing more; the first reason counts."""
        self.trouble = self.trouble or trouble

    def _end_of_pages(self, claim: str) -> None:
        self.end(EarlyEnd(ReasonCode.TOO_MANY_PAGES, f"{claim}, which is not plausible"))

    def rows(self) -> dict[str, R]:
        """Return every row once, by id, in the order of the pages; page 1 read again is the later word."""
        return {row.id: row for _, page in self._arrived() for row in page.rows}

    def faults(self) -> list[str]:
        """Return the rows with a field of the wrong type, with their page."""
        return [f"page {number}, {fault}" for number, page in sorted(self.pages.items()) for fault in page.faults]

    def total_count(self) -> int | None:
        """Return the latest claim of how many rows there are."""
        claims = (page.total_count for _, page in reversed(list(self._arrived())))
        return next((claim for claim in claims if claim is not None), None)

    def shows_same_as(self, other: "Reading[R]") -> bool:
        """Return whether both passes showed the same ids on the same pages."""
        return self.pages.keys() == other.pages.keys() and all(
            _ids_of(page) == _ids_of(other.pages[number]) for number, page in self.pages.items()
        )

    def contradictions(self) -> list[str]:
        """Return what speaks against having read every row exactly once; empty where nothing does.

        Every number that the metadata of any page claims has to agree with the rows and with the other pages.
        """
        kinds = (self._shift(), self._wrong_page(), self._disagreement(), self._unread_page(), self._wrong_rows())
        return [found for kind in kinds for found in kind]

    def _shift(self) -> Iterator[str]:
        if self.again and _ids_of(self.again) != _ids_of(self.pages[1]):
            yield f"page 1 contained other {self.what}s when it was read again at the end"

    def _wrong_page(self) -> Iterator[str]:
        """Find the first page that says that it is another, and the first that miscounts its own rows."""
        pages = list(self._arrived())
        for number, page in pages:
            if page.current_page not in {None, number}:
                yield f"page {number} reports that it is page {page.current_page:,}"
                break
        for number, page in pages:
            if page.count not in {None, page.length}:
                yield f"page {number} reports {page.count:,} {self.what}s and contains {page.length:,}"
                break

    def _disagreement(self) -> Iterator[str]:
        """Find numbers that are the same on all pages of a list that nobody changes."""
        pages = [page for _, page in self._arrived()]
        totals = sorted({page.total_count for page in pages if page.total_count is not None})
        if totals and any(page.total_count is None for page in pages):
            yield f"not all of its pages report how many {self.what}s there are"
        if len(totals) > 1:
            yield f"its pages report {totals[0]:,} and {totals[-1]:,} {self.what}s in total"
        if len({page.total_pages for page in pages if page.total_pages is not None}) > 1:
            yield "its pages disagree on how many pages there are"
        if len({page.per for page in pages if page.per is not None}) > 1:
            yield f"its pages disagree on how many {self.what}s a page contains"

    def _unread_page(self) -> Iterator[str]:
        """Find claims of pages that hold nothing, and pages that are short though others follow."""
        filled = max((number for number, page in self.pages.items() if page.length), default=1)
        least = 0 if self.pages[filled].length else 1  # an empty list may claim a page or none
        claims = [max(least, page.total_pages) for page in self.pages.values() if page.total_pages is not None]
        claimed = max(claims, default=filled)
        followed = sorted(number for number in self.pages if number < max(filled, claimed))
        if short := next((number for number in followed if self.pages[number].length < self._size), None):
            yield f"page {short} is not full although more pages follow"
        if claimed != filled:
            yield f"the last page with {self.what}s is page {filled:,}, not page {claimed:,} as reported"
        if self.pages[filled].has_next:
            yield f"page {filled} links to a next page, which contains no further {self.what}"
        if self.pages[1].has_previous:
            yield "page 1 links to a page before it"

    def _wrong_rows(self) -> Iterator[str]:
        total, distinct = self.total_count(), len(self._ids)
        if sum(len(page.rows) for page in self.pages.values()) != distinct:
            yield f"{_add_article(self.what)} is listed twice"
        if total not in {None, distinct}:
            yield f"{distinct:,} of {total:,} reported {self.what}s were listed"

    def _arrived(self) -> Iterator[tuple[int, ListPage[R]]]:
        """Every page with its number, page 1 once more where it was read again."""
        yield from sorted(self.pages.items())
        if self.again:
            yield 1, self.again

    def _heed_claims(self, number: int, page: ListPage[R]) -> None:
        """Note the highest page that this one claims: by its number of pages, of rows, or a link to the next."""
        if number == 1:
            self.has_totals = page.total_count is not None
            self._last = None if page.total_pages is None or page.total_count is None else 1
        if (page.total_pages or 0) > MOST_PAGES:
            self._end_of_pages(f"page {number} reports {page.total_pages:,} pages, more than {MOST_PAGES:,}")
        self._size = max(self._size, page.per or 0, page.length)
        if self._last is not None:
            implied = -(-(page.total_count or 0) // self._size) if self._size else 1
            linked = number + 1 if page.has_next else 1
            self._last = min(max(self._last, page.total_pages or 1, implied, linked), MOST_PAGES + 1)

    def _peek(self) -> Wanted | None:
        if self.trouble:
            return None
        if self._next == 1:
            return Wanted(1)
        if not self.pages:
            return None
        if not self._ended and (self._last is None or self._next <= self._last):
            return Wanted(self._next) if self._last is not None or self._open == 0 else None
        if self._open or self._asked_again or not self._is_page_1_full():
            return None
        # Without totals a second pass reads page 1 again, and all others.
        return Wanted(1, again=True) if self.has_totals else None

    def _is_page_1_full(self) -> bool:
        first = self.pages[1]
        return first.length >= min(first.per or PAGE_SIZE, PAGE_SIZE) or any(
            page.length for number, page in self.pages.items() if number > 1
        )


def _ids_of(page: ListPage[R]) -> set[str]:
    return {row.id for row in page.rows}


def _add_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOaeio' else 'a'} {noun}"
