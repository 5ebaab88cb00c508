"""What an answer with an error status means to the person who reads the report, and Credly's own words for it."""

import json
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

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


class Meaning(NamedTuple):
    """What some error statuses mean for an organization; `in_json` where it depends on the body's form."""

    statuses: Container[int]
    sentence: str
    in_json: bool | None = None


MEANINGS = (
    Meaning(
        {401},
        "the credential of {organization} was refused: expired, revoked, or of the other environment "
        "(production, sandbox); give it one that works",
    ),
    # www.credly.com is known to answer data centres so, with a page of HTML and before any credential is looked at.
    Meaning(
        {403},
        "the request for {organization} was blocked before it reached Credly: a firewall or proxy, or an address "
        "that Credly does not serve; ask from another network",
        in_json=False,
    ),
    Meaning(
        {403}, "the credential of {organization} lacks the permission to list its {wanted}: use one that can write"
    ),
    Meaning(
        {404}, "Credly knows no {organization} that this credential may see: check its id and whose credential it is"
    ),
    Meaning({422}, "Credly found fault with the request for {organization}: check its id"),
    Meaning({429}, "Credly wants fewer requests than were made for {organization}: run again later"),
    Meaning(range(300), "an answer without a list came for {organization}: check [api] base_url"),
    Meaning(range(300, 400), "Credly sent the request for {organization} on to another place: check [api] base_url"),
    Meaning({408, *range(500, 1000)}, "Credly could not answer for {organization}: run again later"),
    Meaning(range(400, 500), "Credly refused the request for {organization}: run doctor to learn more"),
)
"""The first row that fits an answer counts."""


def refusal(
    answer: Answer,
    organization: str,
    redact: Callable[[str], str],
    wanted: str = "tokens",
    *,
    doubt: str | None = None,
) -> str:
    """One sentence: the status, what it means for that organization, what Credly itself says.

    `wanted` is what was asked for: another credential may help where the permission to list that is lacking. `doubt`
    is what may be wrong with the credential that was refused.
    """
    said = words(answer)
    in_json = said is not None
    sentence = next(
        each.sentence for each in MEANINGS if answer.status in each.statuses and each.in_json in {None, in_json}
    )
    meaning = sentence.format(organization=organization, wanted=wanted)
    why = f"; {doubt}" if doubt and answer.status in {400, 401, 403} else ""
    return f"{answer.status}: {meaning}{why}" + (f" (Credly says: {short(redact(said))})" if said else "")


def words(answer: Answer) -> str | None:
    """Return what the API itself says, as far as it may be shown; the empty text and None as `words_in`."""
    said = words_in(answer.body)
    return "" if said and answer.repeats_credential else said


def words_in(body: bytes) -> str | None:
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
    texts = (_at(content, place) for place in places)
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")


def _at(content: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def short(text: str) -> str:
    """On one line, printable, at most so long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= LONGEST_WORDS else line[: LONGEST_WORDS - 1] + "…"
