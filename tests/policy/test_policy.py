"""Overrides: for whom they are, which of them wins, and that an organization is judged by its own policy alone."""

import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.audit.model import Audit
from credly_audit.config.load import load
from credly_audit.config.settings import Override, PolicySettings
from credly_audit.config.source import Source
from credly_audit.errors import ExitCode
from credly_audit.policy.explain import Explanation
from credly_audit.policy.scope import find_overrides
from credly_audit.rules import catalogue
from credly_audit.text import fold
from tests.build import ACME, BETA, audited, organization, snapshot, token

FULL = {"write_enabled": True, "delete_enabled": True}
RULES = {
    rule_id: catalogue()[rule_id]
    for rule_id in ("PRM001", "PRM006", "DOC002", "DOC003", "DOC004", "INV001", "INV003", "EXP002", "EXP004", "EXP005")
}


def of(audit: Audit, organization_id: str) -> set[tuple[str, str, str]]:
    """The findings on an organization: rule, what is flagged, severity."""
    return {
        (row["rule_id"], row["token_id"] or "", row["severity"])
        for row in audit.findings.records()
        if row["organization_id"] == organization_id
    }


@pytest.mark.parametrize(
    ("fits", "whom"),
    [
        ({"ids": [ACME.upper()]}, {ACME}),
        ({"tags": "prod"}, {ACME, BETA}),
        ({"tags": ["SAND*", "none"]}, {BETA}),
        ({"contact": "*@ACME.example"}, {ACME}),
        ({"tags": "prod", "contact": "*@beta.example"}, {BETA}),
        ({"tags": "prod", "ids": [ACME], "contact": "*@beta.example"}, set()),
        ({"tags": "pro"}, set()),
        ({"contact": "*"}, {ACME, BETA}),
        ({"contact": ""}, set()),
        ({"contact": ["", "x@beta.example"]}, {BETA}),
        ({"contact": " x@BETA.example "}, {BETA}),
    ],
)
def test_an_override_is_for_those_that_fit_each_of_its_keys(fits: dict[str, Any], whom: set[str]) -> None:
    organizations = [
        organization(ACME, contact="crm@acme.example"),
        organization(BETA, tags="prod, sandbox", contact="x@beta.example"),
    ]
    rows = [token(1, **FULL), token(2, BETA, **FULL)]
    audit = audited(snapshot(rows, organizations), catalogue=RULES, overrides=[fits | {"disable": ["PRM"]}])

    assert {each for each in (ACME, BETA) if not of(audit, each)} == whom


EVERYTHING = ["*", "**", "?*", "*?*", "[!x]*", "", "*@*", "[a-z]*"]


@pytest.mark.parametrize("key", ["tags", "contact"])
def test_an_organization_without_a_tag_or_contact_fits_no_glob_at_all(key: str) -> None:
    for blank in (None, "", " ", "\t"):
        lacking = snapshot([token(1, **FULL)], [organization(ACME, tags=blank, contact=blank)])
        for glob in EVERYTHING:
            override = Override.model_validate({key: glob})
            assert find_overrides([override], lacking.organizations) == [()], (blank, glob)
    audit = audited(lacking, overrides=[{key: "*", "disable": ["PRM"]}])
    assert audit.verdict.exit_code == ExitCode.VIOLATIONS


names = st.text(st.sampled_from("abAÄäßẞS-@."), max_size=5)
globs = st.lists(
    st.sampled_from(["a", "b", "Ä", "ä", "ss", "ß", "-", "@", ".", "*", "?", "[ab]", "[!a]", "[", "]"]), max_size=4
).map("".join)


@given(
    theirs=st.lists(st.tuples(st.lists(names, max_size=3), names), min_size=1, max_size=6),
    asked=st.lists(
        st.tuples(st.sampled_from(["tags", "contact"]), st.lists(globs, min_size=1, max_size=2)), max_size=6
    ),
)
@settings(max_examples=200, deadline=None)
def test_an_override_is_for_those_of_whose_names_some_glob_fits_one(
    theirs: list[tuple[list[str], str]], asked: list[tuple[str, list[str]]]
) -> None:
    frame = pd.DataFrame(
        {
            "organization_id": pd.array([str(number) for number in range(len(theirs))], dtype="string"),
            "tags": pd.array([",".join(tags) for tags, _ in theirs], dtype="string"),
            "contact": pd.array([contact for _, contact in theirs], dtype="string"),
        }
    )

    def fits(row: tuple[list[str], str], key: str, patterns: list[str]) -> bool:
        known = row[0] if key == "tags" else [row[1]]
        return any(name and fnmatchcase(fold(name), fold(glob)) for name in known for glob in patterns)

    overrides = [Override.model_validate({key: patterns}) for key, patterns in asked]
    assert find_overrides(overrides, frame) == [
        tuple(number for number, (key, patterns) in enumerate(asked) if fits(row, key, patterns)) for row in theirs
    ]


def test_the_later_override_wins_and_what_they_disable_adds_up() -> None:
    rows = [token(number, **FULL, description="test") for number in range(3)]
    audit = audited(
        snapshot(rows),
        catalogue=RULES,
        disable=["PRM006"],
        severity={"DOC002": "info"},
        rules={"INV001": {"max_tokens": 2}},
        overrides=[
            {
                "tags": "prod",
                "disable": ["PRM001"],
                "severity": {"DOC002": "medium"},
                "rules": {"INV001": {"max_tokens": 9}},
            },
            {"ids": [ACME], "severity": {"DOC002": "critical"}, "rules": {"INV001": {"max_tokens": 1}}},
            {"ids": [BETA], "disable": ["DOC"]},
        ],
    )
    assert {(rule, severity) for rule, _, severity in of(audit, ACME)} == {("DOC002", "critical"), ("INV001", "low")}


def test_purposes_of_an_override_take_the_place_of_the_policy_s() -> None:
    rows = [token(1, **FULL), token(2, BETA, **FULL)]
    everything = ["read", "write", "delete"]
    audit = audited(
        snapshot(rows),
        catalogue=RULES,
        purposes=[{"pattern": "dashboard", "allow": everything}],
        overrides=[{"ids": [BETA], "purposes": []}],
    )
    assert (of(audit, ACME), len(of(audit, BETA))) == (set(), 1)


selectors = st.sampled_from(
    [{"ids": [ACME]}, {"ids": [BETA]}, {"tags": "prod"}, {"tags": "sandbox"}, {"contact": "*@acme.example"}]
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "disable": st.lists(st.sampled_from(["PRM", "PRM001", "DOC002", "INV001"]), max_size=2),
        "severity": st.dictionaries(st.sampled_from(list(RULES)), st.sampled_from(["info", "critical"]), max_size=2),
        "rules": st.sampled_from(
            [
                {"INV001": {"max_tokens": 0}},
                {"PRM006": {"max_privileged": 1}},
                {"DOC003": {"min_words": 9}},
                {"DOC003": {"min_length": 30}, "DOC002": {"placeholders": ["Dashboard of a team"]}},
                {"DOC004": {"required_patterns": {"team": "team", "x": "x"}}, "EXP005": {"max_rotation_age_days": 20}},
                {"DOC004": {"required_patterns": {"t": "t"}}, "EXP004": {"max_lifetime_days": 100}},
                {"EXP002": {"windows": {"critical": 200, "low": 300}}, "INV003": {"no_successor_days": 200}},
                {"EXP002": {"windows": {"low": 149, "high": 150, "critical": 150}}},
            ]
        ),
        "purposes": st.sampled_from([[], [{"pattern": "dashboard", "allow": ["read", "write", "delete"]}]]),
    },
)
overrides = st.lists(st.builds(lambda one, other: one | other, selectors, changes), max_size=4)
ORGANIZATIONS = {
    ACME: organization(ACME, tags="prod", contact="crm@acme.example"),
    BETA: organization(BETA, tags="prod,sandbox", contact=None),
}
ROWS = [
    token(number, place, **FULL, description=text)
    for number, (place, text) in enumerate(
        [(ACME, "test"), (ACME, "dashboard of a team"), (BETA, "dashboard of a team"), (BETA, "test")]
    )
]


@given(base=changes, layered=overrides)
@settings(max_examples=10, deadline=None)
def test_judged_together_an_organization_has_what_its_own_policy_finds_and_explain_says_that_policy(
    base: dict[str, Any], layered: list[dict[str, Any]]
) -> None:
    policy = base | {"overrides": layered}
    together = audited(snapshot(ROWS, list(ORGANIZATIONS.values())), catalogue=RULES, **policy)
    for each, row in ORGANIZATIONS.items():
        explanation = explained(policy, row)
        alone = explanation.policy.settings.model_copy(update={"overrides": ()})
        its = snapshot([token for token in ROWS if token["organization_id"] == each], [row])
        assert of(together, each) == of(audited(its, catalogue=RULES, **said(alone)), each)
        told = {setting.key: setting.value for setting in explanation.all()}
        for rule_id, rule in RULES.items():
            assert told[f"{rule_id}.enabled"] == explanation.policy.enabled(rule)
            assert told[f"{rule_id}.severity"] == (explanation.policy.severity(rule) or rule.tiers or rule.severity)
            for name, value in explanation.policy.effective_options(rule).model_dump(mode="json").items():
                assert told[f"{rule_id}.{name}"] == value


def explained(policy: dict[str, Any], row: dict[str, Any]) -> Explanation:
    """As `config explain` has it, from a file."""
    entry = {"id": row["organization_id"], "tags": row["tags"].split(",")}
    entry |= {} if row["contact"] is None else {"contact": row["contact"]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "credly-audit.toml"
        path.write_text(tomlkit.dumps({"policy": policy, "organizations": [entry]}))
        settings = load(path, {}, for_collecting=False)
        return Explanation(settings, Source(path), settings.organizations[0], {})


def said(policy: PolicySettings) -> dict[str, Any]:
    return policy.model_dump(mode="json", exclude={"overrides"}, exclude_none=True)
