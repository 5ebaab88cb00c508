"""Patterns as people write them into their configuration."""

from pathlib import Path

import pytest

from tests.build import ACME, snapshot, token
from tests.journeys.conftest import Command

HEAD = f'[[organizations]]\nid = "{ACME}"\ntoken = "env:TOKEN"\n'
PURPOSE = '[[policy.purposes]]\npattern = \'{}\'\nallow = ["read", "write", "delete"]\n'
SLOW = "(a|aa)+$"


@pytest.fixture
def collected(tmp_path: Path) -> str:
    """One token of full access, described at length."""
    flags = {"read_enabled": True, "write_enabled": True, "delete_enabled": True}
    snapshot([token(1, description="a" * 60 + "!", **flags)]).write(tmp_path / "today.snapshot")
    return "today.snapshot"


def test_a_pattern_that_matches_the_empty_text_is_a_mistake_with_its_place(
    credly_audit: Command, collected: str, tmp_path: Path
) -> None:
    required = "[policy.rules.DOC004]\nrequired_patterns = { owner = 'a*' }\n"
    (tmp_path / "credly-audit.toml").write_text(HEAD + PURPOSE.format("report|administration|") + required)

    for command in (("config", "validate"), ("check", collected)):
        done = credly_audit(*command)
        assert (done.code, done.out) == (2, "")
        assert sorted(line.partition(" matches the empty text")[0] for line in done.err.splitlines()) == [
            "credly-audit: credly-audit.toml:5: policy.purposes[1].pattern:",
            "credly-audit: credly-audit.toml:8: policy.rules.DOC004.required_patterns.owner:",
        ]
        assert "write `.+`" in done.err
    assert not (tmp_path / "reports").exists()


def test_a_pattern_that_is_stopped_ends_the_audit_and_is_warned_of_before(
    credly_audit: Command, collected: str, tmp_path: Path
) -> None:
    (tmp_path / "credly-audit.toml").write_text(HEAD + PURPOSE.format("report") + PURPOSE.format(SLOW))

    warned = credly_audit("config", "validate")
    assert (warned.code, warned.out) == (0, "credly-audit.toml is valid: 1 organization.\n")
    [line] = warned.err.splitlines()
    assert "credly-audit.toml:8: policy.purposes[2].pattern: the pattern takes too long" in line

    done = credly_audit("check", collected, "--no-history", "--output", "json=report.json")
    assert (done.code, done.out) == (4, "")
    [line] = done.err.splitlines()
    assert line.startswith(
        f"credly-audit: credly-audit.toml: policy.purposes[2].pattern: the pattern '{SLOW}' was stopped"
    )
    assert not (tmp_path / "report.json").exists()


def test_the_pattern_that_ran_for_minutes_is_answered_at_once(credly_audit: Command, tmp_path: Path) -> None:
    described = "Weekly synchronisation of learner badges for the HR tea"
    snapshot([token(1, description=described[:53], write_enabled=True)]).write(tmp_path / "today.snapshot")
    (tmp_path / "credly-audit.toml").write_text(HEAD + PURPOSE.format(r"^(\w+\s?)+report$"))

    assert credly_audit("config", "validate").err == ""
    assert credly_audit("check", "today.snapshot", "--no-history", "--fail-on", "PRM003").code == 1
