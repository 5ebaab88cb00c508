"""What an answer with an error status means to the person who reads the report, and Credly's own words for it."""

import json
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.reasons import ReasonCode

LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came; what could hold a secret is in no repr."""

    status: int
    body: bytes = field(repr=False)
    retry_after: float | None = None
    """Seconds from now, where the answer says so."""
    location: str | None = field(default=None, repr=False)
    repeats_credential: bool = False
    """Whether its words hold what proved who asks, in whatever form: they are shown to nobody then."""


def retry_after(header: str | None) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3); None where there is none or it cannot be read."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


class StatusMeaning(NamedTuple):
    """What some error statuses mean for an organization; `in_json` where it depends on the body's form."""

    statuses: Container[int]
    code: ReasonCode
    sentence: str
    in_json: bool | None = None
    later: bool = False
    """Whether to advise to run again."""


NOT_ANSWERED = "Credly could not answer for {organization}"

MEANINGS = (
    StatusMeaning(
        {401},
        ReasonCode.HTTP_401,
        "the credential of {organization} was refused: expired, revoked, or of the other environment "
        "(production, sandbox); configure one that works",
    ),
    # www.credly.com is known to answer data centres so, with a page of HTML and before any credential is looked at.
    StatusMeaning(
        {403},
        ReasonCode.BLOCKED,
        "the request for {organization} was blocked before it reached Credly: a firewall or proxy, or an address "
        "that Credly does not serve; try another network",
        in_json=False,
    ),
    StatusMeaning(
        {403},
        ReasonCode.HTTP_403,
        "the credential of {organization} lacks the permission to list its {wanted}: use one with write permission",
    ),
    StatusMeaning(
        {404},
        ReasonCode.HTTP_404,
        "Credly shows no {organization} to this credential: check its id and the organization of the credential",
    ),
    StatusMeaning({422}, ReasonCode.HTTP_422, "Credly rejected the request for {organization}: check its id"),
    StatusMeaning({429}, ReasonCode.THROTTLED, "Credly received too many requests for {organization}", later=True),
    StatusMeaning(
        range(300), ReasonCode.HTTP_2XX, "Credly's answer for {organization} contains no list: check [api] base_url"
    ),
    StatusMeaning(
        range(300, 400),
        ReasonCode.HTTP_3XX,
        "Credly redirected the request for {organization}: check [api] base_url",
    ),
    StatusMeaning({408}, ReasonCode.HTTP_408, NOT_ANSWERED, later=True),
    StatusMeaning(range(500, 1000), ReasonCode.HTTP_5XX, NOT_ANSWERED, later=True),
    StatusMeaning(
        range(400, 500), ReasonCode.HTTP_4XX, "Credly refused the request for {organization}: run doctor to learn more"
    ),
)
"""The first row that fits an answer counts."""


def explain_refusal(
    answer: Answer,
    organization: str,
    redact: Callable[[str], str],
    wanted: str = "tokens",
    *,
    doubt: str | None = None,
) -> NoAnswer:
    """Return why an answer holds no list: its status, what it means for the organization, and Credly's own words.

    `wanted` is what was asked for: another credential may help where the permission to list that is lacking. `doubt`
    is what may be wrong with the credential that was refused.
    """
    said = words(answer)
    in_json = said is not None
    meaning = next(each for each in MEANINGS if answer.status in each.statuses and each.in_json in {None, in_json})
    what = f"{answer.status}: {meaning.sentence.format(organization=organization, wanted=wanted)}"
    why = f"; {doubt}" if doubt and answer.status in {400, 401, 403} else ""
    aside = f"Credly says: {shorten_words(redact(said))}" if said else ""
    return NoAnswer(meaning.code, what + why, aside=aside, later=meaning.later, passing=False)


def words(answer: Answer) -> str | None:
    """Return what the API itself says, as far as it may be shown; the empty text and None as `find_words`."""
    said = find_words(answer.body)
    return "" if said and answer.repeats_credential else said


def find_words(body: bytes) -> str | None:
    """Return what a body says, from whichever place; empty where it is JSON without words, None where it is no JSON.

    `data.message` is in the one recorded error; `error_description` is OAuth's; the others are claimed by clients.
    """
    try:
        content = json.loads(body.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    places: tuple[tuple[Any, ...], ...] = (
        ("data", "message"),
        ("message",),
        ("error_description",),
        ("error", "message"),
        ("error",),
        ("errors", 0, "message"),
        ("errors", 0),
    )
    texts = (_get_at(content, place) for place in places)
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")


def _get_at(content: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def shorten_words(text: str) -> str:
    """On one line, printable, at most so long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= LONGEST_WORDS else line[: LONGEST_WORDS - 1] + "…"
