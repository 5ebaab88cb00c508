"""What is asked next: first pages first, then what has most pages left, so that one huge organization does not trail.

The workers draw from it themselves; all state of all listings changes under its one lock.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition
from typing import Any

from credly_audit.collection.listing import Listing
from credly_audit.collection.reading import EarlyEnd, Wanted
from credly_audit.credly.client import Effort
from credly_audit.credly.wire import ListPage


class Schedule:
    """`window` is how many pages of one organization are asked for at a time; `on_finished` hears of each listing.

    `on_finished` is called with the lock held and must not call back.
    """

    def __init__(
        self, listings: Sequence[Listing[Any]], window: int, on_finished: Callable[[Listing[Any]], None]
    ) -> None:
        self._window = window
        self._on_finished = on_finished
        self._new = deque(listing for listing in listings if not listing.finished)
        self._unfinished = {listing.place: listing for listing in self._new}
        self._most_left: list[tuple[int, int]] = []
        self._changed = Condition()
        self._closed = False
        for listing in listings:
            if listing.finished:
                on_finished(listing)

    def next(self) -> tuple[Listing[Any], Wanted] | None:
        """What to ask for now, waiting until there is something; None where all is over."""
        with self._changed:
            while not self._closed and self._unfinished:
                drawn = self._draw()
                if drawn is not None:
                    return drawn
                self._changed.wait()
            return None

    def take(self, listing: Listing[Any], wanted: Wanted, page: ListPage[Any], effort: Effort) -> None:
        """Take in a page that has arrived."""
        with self._changed:
            if self._still_counts(listing, effort):
                listing.take(wanted, page)
                self._look_again(listing)

    def fail(self, listing: Listing[Any], wanted: Wanted, trouble: EarlyEnd, effort: Effort) -> None:
        """Note that a page could not be read."""
        with self._changed:
            if self._still_counts(listing, effort):
                listing.fail(wanted, trouble)
                self._look_again(listing)

    def end(self, trouble: EarlyEnd) -> None:
        """Give up on all that is unfinished, for this reason; what was had is kept."""
        with self._changed:
            for listing in list(self._unfinished.values()):
                listing.reading.end(trouble)
                self._finish(listing)
            self.close()

    def close(self) -> None:
        """Nothing more is handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _draw(self) -> tuple[Listing[Any], Wanted] | None:
        if self._new:
            listing = self._new.popleft()
            return listing, self._wanted_of(listing)
        while self._most_left:
            _, place = heapq.heappop(self._most_left)
            standing = self._unfinished.get(place)
            if standing is not None and standing.reading.open < self._window and standing.reading.remaining():
                return standing, self._wanted_of(standing)
        return None

    def _wanted_of(self, listing: Listing[Any]) -> Wanted:
        wanted = listing.wanted()
        assert wanted is not None  # noqa: S101 - something remains
        self._offer(listing)
        return wanted

    def _still_counts(self, listing: Listing[Any], effort: Effort) -> bool:
        """Whether its end was not told yet: from then on others read it."""
        if listing.place not in self._unfinished:
            return False
        listing.effort.add(effort)
        return True

    def _look_again(self, listing: Listing[Any]) -> None:
        if listing.finished:
            self._finish(listing)
        else:
            self._offer(listing)
        self._changed.notify_all()

    def _finish(self, listing: Listing[Any]) -> None:
        del self._unfinished[listing.place]
        self._on_finished(listing)

    def _offer(self, listing: Listing[Any]) -> None:
        """Put it where its remaining pages say; a listing may stand there more than once, which does no harm."""
        remaining = listing.reading.remaining()
        if remaining and listing.reading.open < self._window:
            heapq.heappush(self._most_left, (-remaining, listing.place))
