"""Organizations times pages into one Snapshot: every organization is asked, and one that fails harms no other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any

from credly_audit import __version__
from credly_audit.collection.evaluate_coverage import evaluate_coverage
from credly_audit.collection.frames import make_applications_frame, make_organizations_frame, make_tokens_frame, names
from credly_audit.collection.listing import Applications, Listing, Tokens
from credly_audit.collection.progress import Observer
from credly_audit.collection.reading import EarlyEnd, Wanted
from credly_audit.collection.schedule import Schedule
from credly_audit.config.settings import Api, Organization
from credly_audit.credly.auth import Credential
from credly_audit.credly.client import Client, Effort, Line
from credly_audit.credly.pace import Stopped, Throttled
from credly_audit.credly.refusals import explain_refusal
from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.credly.wire import ListPage, NotAList
from credly_audit.errors import Interrupted
from credly_audit.reasons import ReasonCode
from credly_audit.secrets import Unavailable
from credly_audit.secrets.fingerprint import Fingerprints, Trace
from credly_audit.secrets.redaction import Redactor
from credly_audit.snapshot import Header, Part, Snapshot

INTERRUPTED = "interrupted: nothing was written"

LOOK_UP = 0.1
"""Seconds between two looks whether somebody wants to stop."""


@dataclass(frozen=True, slots=True)
class Ask:
    """An organization, and the credential to ask with, or why there is none."""

    organization: Organization
    credential: Credential | Unavailable


def collect(
    asks: Sequence[Ask],
    api: Api,
    fingerprints: Fingerprints,
    *,
    observer: Observer,
    stop: Event | None = None,
    part: Part | None = None,
    configuration_digest: str | None = None,
) -> Snapshot:
    """Read the listing of every organization, and that of its OAuth applications where `api` says so.

    UsageError, before anything is asked, for an address or proxy that credentials must not be sent to; Interrupted,
    within two seconds, where `stop` is set or Ctrl-C comes. What one organization does wrong is in its own row. `part`
    names what is collected where it is not everything that is configured; both go into the header.
    """
    began = datetime.now(UTC)
    collection = _Collection(asks, api, fingerprints, stop)
    collection.run(observer)
    listings, redactor = collection.listings, collection.redactor
    tokens = make_tokens_frame(listings, redactor)
    return Snapshot(
        Header(
            collected_at=began,
            tool_version=__version__,
            base_url=collection.line.host.base_url,
            fingerprint_key=fingerprints.key_fingerprint,
            organizations_asked=tuple(ask.organization.id for ask in asks),
            oauth_applications_asked=api.include_oauth_applications,
            value_lengths=redactor.lengths,
            other_fingerprints=tuple(sorted(redactor.fingerprints.difference(tokens["fingerprint"].dropna()))),
            part=part,
            configuration_digest=configuration_digest,
        ),
        tokens,
        make_organizations_frame(listings, redactor),
        make_applications_frame(listings, redactor),
    )


@dataclass(slots=True)
class _Collection:
    """One run: the listings, the workers that fill them, and the thread that waits for both."""

    asks: Sequence[Ask]
    api: Api
    fingerprints: Fingerprints
    stop: Event | None
    over: Event = field(init=False, default_factory=Event)
    """Set when nothing more is to be asked, so that nobody waits for a turn in vain."""
    listings: list[Tokens] = field(init=False)
    line: Line = field(init=False)
    redactor: Redactor = field(init=False)
    news: "SimpleQueue[Listing[Any] | BaseException]" = field(init=False, default_factory=SimpleQueue)
    schedule: Schedule = field(init=False)

    def __post_init__(self) -> None:
        self.line = Line(self.api, self.over)
        self.listings = [
            _make_listing(place, ask, len(self.asks) if self.api.include_oauth_applications else None)
            for place, ask in enumerate(self.asks)
        ]
        self.redactor = Redactor(self.fingerprints.digest, self._traces())
        lists = sorted((each for listing in self.listings for each in listing.lists), key=lambda each: each.place)
        self.schedule = Schedule(lists, self.api.workers, self.news.put)

    def run(self, observer: Observer) -> None:
        """Until every listing is finished, or somebody stops it."""
        workers = [Thread(target=self._work, name=f"collector-{n}", daemon=True) for n in range(self.api.workers)]
        with observer.watching(len(self.asks)):
            try:
                for worker in workers:
                    worker.start()
                # pandas and Arrow load much on first use: better now, while the first answers are on their way.
                make_tokens_frame([], self.redactor)
                self._wait(observer)
            except KeyboardInterrupt:
                raise Interrupted(INTERRUPTED) from None
            finally:
                self.over.set()
                self.schedule.close()
        last_call = monotonic() + 1
        for worker in workers:
            worker.join(max(0.0, last_call - monotonic()))
        for trace in self._traces():  # by now also of the access tokens
            self.redactor.know(trace)

    def _traces(self) -> Iterator[Trace]:
        """What the credentials hold that no text may show."""
        for credential in {id(each.credential): each.credential for each in self.listings if each.credential}.values():
            yield from credential.traces

    def _wait(self, observer: Observer) -> None:
        waiting = {each.place: listing for listing in self.listings for each in listing.lists}
        while waiting:
            if self.stop and self.stop.is_set():
                raise Interrupted(INTERRUPTED)
            try:
                each = self.news.get(timeout=LOOK_UP)
            except Empty:
                continue
            if isinstance(each, BaseException):
                raise each
            listing = waiting.pop(each.place)
            if all(other.place not in waiting for other in listing.lists):
                [name] = names([listing], self.redactor)
                covered = evaluate_coverage(listing)
                reason = self.redactor.redact_values(covered.reason)
                observer.finished(name or "", covered.status, reason, tokens=len(listing.rows))

    def _work(self) -> None:
        """A worker's life: draw a page, ask for it, tell what came."""
        try:
            with Client(self.line) as client:
                while drawn := self.schedule.next():
                    self._ask(client, *drawn)
        except Stopped:
            pass
        except Throttled as error:
            advice = "run again later, or lower [api] requests_per_second"
            self.schedule.end(EarlyEnd(ReasonCode.THROTTLED, f"{error}: {advice}"))
        except BaseException as error:  # noqa: BLE001 - a defect must end the run, not leave it waiting for ever
            self.news.put(error)

    def _ask(self, client: Client, listing: Listing[Any], wanted: Wanted) -> None:
        effort = Effort()
        try:
            page = self._page(client, listing, wanted, effort)
        except NoAnswer as error:
            self.schedule.fail(listing, wanted, EarlyEnd(error.code, str(error)), effort)
        else:
            self.schedule.take(listing, wanted, page, effort)

    def _page(self, client: Client, listing: Listing[Any], wanted: Wanted, effort: Effort) -> ListPage[Any]:
        assert listing.credential is not None  # noqa: S101 - without one it was finished at once
        organization = listing.organization
        path = f"/organizations/{organization.id}/{listing.path}?page={wanted.number}"
        answer = client.get(path, listing.credential, effort)
        if answer.status != HTTPStatus.OK:
            called, doubt = organization.called, listing.credential.doubt
            raise explain_refusal(answer, called, self.redactor.redact, f"{listing.what}s", doubt=doubt)
        try:
            return listing.read(answer.body, self.fingerprints.of, self.redactor.know)
        except NotAList as error:
            raise NoAnswer(ReasonCode.NOT_A_LIST, f"the answer is not a list of {listing.what}s: {error}") from None


def _make_listing(place: int, ask: Ask, beyond: int | None) -> Tokens:
    """An organization's tokens; its applications, where they are asked for, stand `beyond` places further on."""
    credential = None if isinstance(ask.credential, Unavailable) else ask.credential
    listing = Tokens(place, ask.organization, credential)
    if beyond is not None:
        listing.applications = Applications(beyond + place, ask.organization, credential)
    if isinstance(ask.credential, Unavailable):
        for each in listing.lists:
            each.reading.end(EarlyEnd(ReasonCode.CREDENTIAL_UNAVAILABLE, ask.credential.reason))
    return listing
