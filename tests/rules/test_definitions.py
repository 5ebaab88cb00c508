"""Each rule, over whole columns, flags exactly what its definition says row by row, boundaries included."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.rules import catalogue
from credly_audit.snapshot import STATUSES
from tests.build import ACME, AS_OF, BETA, application, audited, organization, register, snapshot, token
from tests.rules.restated import ELSEWHERE, PURPOSES, REGISTER, RULES, WAIVERS

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
tokens = st.fixed_dictionaries(
    {
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


@pytest.mark.parametrize("rule_id", [each for each in catalogue() if not each.startswith(ELSEWHERE)])
def test_every_rule_is_restated(rule_id: str) -> None:
    assert rule_id in RULES


audits = st.fixed_dictionaries(
    {
        "rows": st.lists(tokens, max_size=30),
        "seen": st.fixed_dictionaries({ACME: statuses, BETA: statuses}),
        "credential": st.fixed_dictionaries({ACME: instants, BETA: instants}),
        "apps": st.lists(applications, max_size=4),
    }
)


@given(seen=audits)
@settings(max_examples=60, deadline=None)
def test_the_rules_flag_what_their_definitions_say(seen: dict[str, Any]) -> None:
    flag_what_their_definitions_say(**seen)


@pytest.mark.proof
@given(seen=audits)
@settings(max_examples=1_000, deadline=None)
def test_the_rules_flag_what_their_definitions_say_a_thousand_times(seen: dict[str, Any]) -> None:
    flag_what_their_definitions_say(**seen)


def flag_what_their_definitions_say(
    rows: list[dict[str, Any]], seen: dict[str, str], credential: dict[str, Any], apps: list[dict[str, Any]]
) -> None:
    made = [application(number, **row) for number, row in enumerate(apps)]
    organizations = [
        organization(
            each,
            status=seen[each],
            credential_expires_at=credential[each],
            applications=[one for one in made if one["organization_id"] == each],
        )
        for each in seen
    ]
    listed = [token(number, **row) for number, row in enumerate(rows)]
    audit = audited(
        snapshot(listed, organizations, made),
        purposes=[{"pattern": pattern, "allow": sorted(allow)} for pattern, allow in PURPOSES],
        rules={"DOC004": {"required_patterns": {"team": "team"}}},
        register=DOCUMENTED,
        waivers=WAIVERS,
    )
    found: dict[str, dict[tuple[int | None, int], str]] = {rule_id: {} for rule_id in RULES}
    for row in audit.findings.frame.itertuples():
        token_row = row.token_row if row.token_row >= 0 else None
        found[row.rule_id][token_row, row.organization_row] = row.severity
    for rule_id, restated in RULES.items():
        assert found[rule_id] == restated(listed, organizations), rule_id
