"""Each rule, over whole columns, flags exactly what its definition says row by row, boundaries included."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.audit.prior import LAST_KNOWN_TOKENS, SEEN_ORGANIZATIONS, Past, make_empty_past
from credly_audit.rules import catalogue
from credly_audit.rules.facts import BITS, SUCCESSIONS
from credly_audit.snapshot import STATUSES, conform
from tests.build import ACME, AS_OF, BETA, application, audited, organization, register, snapshot, token
from tests.rules.restated import PURPOSES, REGISTER, RULES, WAIVERS

BOUNDARIES = [
    -400,
    -366,
    -365,
    -364,
    -181,
    -180,
    -179,
    -36,
    -35,
    -34,
    -2,
    -1,
    0,
    1,
    2,
    13,
    14,
    15,
    34,
    35,
    36,
    59,
    60,
    61,
    180,
    181,
    182,
]
MOMENTS = [timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1), timedelta(hours=7)]

instants = st.one_of(
    st.none(),
    st.builds(lambda d, m: AS_OF + timedelta(days=d) + m, st.sampled_from(BOUNDARIES), st.sampled_from(MOMENTS)),
)
flags = st.sampled_from([True, False, None])
descriptions = st.sampled_from(
    [
        None,
        "",
        " \t",
        "\u200b\u00ad\u0301",
        "\u2028",
        "Test",
        "TEST 12!",
        "token_1",
        "a  new token for use…",
        "untitled-7",
        "n/a",
        "latest",
        "Moodle",
        "crm sync",
        "ten chars!",
        "Moodle connector of team learning",
        "moodle  Connector of TEAM learning",
        "Reporting dashboard of team data",
        "Badge issuer of team events",
        "Issuer for reports, team x",
        "徽章发放系统由市场团队负责维护",
        "徽章发放",
        "ระบบออกเหรียญตราของทีมการตลาด",
        "rotating the token in 2024",
        "rotating the token in 2024 and 2026 by team",
        "team v2024 build-2023 x2022y 2021_a of 2O24",
        "team of 2025, before 1999.",
        "team (2026)",
        "[redacted] of team x",
    ]
)
before = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "fingerprint": st.sampled_from([None, "a" * 16, "b" * 16]),
            "other_key": st.sampled_from([False, False, True]),
            "expires_at": instants,
            "denied": st.sets(st.sampled_from(["read", "write", "delete"])),
            "gone": st.booleans(),
            "rotated_at": st.sampled_from([None, AS_OF - timedelta(days=60), AS_OF - timedelta(days=200)]),
            "seen_at": st.sampled_from([AS_OF - timedelta(days=180), AS_OF - timedelta(days=35)]),
        }
    ),
)
succession = st.one_of(
    st.none(),
    st.none(),
    st.fixed_dictionaries(
        {
            "confirmed_at": st.sampled_from([None, *(AS_OF - timedelta(days=days) for days in (2, 14, 15))]),
            "due_at": st.sampled_from([AS_OF + timedelta(days=days) for days in (-1, 0, 1)]),
            "successor": st.booleans(),
        }
    ),
)
tokens = st.fixed_dictionaries(
    {
        "before": before,
        "succession": succession,
        "organization": st.sampled_from([ACME, BETA]),
        "fingerprint": st.sampled_from([None, "a" * 16, "b" * 16, "c" * 16, "d" * 16]),
        "description": descriptions,
        "secrets_in_description": st.sampled_from([0, 0, 0, 1, 2]),
        "read_enabled": flags,
        "write_enabled": flags,
        "delete_enabled": flags,
        "created_at": instants,
        "expires_at": instants,
        "date_faults": st.sampled_from([None, None, None, "expires_at absent", "created_at unreadable"]),
        "owner_id": st.sampled_from([None, ACME, BETA]),
    }
)
applications = st.fixed_dictionaries(
    {
        "organization": st.sampled_from([ACME, BETA]),
        "description": descriptions,
        "created_at": instants,
        "updated_at": instants,
        "creator_available": flags,
    }
)
statuses = st.sampled_from(STATUSES)
DOCUMENTED = register(REGISTER)
fully_seen = st.sampled_from([None, AS_OF - timedelta(days=31), AS_OF - timedelta(days=90)])


def add_successors(listed: list[dict[str, Any]]) -> None:
    """Replace each `successor` by the position of the next token of the organization (None: it is not listed)."""
    for position, row in enumerate(listed):
        if row["succession"]:
            later = range(position + 1, len(listed))
            same = (each for each in later if listed[each]["organization_id"] == row["organization_id"])
            successor = next(same, None) if row["succession"]["successor"] else None
            row["succession"] = row["succession"] | {"successor": successor}


def successions_of(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The successions of the history."""
    return [
        {
            "succession_id": f"{position:08x}",
            "organization_id": row["organization_id"],
            "old_token_id": row["token_id"],
            "new_token_id": "gone" if said["successor"] is None else listed[said["successor"]]["token_id"],
            "opened_at": AS_OF - timedelta(days=40),
            "due_at": said["due_at"],
            "confirmed_at": said["confirmed_at"],
            "waiting": "" if said["confirmed_at"] else "CRM",
        }
        for position, row in enumerate(listed)
        if (said := row["succession"])
    ]


def past_of(listed: list[dict[str, Any]], organizations: list[dict[str, Any]]) -> Past:
    """The history that knew these tokens, and these organizations, as they say."""
    known = [row for row in listed if row["before"]]
    columns = {
        "organization_id": [row["organization_id"] for row in known],
        "token_id": [row["token_id"] for row in known],
        "fingerprint_key": ["9" * 16 if row["before"]["other_key"] else None for row in known],
        "permissions": [0] * len(known),
        "denied": [sum(BITS[name] for name in row["before"]["denied"]) for row in known],
        **{
            name: [row["before"][name] for row in known]
            for name in ("fingerprint", "expires_at", "rotated_at", "seen_at", "gone")
        },
    }
    audited = [row for row in organizations if row["fully_seen_before"]]
    return replace(
        make_empty_past(),
        tokens=conform(columns, LAST_KNOWN_TOKENS),
        organizations=conform(
            {
                "organization_id": [row["organization_id"] for row in audited],
                "audited_at": [AS_OF - timedelta(days=31)] * len(audited),
                "fully_seen_at": [row["fully_seen_before"] for row in audited],
            },
            SEEN_ORGANIZATIONS,
        ),
        successions=conform(pd.DataFrame(successions_of(listed), columns=list(SUCCESSIONS)), SUCCESSIONS),
    )


@pytest.mark.parametrize("rule_id", catalogue())
def test_every_rule_is_restated(rule_id: str) -> None:
    assert rule_id in RULES


audits = st.fixed_dictionaries(
    {
        "rows": st.lists(tokens, max_size=30),
        "seen": st.fixed_dictionaries({ACME: statuses, BETA: statuses}),
        "credential": st.fixed_dictionaries({ACME: instants, BETA: instants}),
        "apps": st.lists(applications, max_size=4),
        "fully_seen": st.fixed_dictionaries({ACME: fully_seen, BETA: fully_seen}),
        "with_history": st.booleans(),
    }
)


@given(said=audits)
@settings(max_examples=30, deadline=None)
def test_the_rules_flag_what_their_definitions_say(said: dict[str, Any]) -> None:
    flag_what_their_definitions_say(**said)


@pytest.mark.proof
@given(said=audits)
@settings(max_examples=1_000, deadline=None)
def test_the_rules_flag_what_their_definitions_say_a_thousand_times(said: dict[str, Any]) -> None:
    flag_what_their_definitions_say(**said)


def flag_what_their_definitions_say(
    *,
    rows: list[dict[str, Any]],
    seen: dict[str, str],
    credential: dict[str, Any],
    apps: list[dict[str, Any]],
    fully_seen: dict[str, Any],
    with_history: bool,
) -> None:
    made = [application(number, **row) for number, row in enumerate(apps)]
    organizations = [
        organization(
            each,
            status=seen[each],
            credential_expires_at=credential[each],
            applications=[one for one in made if one["organization_id"] == each],
            fully_seen_before=fully_seen[each] if with_history else None,
        )
        for each in seen
    ]
    listed = [
        token(number, **row if with_history else row | {"before": None, "succession": None})
        for number, row in enumerate(rows)
    ]
    add_successors(listed)
    audit = audited(
        snapshot(listed, organizations, made),
        purposes=[{"pattern": pattern, "allow": sorted(allow)} for pattern, allow in PURPOSES],
        rules={"DOC004": {"required_patterns": {"team": "team"}}},
        register=DOCUMENTED,
        waivers=WAIVERS,
        past=past_of(listed, organizations) if with_history else None,
    )
    found: dict[str, dict[tuple[int | None, int], str]] = {rule_id: {} for rule_id in RULES}
    for row in audit.findings.frame.itertuples():
        token_row = row.token_row if row.token_row >= 0 else None
        found[row.rule_id][token_row, row.organization_row] = row.severity
    for rule_id, restated in RULES.items():
        assert found[rule_id] == restated(listed, organizations), rule_id
