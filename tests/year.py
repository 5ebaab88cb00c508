"""A year of made-up audits: many organizations, their tokens created, rotated, changed and removed month by month.

    python -m tests.year OUT [--organizations 60] [--tokens 40] [--audits 12] [--formats html,xlsx,json,markdown]

writes the reports of the last audit, and the history of all, into OUT. Everything follows from the seed.
"""

import argparse
import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from credly_audit import rules
from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Audit, Gate
from credly_audit.audit.prior import Prior
from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.settings import PolicySettings
from credly_audit.history.store import History
from credly_audit.policy.policy import Policy
from credly_audit.snapshot import Snapshot
from tests.build import application, organization, plan, register, snapshot, token, waiver
from tests.renderers.rendering import files

LAST = datetime(2026, 11, 23, 9, tzinfo=UTC)
"""The instant of the last audit."""

MONTH = timedelta(days=30)
LIFETIME = timedelta(days=180)

PLACES = (
    "Northgate",
    "Harborview",
    "Tallis",
    "Westmere",
    "Ashford",
    "Kingsley",
    "Larkhill",
    "Stanton",
    "Redwood",
    "Elm",
)
KINDS = ("University", "Institute", "Academy", "College", "Conservatory", "Foundation")
SYSTEMS = ("Moodle", "Canvas", "ServiceNow", "Salesforce", "Workday", "HubSpot", "Zapier", "Power BI", "Okta", "Jira")
USES = ("badge sync", "badge issuer", "reporting dashboard", "course results", "alumni export", "HR onboarding")
FAILING = 3
"""The number of the organization that fails for a month."""

READ_ONLY = 7
"""The number of the organization whose audit credential can only read."""

PURPOSES = [
    {"pattern": "reporting dashboard|alumni export", "allow": ["read"]},
    {"pattern": "badge sync|course results", "allow": ["read", "write"]},
]


@dataclass(slots=True)
class Life:
    """One token over the year; instants are when something happens to it."""

    row: dict[str, Any]
    created: datetime
    rotated: datetime
    removed: datetime | None = None
    escalated: datetime | None = None
    values: int = 0


@dataclass(slots=True)
class Year:
    """The made-up year; `audits` gives its audits oldest first."""

    organizations: int = 60
    tokens: int = 40
    audits: int = 12
    seed: int = 2026
    dice: random.Random = field(init=False)
    lives: list[list[Life]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the tokens as they are before the first audit."""
        self.dice = random.Random(self.seed)
        began = self.when(0)
        self.lives = [[self._new_life(place, began) for _ in range(self.tokens)] for place in range(self.organizations)]

    def when(self, number: int) -> datetime:
        """Return the instant of an audit, counted from 0."""
        return LAST - (self.audits - 1 - number) * MONTH

    def id(self, place: int) -> str:
        """Return the id of an organization."""
        return f"00000000-0000-4000-9000-{place:012d}"

    def name(self, place: int) -> str:
        """Return the name of an organization."""
        kind = KINDS[place // len(PLACES) % len(KINDS)]
        return f"{PLACES[place % len(PLACES)]} {kind}"

    def contact(self, place: int) -> str:
        """Return the contact of an organization: some look after several."""
        return f"badges-{place % 20}@{PLACES[place % len(PLACES)].lower()}.example"

    def policy(self) -> Policy:
        """Return the policy: purposes, risk acceptances, plans and a register."""
        settings = PolicySettings.model_validate({"purposes": PURPOSES})
        waivers = [
            waiver("DOC", self.id(0), id="accepted", reference="RISK-17"),
            waiver("PRM", self.id(1 % self.organizations), id="accepted-too"),
            waiver("DOC", self.id(2 % self.organizations), id="lapsed", expires=date(2026, 10, 1)),
        ]
        plans = [
            plan("EXP001", self.id(4 % self.organizations), id="replacement"),
            plan("PRM001", self.id(5 % self.organizations), id="narrowing", until=date(2026, 11, 1)),
        ]
        return Policy(
            settings,
            tuple(Waiver.model_validate(_known(each, Waiver)) for each in waivers),
            tuple(Plan.model_validate(_known(each, Plan)) for each in plans),
            register(list(self._register())),
            frozenset(map(self.id, range(self.organizations))),
        )

    def play(self, history: History) -> Iterator[Audit]:
        """Audit month after month against the history, and record each audit."""
        policy = self.policy()
        for number in range(self.audits):
            at = self.when(number)
            collected = self.collect(number)
            with history.past(at) as past:
                audit = evaluate(collected, policy, Gate(("high",)), rules.catalogue(), as_of=at, prior=Prior(past))
                audit = replace(audit, generated_at=at)
                yield audit
            history.record(audit)

    def collect(self, number: int) -> Snapshot:
        """Return the snapshot of one audit; the tokens live on until then."""
        at = self.when(number)
        if number:
            self._live(self.when(number - 1), at)
        rows, organizations = [], []
        for place, lives in enumerate(self.lives):
            failed = place == FAILING and number == self.audits // 2
            its = [] if failed else [_row(life, at) for life in lives if not life.removed or life.removed > at]
            if place == READ_ONLY:
                its = [row for row in its if not (row["write_enabled"] or row["delete_enabled"])]
            rows += its
            organizations.append(self._organization(place, its, at, failed=failed))
        apps = [
            application(place, self.id(place), creator_available=place % 7 != 0)
            for place in range(0, len(self.lives), 5)
        ]
        return snapshot(rows, organizations, apps, at=at)

    def _organization(self, place: int, rows: list[dict[str, Any]], at: datetime, *, failed: bool) -> dict[str, Any]:
        said: dict[str, Any] = {"status": "complete"}
        if place == READ_ONLY:
            reason = "The audit credential is read-only, so Credly lists only read-only tokens."
            said = {"status": "truncated", "reason": reason, "reason_code": "read-only-credential"}
        if failed:
            said = {
                "status": "failed",
                "reason": "408: the request took Credly too long.",
                "reason_code": "unreachable",
            }
        return organization(
            self.id(place),
            name=self.name(place),
            tokens=len(rows),
            total_count=len(rows),
            contact=self.contact(place),
            tags="prod" if place % 3 else "prod,sandbox",
            credential_expires_at=at + timedelta(days=150 if place % 11 else 20),
            credential_fingerprint=f"{place:016x}",
            **said,
        )

    def _live(self, since: datetime, until: datetime) -> None:
        """Let the tokens live on from one audit to the next."""
        chance = self.dice.random
        for place, lives in enumerate(self.lives):
            for life in lives:
                if life.removed:
                    continue
                expires = life.rotated + LIFETIME
                if expires <= until and chance() < (0.25 if place % 6 == 0 else 0.85):
                    life.rotated, life.values = expires - chance() * timedelta(days=20), life.values + 1
                elif expires + 2 * MONTH < until and chance() < 0.5:
                    life.removed = since + chance() * (until - since)
                elif chance() < 0.002 and not life.row["write_enabled"]:
                    life.escalated = since + chance() * (until - since)
            lives += [
                self._new_life(place, until, new=True) for _ in range(self.dice.randrange(3) if place % 4 == 0 else 0)
            ]

    def _new_life(self, place: int, at: datetime, *, new: bool = False) -> Life:
        choose, chance = self.dice.choice, self.dice.random
        age = timedelta(days=self.dice.randrange(30) if new else self.dice.randrange(400))
        created = at - age
        rotated = at - (age % LIFETIME) - chance() * timedelta(hours=12)
        uid = f"{place:04d}{self.dice.randrange(10**8):08d}"
        system, use = choose(SYSTEMS), choose(USES)
        kind = chance()
        description: str | None = f"{system} {use} of team {choose(('sales', 'events', 'learning', 'data'))} {uid[-4:]}"
        if kind < 0.04:
            description = None
        elif kind < 0.08:
            description = choose(("Test", "API token", "A new token for use"))
        elif kind < 0.12:
            description = f"{system} {use}"
        permissions = chance()
        row = token(
            0,
            self.id(place),
            token_id=f"00000000-0000-4000-8000-{uid}",
            organization_name=self.name(place),
            description=description,
            secrets_in_description=1 if chance() < 0.002 else 0,
            read_enabled=True,
            write_enabled=permissions < 0.4,
            delete_enabled=permissions < 0.1,
            owner_id=self.id(place),
            owner_name=self.name(place),
        )
        if chance() < 0.003:
            row["fingerprint_of"] = "shared"
        return Life(row, created, rotated)

    def _register(self) -> Iterator[dict[str, Any]]:
        for place, lives in enumerate(self.lives):
            for life in lives[:: 3 if place % 2 else 2]:
                allowed = "+".join(n for n in ("read", "write", "delete") if life.row[f"{n}_enabled"])
                yield {
                    "organization_id": self.id(place),
                    "token_id": life.row["token_id"],
                    "owner": f"{PLACES[place % len(PLACES)].lower()}-team@example.org",
                    "purpose": life.row["description"] or "",
                    "permissions": allowed,
                    "review_by": "2027-06-30" if place % 5 else "2026-09-30",
                }


def _row(life: Life, at: datetime) -> dict[str, Any]:
    """Return a token as it is at an instant."""
    row = dict(life.row)
    value = row.pop("fingerprint_of", None) or f"{row['token_id']}/{life.values}"
    row["fingerprint"] = hashlib.sha256(value.encode()).hexdigest()[:16]
    if life.escalated and life.escalated <= at:
        row["write_enabled"] = row["delete_enabled"] = True
    return row | {"created_at": life.created, "expires_at": life.rotated + LIFETIME}


def _known(said: dict[str, Any], model: Any) -> dict[str, Any]:
    """Return the keys that the model has."""
    return {name: value for name, value in said.items() if name in model.model_fields}


def make_year(folder: Path, *, organizations: int = 60, tokens: int = 40, audits: int = 12, seed: int = 2026) -> Audit:
    """Play a year into the history in a folder and return its last audit, which is not recorded twice."""
    file = folder / "history.sqlite"
    file.unlink(missing_ok=True)
    history = History.opened(f"sqlite:///{file}", folder / "credly-audit.toml", {}, create=True)
    assert history is not None
    *_, last = Year(organizations, tokens, audits, seed).play(history)
    return last


def main(arguments: Sequence[str] | None = None) -> None:
    """Play a year and write the reports of its last audit."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    for name, default in (("organizations", 60), ("tokens", 40), ("audits", 12), ("seed", 2026)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--formats", default="html,xlsx,json,markdown")
    said = parser.parse_args(arguments)
    said.out.mkdir(parents=True, exist_ok=True)
    audit = make_year(
        said.out, organizations=said.organizations, tokens=said.tokens, audits=said.audits, seed=said.seed
    )
    for name in said.formats.split(","):
        for suffix, content in files(name, audit).items():
            (said.out / f"audit{suffix}").write_bytes(content)


if __name__ == "__main__":
    main()
