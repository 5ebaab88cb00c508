"""One pass over the pages of an organization: which page to ask for next, and what the pages contradict each other in.

No thread and no request here: pages are told to it in whichever order they come.
"""

from dataclasses import dataclass, field
from typing import Generic

from credly_audit.credly.wire import Page, R

MOST_PAGES = 10_000
"""Half a million tokens: more pages than that are a server's mistake."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page to ask for; `again` marks page 1 when it is read a second time, after all others."""

    number: int
    again: bool = False


@dataclass(slots=True)
class Reading(Generic[R]):
    """The pages read so far; `what` is a row of them, `trouble` says why it ended early.

    `_last` is the last page's number, None where pages are read until one is empty or brings no new id.
    """

    what: str
    pages: dict[int, Page[R]] = field(default_factory=dict)
    again: Page[R] | None = None
    trouble: str | None = None
    _next: int = 1
    _last: int | None = 1
    _open: int = 0
    _ended: bool = False
    _asked_again: bool = False
    _ids: set[str] = field(default_factory=set)

    def wanted(self) -> Wanted | None:
        """The next page to ask for, which counts as asked then; None where there is none, or none yet."""
        wanted = self._peek()
        if wanted is not None:
            self._open += 1
            if wanted.again:
                self._asked_again = True
            else:
                self._next += 1
        return wanted

    def remaining(self) -> int:
        """How many pages could be asked for now or later, as far as it is known."""
        if self.trouble:
            return 0
        if self._ended or self._last is None or self._next > self._last:
            return int(self._peek() is not None)
        return self._last - self._next + 1

    @property
    def open(self) -> int:
        """How many pages were asked for and have not come."""
        return self._open

    @property
    def finished(self) -> bool:
        """Whether nothing is open and nothing more is wanted."""
        return self._open == 0 and self._peek() is None

    def took(self, wanted: Wanted, page: Page[R]) -> None:
        """A page has come."""
        self._open -= 1
        if wanted.again:
            self.again = page
            return
        brought = {row.id for row in page.rows}
        is_new = not brought <= self._ids
        self._ids |= brought
        if wanted.number == 1:
            self._last = self._pages_claimed(page)
        if page.length == 0:
            self._ended = True
        elif self._last is None and not is_new:
            # A server that knows no page numbers answers page 1 for ever: that is its end, not a contradiction.
            self._ended = True
            if brought:
                return
        self.pages[wanted.number] = page
        if wanted.number > MOST_PAGES and not self._ended:
            self.end(f"there are more than {MOST_PAGES:,} pages without an end: that cannot be right")

    def fail(self, wanted: Wanted, sentence: str) -> None:
        """A page could not be had: nothing more is asked for, what is open may still come."""
        self._open -= 1
        page = "page 1, read again: " if wanted.again else f"page {wanted.number}: " if wanted.number > 1 else ""
        self.end(page + sentence)

    def end(self, sentence: str) -> None:
        """Nothing more is to be had; the first reason counts."""
        self.trouble = self.trouble or sentence

    def rows(self) -> dict[str, R]:
        """Every row once, by id, in the order of the pages; what page 1 showed the second time is later word."""
        pages = [page for _, page in sorted(self.pages.items())] + ([self.again] if self.again else [])
        return {row.id: row for page in pages for row in page.rows}

    def faults(self) -> list[str]:
        """Rows of the wrong type, with their page."""
        return [f"page {number}, {fault}" for number, page in sorted(self.pages.items()) for fault in page.faults]

    def total_count(self) -> int | None:
        """What the API claims, by its latest word."""
        pages = [page for _, page in sorted(self.pages.items())] + ([self.again] if self.again else [])
        return next((page.total_count for page in reversed(pages) if page.total_count is not None), None)

    def contradictions(self) -> list[str]:
        """What speaks against having seen every row once; empty where nothing does."""
        pages = [page for _, page in sorted(self.pages.items())]
        if not pages:
            return []
        claims = sorted({page.total_count for page in [*pages, self.again] if page and page.total_count is not None})
        lasts = {page.total_pages for page in [*pages, self.again] if page and page.total_pages is not None}
        shown = [row.id for page in pages for row in page.rows]
        found = []
        if self.again and {row.id for row in self.again.rows} != {row.id for row in pages[0].rows}:
            found.append(f"page 1 held other {self.what}s when it was read again at the end")
        if len(claims) > 1:
            found.append(f"its pages claim {claims[0]:,} and {claims[-1]:,} {self.what}s in all")
        if len(lasts) > 1:
            found.append("its pages disagree on how many pages there are")
        if short := self._short_page():
            found.append(f"page {short} is short though more pages follow")
        if len(shown) != len(set(shown)):
            found.append(f"{_a(self.what)} is listed twice")
        if len(claims) == 1 and claims[0] != len(set(shown)):
            found.append(f"{len(set(shown)):,} {self.what}s were listed of {claims[0]:,} claimed")
        return found

    def _short_page(self) -> int | None:
        """The first page before the last that has fewer rows than a page holds."""
        full = max(max(page.per or 0, page.length) for page in self.pages.values())
        last = self._last or max(number for number, page in self.pages.items() if page.length or number == 1)
        numbered = sorted(self.pages.items())
        return next((number for number, page in numbered if number < last and page.length < full), None)

    def _pages_claimed(self, first: Page[R]) -> int | None:
        """The last page's number by page 1; None where its metadata has no totals."""
        if first.total_pages is None or first.total_count is None:
            return None
        if first.total_pages > MOST_PAGES:
            self.end(f"page 1 claims {first.total_pages:,} pages, more than {MOST_PAGES:,}: that cannot be right")
        return max(1, first.total_pages)

    def _peek(self) -> Wanted | None:
        if self.trouble:
            return None
        if self._next == 1:
            return Wanted(1)
        if not self.pages:
            return None
        if not self._ended and (self._last is None or self._next <= self._last):
            return Wanted(self._next) if self._last is not None or self._open == 0 else None
        if self._open or self._asked_again or not self._has_more_than_one_page():
            return None
        return Wanted(1, again=True)

    def _has_more_than_one_page(self) -> bool:
        return (self._last or sum(1 for page in self.pages.values() if page.length)) > 1


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOaeio' else 'a'} {noun}"
