"""Where each rule begins and ends: the last case that it lets pass and the first that it flags, to the microsecond."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from credly_audit.rules import catalogue
from tests.build import ACME, AS_OF, BETA, application, audited, organization, register, snapshot, token, waiver

Row = dict[str, Any]
ELSEWHERE = ("CHG", "LIF")
"""Families whose boundaries are tried where an audit meets the ones before it."""

TICK = timedelta(microseconds=1)
ALL = {"read_enabled": True, "write_enabled": True, "delete_enabled": True}
WRITE = {"write_enabled": True}
DELETE = {"delete_enabled": True}
NOTHING = {"read_enabled": False}


@dataclass(frozen=True)
class Case:
    """What a rule says of a snapshot: a severity, or nothing (None)."""

    rule: str
    about: str
    severity: str | None
    tokens: Sequence[Row] = (token(1),)
    organizations: Sequence[Row] | None = None
    applications: Sequence[Row] | None = None
    options: Row = field(default_factory=dict)
    more: Row = field(default_factory=dict)


def at(days: float, ticks: int = 0) -> datetime:
    return AS_OF + timedelta(days=days) + ticks * TICK


def one(**said: Any) -> list[Row]:
    return [token(1, **said)]


def many(number: int, **said: Any) -> list[Row]:
    return [token(each, **said) for each in range(1, number + 1)]


def purposes(*allowed: list[str], pattern: str = "dashboard") -> Row:
    return {"purposes": [{"pattern": pattern, "allow": each} for each in allowed]}


def entry(**said: Any) -> Row:
    said = {"organization_id": ACME, "token_id": token(1)["token_id"], "permissions": "read", "review_by": ""} | said
    return {"register": register([said])}


EXPIRY = [
    Case("EXP001", "at the instant of its expiry", "high", one(expires_at=at(0))),
    Case("EXP001", "a tick before its expiry", None, one(expires_at=at(0, 1))),
    Case("EXP001", "just not yet seen by another audit", "high", one(expires_at=at(-35))),
    Case("EXP001", "seen by another audit", "medium", one(expires_at=at(-35, -1))),
    Case(
        "EXP001",
        "the same where the audit runs weekly",
        "medium",
        one(expires_at=at(-11, -1)),
        more={"audit_every_days": 7},
    ),
    Case("EXP001", "and just before", "high", one(expires_at=at(-11)), more={"audit_every_days": 7}),
    Case("EXP002", "at the instant of its expiry", None, one(expires_at=at(0))),
    Case("EXP002", "a tick before its expiry", "critical", one(expires_at=at(0, 1))),
    Case("EXP002", "within a week", "critical", one(expires_at=at(7))),
    Case("EXP002", "a tick after a week", "high", one(expires_at=at(7, 1))),
    Case(
        "EXP002",
        "in a week where the audit runs every 3 days",
        "critical",
        one(expires_at=at(7)),
        more={"audit_every_days": 3},
    ),
    Case("EXP002", "after it there", "medium", one(expires_at=at(7, 1)), more={"audit_every_days": 3}),
    Case("EXP002", "before the next audit there", "high", one(expires_at=at(8)), more={"audit_every_days": 4}),
    Case(
        "EXP002",
        "the most severe of two, not the narrowest",
        "high",
        one(expires_at=at(7)),
        options={"windows": {"low": 7, "high": 90}},
    ),
    Case("EXP002", "just before the next audit", "high", one(expires_at=at(35))),
    Case("EXP002", "a tick later", "medium", one(expires_at=at(35, 1))),
    Case("EXP002", "within 60 days", "medium", one(expires_at=at(60))),
    Case("EXP002", "a tick later still", None, one(expires_at=at(60, 1))),
    Case("EXP002", "no expiry", None, one(expires_at=None)),
    Case("EXP002", "a window of one's own", "critical", one(expires_at=at(7)), options={"windows": {"critical": 7}}),
    Case("EXP002", "a tick outside it", None, one(expires_at=at(7, 1)), options={"windows": {"critical": 7}}),
    Case(
        "EXP002",
        "the narrowest of two",
        "critical",
        one(expires_at=at(7)),
        options={"windows": {"low": 90, "critical": 7}},
    ),
    Case(
        "EXP002", "the wider of two", "low", one(expires_at=at(7, 1)), options={"windows": {"low": 90, "critical": 7}}
    ),
    Case("EXP003", "null", "high", one(expires_at=None)),
    Case(
        "EXP003", "null, and another date unreadable", "high", one(expires_at=None, date_faults="created_at unreadable")
    ),
    Case("EXP003", "absent", None, one(expires_at=None, date_faults="expires_at absent")),
    Case("EXP003", "a date", None, one(expires_at=at(1))),
    Case("EXP004", "the longest life, and a day of slack", None, one(expires_at=at(181))),
    Case("EXP004", "a tick longer", "high", one(expires_at=at(181, 1))),
    Case("EXP004", "a policy of one's own", "high", one(expires_at=at(31, 1)), options={"max_lifetime_days": 30}),
    Case("EXP004", "and within it", None, one(expires_at=at(31)), options={"max_lifetime_days": 30}),
    Case("EXP005", "made as long ago as allowed", None, one(created_at=at(-180), expires_at=None)),
    Case("EXP005", "made a tick longer ago", "medium", one(created_at=at(-180, -1), expires_at=None)),
    Case(
        "EXP005",
        "rotated as long ago as allowed",
        None,
        one(created_at=at(-400), expires_at=at(90)),
        options={"max_rotation_age_days": 90},
    ),
    Case(
        "EXP005",
        "rotated a tick longer ago",
        "medium",
        one(created_at=at(-400), expires_at=at(90, -1)),
        options={"max_rotation_age_days": 90},
    ),
    Case("EXP005", "expired", None, one(created_at=at(-400), expires_at=at(0))),
    Case("EXP006", "made a day after the collection", None, one(created_at=at(1))),
    Case("EXP006", "made a tick later", "medium", one(created_at=at(1, 1))),
    Case("EXP006", "expired as it was made", "medium", one(created_at=at(-30), expires_at=at(-30))),
    Case("EXP006", "expired a tick after it was made", None, one(created_at=at(-30), expires_at=at(-30, 1))),
    Case("EXP006", "a date that cannot be read", "medium", one(created_at=None, date_faults="created_at unreadable")),
    Case("EXP006", "dates that the API calls null", None, one(created_at=None, expires_at=None)),
]
PERMISSIONS = [
    Case("PRM001", "all three", "high", one(**ALL)),
    Case("PRM001", "two and one unknown", None, one(**ALL | {"read_enabled": None})),
    Case("PRM001", "approved", None, one(**ALL), more=purposes(["read", "write", "delete"])),
    Case("PRM001", "approved for less", "high", one(**ALL), more=purposes(["read", "write"])),
    Case("PRM001", "expired", None, one(**ALL, expires_at=at(0))),
    Case("PRM002", "delete", "medium", one(**DELETE)),
    Case("PRM002", "write and delete without read", "medium", one(**ALL | NOTHING)),
    Case("PRM002", "all three", None, one(**ALL)),
    Case("PRM002", "approved", None, one(**DELETE), more=purposes(["read", "delete"])),
    Case("PRM002", "delete unknown", None, one(delete_enabled=None)),
    Case("PRM003", "write", "low", one(**WRITE)),
    Case("PRM003", "write and delete", None, one(**ALL)),
    Case("PRM003", "approved", None, one(**WRITE), more=purposes(["read", "write"])),
    Case(
        "PRM003",
        "approved, but delete is unknown",
        "low",
        one(**WRITE, delete_enabled=None),
        more=purposes(["read", "write"]),
    ),
    Case("PRM004", "as its purpose allows", None, one(), more=purposes(["read"])),
    Case("PRM004", "more than its purpose allows", "high", one(**WRITE), more=purposes(["read"])),
    Case("PRM004", "as one of two purposes allows", None, one(**WRITE), more=purposes(["read"], ["read", "write"])),
    Case("PRM004", "unknown is no excess", None, one(write_enabled=None), more=purposes(["read"])),
    Case("PRM004", "no purpose matches", None, one(**WRITE), more=purposes(["read"], pattern="issuer")),
    Case("PRM004", "without purposes", None, one(**WRITE)),
    Case("PRM005", "nothing", "low", one(**NOTHING)),
    Case("PRM005", "nothing known", None, one(**NOTHING, write_enabled=None)),
    Case("PRM005", "read", None, one()),
    Case("PRM006", "as many as allowed", None, many(3, **WRITE)),
    Case("PRM006", "one more", "medium", many(4, **WRITE)),
    Case("PRM006", "one of them expired", None, [*many(3, **WRITE), token(4, **DELETE, expires_at=at(0))]),
    Case(
        "PRM006",
        "one of them approved",
        None,
        [*many(3, **WRITE), token(4, **WRITE, description="issuer")],
        more=purposes(["read", "write"], pattern="issuer"),
    ),
    Case("PRM006", "none allowed", "medium", one(**DELETE), options={"max_privileged": 0}),
    Case("PRM006", "in two organizations", None, [*many(3, **WRITE), token(4, BETA, **WRITE)]),
    Case("PRM007", "one unknown", "low", one(delete_enabled=None)),
    Case("PRM007", "all known", None, one()),
    Case("PRM007", "expired", None, one(delete_enabled=None, expires_at=at(0))),
]
BADGES = "徽章发放系统由市场团队维护"
DOCUMENTATION = [
    Case("DOC001", "null", "medium", one(description=None)),
    Case("DOC001", "null, and it can write", "high", one(description=None, **WRITE)),
    Case("DOC001", "null, and nobody knows whether it can", "medium", one(description=None, write_enabled=None)),
    Case("DOC001", "invisible", "medium", one(description=" \t\u200b\u00ad\u0301\u2028")),
    Case("DOC001", "a letter", None, one(description=" x ")),
    Case("DOC002", "a placeholder with a number", "low", one(description=" Test 12!")),
    Case("DOC002", "a word that begins like one", None, one(description="tester")),
    Case("DOC002", "a word of one's own", "low", one(description="ACME 3"), options={"placeholders": ["acme"]}),
    Case("DOC002", "that word without it", None, one(description="ACME 3")),
    Case("DOC002", "nothing at all", None, one(description="")),
    Case("DOC003", "ten characters in two words", None, one(description="ten chars!")),
    Case("DOC003", "nine characters", "low", one(description="nine char")),
    Case("DOC003", "one word", "low", one(description="Moodleconnector")),
    Case("DOC003", "a script without spaces", None, one(description=BADGES[:10])),
    Case("DOC003", "nine letters of it", "low", one(description=BADGES[:9])),
    Case(
        "DOC003", "a word too few for the policy", "low", one(description="Moodle connector"), options={"min_words": 3}
    ),
    Case("DOC003", "as many as it asks for", None, one(description="Moodle connector x"), options={"min_words": 3}),
    Case("DOC003", "too short for the policy", "low", one(description="ten chars!"), options={"min_length": 11}),
    Case("DOC003", "a placeholder", None, one(description="test")),
    Case("DOC004", "no field is asked for", None, one(description="Moodle connector")),
    Case("DOC004", "the field is there", None, one(), options={"required_patterns": {"owner": "team"}}),
    Case(
        "DOC004",
        "one of two is not",
        "medium",
        one(),
        options={"required_patterns": {"owner": "team", "ticket": "IT-"}},
    ),
    Case("DOC004", "nothing at all", None, one(description=None), options={"required_patterns": {"owner": "team"}}),
    Case(
        "DOC005",
        "the same but for case and spaces",
        "low",
        [token(1, description="Moodle  Connector"), token(2, description=" moodle connector")],
    ),
    Case(
        "DOC005",
        "another word",
        None,
        [token(1, description="Moodle connector"), token(2, description="Moodle connectors")],
    ),
    Case("DOC005", "in another organization", None, [token(1, description="x y"), token(2, BETA, description="x y")]),
    Case(
        "DOC005",
        "the other expired",
        None,
        [token(1, description="x y"), token(2, description="x y", expires_at=at(0))],
    ),
    Case("DOC005", "both without", None, [token(1, description=None), token(2, description=None)]),
    Case("DOC006", "a secret", "critical", one(secrets_in_description=1)),
    Case("DOC006", "a secret of one that expired", "critical", one(secrets_in_description=1, expires_at=at(-1))),
    Case("DOC006", "none", None, one(secrets_in_description=0)),
    Case(
        "DOC007",
        "last year's, rotated as this year began",
        "low",
        one(description="rotating the token in 2025", created_at=datetime(2026, 1, 1, tzinfo=UTC)),
    ),
    Case(
        "DOC007",
        "last year's, a tick before",
        None,
        one(
            description="rotating the token in 2025",
            expires_at=None,
            created_at=datetime(2026, 1, 1, tzinfo=UTC) - TICK,
        ),
    ),
    Case("DOC007", "the later of two years counts", None, one(description="from 2019 to 2026")),
    Case("DOC007", "a version is no year", None, one(description="schema v2019, build-2019, 2019_b")),
    Case("DOC007", "nor is another century", None, one(description="room 1899 in house 2100")),
]
INVENTORY = [
    Case("INV001", "as many as allowed", None, many(10)),
    Case("INV001", "one more", "low", many(11)),
    Case("INV001", "one of them expired", None, [*many(10), token(11, expires_at=at(0))]),
    Case("INV001", "none allowed", "low", one(), options={"max_tokens": 0}),
    Case("INV002", "one value twice", "high", many(2, fingerprint="a" * 16)),
    Case(
        "INV002",
        "in two organizations, one expired",
        "high",
        [token(1, fingerprint="a" * 16), token(2, BETA, fingerprint="a" * 16, expires_at=at(-1))],
    ),
    Case("INV002", "two values", None, many(2)),
    Case("INV002", "values withheld", None, many(2, fingerprint=None)),
    Case("INV003", "the last within a fortnight", "medium", [token(1, expires_at=at(1)), token(2, expires_at=at(14))]),
    Case("INV003", "a tick later", None, [token(1, expires_at=at(1)), token(2, expires_at=at(14, 1))]),
    Case("INV003", "one that never expires", None, [token(1, expires_at=at(1)), token(2, expires_at=None)]),
    Case("INV003", "none unexpired", None, one(expires_at=at(0))),
    Case("INV003", "incomplete", None, one(expires_at=at(1)), [organization(status="truncated")]),
    Case("INV003", "days of one's own", "medium", one(expires_at=at(30)), options={"no_successor_days": 30}),
    Case("INV004", "another's", "high", one(owner_id=BETA)),
    Case("INV004", "its own", None, one(owner_id=ACME)),
    Case("INV004", "not said", None, one(owner_id=None)),
    Case("INV005", "no register", None, one()),
    Case("INV005", "registered by id", None, one(), more=entry()),
    Case(
        "INV005", "registered by fingerprint", None, one(), more=entry(token_id="", fingerprint=token(1)["fingerprint"])
    ),
    Case("INV005", "registered for another organization", "high", one(), more=entry(organization_id=BETA)),
    Case("INV005", "expired", None, one(expires_at=at(0)), more=entry(organization_id=BETA)),
    Case("INV006", "still listed, if expired", None, one(expires_at=at(-1)), more=entry()),
    Case("INV006", "gone", "low", one(), more=entry(token_id=token(2)["token_id"])),
    Case(
        "INV006",
        "gone, but not all was seen",
        None,
        one(),
        [organization(status="unverified")],
        more=entry(token_id=token(2)["token_id"]),
    ),
    Case("INV007", "as approved", None, one(**WRITE), more=entry(permissions="read+write")),
    Case("INV007", "one more than approved", "high", one(**WRITE), more=entry()),
    Case("INV007", "unknown is no excess", None, one(write_enabled=None), more=entry()),
    Case("INV007", "on the day of its review", None, one(), more=entry(review_by="2026-11-23")),
    Case("INV007", "after the day of its review", "high", one(), more=entry(review_by="2026-11-22")),
]
COVERAGE = [
    *(
        Case(rule, status, severity if status == own else None, (), [organization(status=status)])
        for rule, own, severity in [
            ("COV001", "truncated", "high"),
            ("COV002", "unverified", "medium"),
            ("COV003", "mismatch", "high"),
            ("COV004", "failed", "high"),
        ]
        for status in ("complete", "truncated", "unverified", "mismatch", "failed")
    ),
    Case("COV005", "before the next audit", "high", (), [organization(credential_expires_at=at(35))]),
    Case("COV005", "a tick later", None, (), [organization(credential_expires_at=at(35, 1))]),
    Case("COV005", "expired", "high", (), [organization(credential_expires_at=at(-1))]),
    Case("COV005", "without an expiry", None, (), [organization(credential_expires_at=None)]),
]
OTHERS = [
    Case("OAU001", "its creator is gone", "high", (), [organization()], [application(creator_available=False)]),
    Case("OAU001", "its creator is there", None, (), [organization()], [application()]),
    Case("OAU001", "not said", None, (), [organization()], [application(creator_available=None)]),
    Case("OAU002", "a placeholder", "medium", (), [organization()], [application(description="test")]),
    Case("OAU002", "a description", None, (), [organization()], [application()]),
    Case("OAU003", "as old as allowed", None, (), [organization()], [application(updated_at=at(-365))]),
    Case(
        "OAU003", "too old for the policy", "medium", (), [organization()], [application()], {"max_secret_age_days": 99}
    ),
    Case("OAU003", "a tick older", "medium", (), [organization()], [application(updated_at=at(-365, -1))]),
    Case(
        "WVR001", "on its last day", None, one(**ALL), more={"waivers": [waiver("PRM001", expires=date(2026, 11, 23))]}
    ),
    Case(
        "WVR001",
        "on the day after",
        "medium",
        one(**ALL),
        more={"waivers": [waiver("PRM001", expires=date(2026, 11, 22))]},
    ),
    Case(
        "WVR001",
        "of nothing that is there",
        None,
        one(),
        more={"waivers": [waiver("PRM001", expires=date(2026, 11, 22))]},
    ),
]
CASES = [*EXPIRY, *PERMISSIONS, *DOCUMENTATION, *INVENTORY, *COVERAGE, *OTHERS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.about}")
def test_a_rule_begins_and_ends_where_its_definition_says(case: Case) -> None:
    collected = snapshot(
        list(case.tokens),
        None if case.organizations is None else list(case.organizations),
        None if case.applications is None else list(case.applications),
    )
    only = ("PRM001", case.rule) if case.rule == "WVR001" else (case.rule,)
    chosen = {rule_id: catalogue()[rule_id] for rule_id in only}
    frame = audited(collected, catalogue=chosen, rules={case.rule: case.options}, **case.more).findings.frame

    found = set(frame.loc[(frame["rule_id"] == case.rule).to_numpy(), "severity"])
    assert found == ({case.severity} if case.severity else set())


@pytest.mark.parametrize("rule_id", [each for each in catalogue() if not each.startswith(ELSEWHERE)])
def test_every_rule_is_tried_on_both_sides_of_its_boundary(rule_id: str) -> None:
    tried = {case.severity is not None for case in CASES if case.rule == rule_id}
    assert tried == {True, False}


def test_every_option_of_every_rule_is_tried_with_a_value_of_its_own() -> None:
    options = {(rule.id, name) for rule in catalogue().values() for name, _, _ in rule.described_options()}
    tried = {(case.rule, name) for case in CASES for name in case.options}
    assert options
    assert {each for each in options - tried if not each[0].startswith(ELSEWHERE)} == set()
