"""What looking for secrets costs: a description of 1 MB, whatever is in it, and the descriptions of 200,000 tokens."""

import base64
import random
import string
import sys
from collections.abc import Callable
from dataclasses import replace
from time import process_time

from credly_audit.secrets.fingerprint import Fingerprints, Trace
from credly_audit.secrets.redaction import Redactor

LENGTH = 1_000_000
MOST_SECONDS, MOST_SECONDS_FROM_A_SNAPSHOT, MOST_TIMES = 2.5, 9.0, 15
"""For a description, for one of which only fingerprints are known, and for ten times the length."""

CHANCE = random.Random("made-up values of this benchmark")
LETTERS = string.ascii_letters + string.digits + "-_"

KINDS: dict[str, Callable[[int], str]] = {
    "random": lambda many: "".join(CHANCE.choices(LETTERS, k=many)),
    "one letter": lambda many: "a" * many,
    "words": lambda many: ("Reporting dashboard number 3 of team analytics. " * many)[:many],
    "words in lines": lambda many: ("word\n" * many)[:many],
    "segments": lambda many: ("aB-" * many)[:many],
    "percent": lambda many: ("%2541" * many)[:many],
    "entities": lambda many: ("&#45;" * many)[:many],
    "base64": lambda many: base64.b64encode("".join(CHANCE.choices(LETTERS, k=many)).encode()).decode()[:many],
    "hex": lambda many: "".join(CHANCE.choices("0123456789abcdef", k=many)),
    "invisible": lambda many: ("a\u200b" * many)[:many],
}


def values(many: int, lengths: tuple[int, ...] = (36, 43)) -> list[Trace]:
    """Traces of made-up values."""
    fingerprints = Fingerprints()
    texts = ("".join(CHANCE.choices(LETTERS, k=lengths[number % len(lengths)])) for number in range(many))
    return [trace for text in texts if (trace := fingerprints.trace(text))]


def seconds(redactor: Redactor, texts: list[str | None]) -> float:
    """How long it takes."""
    began = process_time()
    redactor.redact_column(texts)
    return process_time() - began


def main() -> bool:
    """Print a line a kind; whether all are within the limits."""
    known = values(10_000)
    digest = Fingerprints().digest
    redactor, unsure = Redactor(digest, known), Redactor(digest, [replace(each, checksum=None) for each in known])
    good = True
    for kind, text_of in KINDS.items():
        text = text_of(LENGTH)
        tenth, all_of_it, slower = (
            seconds(which, [part])
            for which, part in ((redactor, text[: LENGTH // 10]), (redactor, text), (unsure, text))
        )
        well = all_of_it <= MOST_SECONDS and slower <= MOST_SECONDS_FROM_A_SNAPSHOT
        well &= all_of_it <= MOST_TIMES * max(tenth, 0.01)
        good &= well
        print(f"{kind:15} 0.1 MB {tenth:.2f} s, 1 MB {all_of_it:.2f} s, by fingerprints alone {slower:.2f} s", end=" ")
        print("" if well else f"(at most {MOST_SECONDS:g} and {MOST_SECONDS_FROM_A_SNAPSHOT:g} s)")
    described = [
        f"crm2badge-sync-worker-{row} for the SalesforceCommunityConnector of team {row % 97}" for row in range(200_000)
    ]
    print(f"200,000 descriptions: {seconds(redactor, [*described]):.1f} s")
    return good


if __name__ == "__main__":
    sys.exit(not main())
