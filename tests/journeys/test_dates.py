"""Dates that no one expects, from Credly and from people: judged, or refused with their place; never exit code 4."""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from credly_audit.instants import MOST_DAYS
from credly_audit.sandbox.server import Sandbox
from tests.build import ACME
from tests.journeys.conftest import Command, configure
from tests.proof import in_proof

EVERY = [
    option
    for name in ("html", "xlsx", "json", "csv", "sarif", "junit", "markdown", "ocsf", "defectdojo", "prometheus", "ics")
    for option in ("--format", name)
]

SERVED = {
    "9999-12-31T23:59:59-08:00": ("EXP006", "expires_at unreadable"),
    "0001-01-01T00:00:00+08:00": ("EXP006", "expires_at unreadable"),
    "9999-12-31T23:59:59Z": ("EXP004", None),
    "2026-11-29T00:00:00,5Z": ("EXP002", None),
    "2026-11-29t00:00:00z": ("EXP002", None),
    "2026-11-28T23:59:60Z": ("EXP002", None),
    "2026-11-28T24:00:00.000Z": ("EXP002", None),
    "20261129T000000Z": ("EXP002", None),
}
"""An expiry as Credly may write it, the rule that judges it, and what is wrong with the date."""


def test_an_odd_expiry_is_judged_and_costs_no_report(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    tokens = [token for each in sandbox.world.organizations for token in each.tokens]
    served = dict(zip((token.id for token in tokens), SERVED, strict=False))
    for token in tokens:
        token.raw = {"expires_at": served[token.id]} if token.id in served else {}
    rest = list(SERVED)[len(served) :]

    done = credly_audit("run", "--as-of", "2026-11-23", *EVERY)

    assert rest == [] or len(served) == len(tokens)
    assert done.code == 1, done.err
    report = json.loads(Path("reports/credly-audit-2026-11-23.json").read_text())
    rules: dict[str, set[str]] = {}
    for finding in report["findings"]:
        rules.setdefault(finding["token_id"], set()).add(finding["rule_id"])
    faults = {token["token_id"]: token["date_faults"] for token in report["tokens"]}
    assert {text: (SERVED[text][0] in rules[each], faults[each]) for each, text in served.items()} == {
        text: (True, SERVED[text][1]) for text in served.values()
    }
    assert {each["severity"] for each in report["findings"] if each["rule_id"] == "EXP002"} == {"critical"}


@pytest.mark.parametrize("instant", ["0001-01-01", *in_proof("9999-12-31"), "9999-12-31T23:59:59.999999Z"])
def test_an_audit_can_be_of_any_day(credly_audit: Command, sandbox: Sandbox, tmp_path: Path, instant: str) -> None:
    config = configure(tmp_path, sandbox)
    acme = sandbox.world.organizations[0]
    (tmp_path / "register.csv").write_text(
        f"organization_id,token_id,permissions,review_by\n{acme.id},{acme.tokens[0].id},read,9999-12-31\n"
    )
    decisions = "".join(
        f'[[{kind}]]\nrule = "{rule}"\norganization = "{acme.id}"\nreason = "x"\n{who} = "y"\n'
        f"approved_on = 0001-01-01\n{until} = 9999-12-31\n"
        for kind, rule, who, until in (("waivers", "EXP", "approved_by", "expires"), ("plans", "PRM", "owner", "until"))
    )
    policy = f'[policy]\nregister = "register.csv"\nmax_waiver_days = {MOST_DAYS}\n'
    config.write_text(f"{config.read_text()}\n{policy}{decisions}")

    assert credly_audit("run", "--as-of", instant, *EVERY).code in {0, 1}
    assert credly_audit("run", "--as-of", instant, *EVERY, "--overwrite").code in {0, 1}
    assert credly_audit("waivers", "list", "--as-of", instant).code == 0
    for words in (("list",), ("trend",), ("diff", "1", "2"), ("purge", "--keep-days", MOST_DAYS)):
        assert credly_audit("history", *words).code == 0


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1796032800", "write 2026-11-30T10:00:00Z, if it counts the seconds since 1970"),
        ("1796032800000", "write 2026-11-30T10:00:00Z, if it counts the milliseconds since 1970"),
        ("2026333", "write 2026-11-23 or 2026-11-23T09:30:00Z"),
        ("0000-01-01", "write 2026-11-23 or 2026-11-23T09:30:00Z"),
        ("9999-12-31T23:59:59-08:00", "write 2026-11-23 or 2026-11-23T09:30:00Z"),
        ("tomorrow", "write 2026-11-23 or 2026-11-23T09:30:00Z"),
    ],
)
def test_an_instant_that_is_none_is_refused_with_what_may_be_meant(
    credly_audit: Command, written: str, meant: str
) -> None:
    done = credly_audit("waivers", "list", "--as-of", written)

    assert done.code == 2
    assert f"{written!r} is not a date or timestamp; {meant}" in done.err


NUMBERS = {
    "api": ("timeout", "max_retries", "requests_per_second", "max_throttled_seconds", "workers"),
    "policy": ("audit_every_days", "max_waiver_days"),
    "policy.due_days": ("high", "low"),
    "policy.rules.EXP002.windows": ("high", "low"),
    "policy.rules.EXP004": ("max_lifetime_days",),
    "policy.rules.EXP005": ("max_rotation_age_days",),
    "policy.rules.DOC003": ("min_words", "min_length"),
    "policy.rules.INV001": ("max_tokens",),
    "policy.rules.INV004": ("no_successor_days",),
    "policy.rules.PRM006": ("max_privileged",),
    "policy.rules.OAU003": ("max_secret_age_days",),
    "history": ("keep_days",),
}

VALUES = (
    "0",
    "1",
    "0.5",
    "1000000",
    "9999999",
    "1" + "0" * 30,
    "-1",
    "inf",
    "-inf",
    "nan",
    "1e308",
    "1e-300",
    "true",
    "'7'",
)


@pytest.mark.parametrize("value", VALUES)
def test_any_number_is_accepted_or_refused_with_its_line(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, value: str
) -> None:
    assert credly_audit("collect", "-c", configure(tmp_path, sandbox), "-o", "tokens.snapshot").code == 0
    places = [(table, key) for table, keys in NUMBERS.items() for key in keys]
    lines: list[str] = []
    for table, key in places:
        lines += [f"[{table}]" if table not in {each.strip("[]") for each in lines} else "", f"{key} = {value}"]
    config = Path("numbers.toml")
    config.write_text("\n".join(lines) + "\n")

    done = credly_audit("config", "validate", "-c", config)

    assert done.code == 2
    mistakes = [line for line in done.err.splitlines() if "numbers.toml:" in line and ": no organization" not in line]
    refused = {int(line.split("numbers.toml:")[1].split(":")[0]) for line in mistakes}
    kept = [line for number, line in enumerate(lines, 1) if number not in refused]
    config.write_text("\n".join(kept) + "\n")
    done = credly_audit("check", "tokens.snapshot", "-c", config, "--as-of", "2026-11-23", *EVERY)
    assert done.code in {0, 1}, done.err
    number = tomllib.loads(f"x = {value}")["x"]
    if not isinstance(number, str) and (math.isnan(number) or not 0 <= number <= MOST_DAYS):
        assert not [line for line in kept if "days =" in line]


def test_the_longest_waiver_days_are_counted(credly_audit: Command, tmp_path: Path) -> None:
    text = f'[policy]\nmax_waiver_days = 9999999\n[[waivers]]\nrule = "EXP"\norganization = "{ACME}"\n'
    (tmp_path / "credly-audit.toml").write_text(text)

    done: Any = credly_audit("waivers", "list")
    assert done.code == 2
    assert f"credly-audit.toml:2: policy.max_waiver_days: must be less than or equal to {MOST_DAYS}" in done.err
