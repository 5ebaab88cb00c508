"""Workflow commands, read back as GitHub's runner reads them."""

import re
from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import given

from credly_audit.audit.model import Audit, Gate
from tests.build import BETA, organization, snapshot, token
from tests.renderers.rendering import (
    clean,
    hostile,
    hostile_audit,
    judged,
    many,
    of_all_kinds,
    rendered,
    tried,
    with_a_broken_rule,
)


@dataclass
class Annotation:
    level: str
    properties: dict[str, str]
    message: str


def annotations(audit: Audit) -> list[Annotation]:
    """As `ActionCommand.TryParseV2` of actions/runner: `::command key=value,…::data`, then %-escapes undone."""
    read = []
    for line in re.split(r"\r\n|\r|\n", rendered("github", audit).decode().removesuffix("\n")):
        command = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
        assert command is not None, line
        pairs = (pair.partition("=") for pair in command[2].split(","))
        properties = {name: unescaped(value) for name, _, value in pairs}
        read.append(Annotation(command[1], properties, unescaped(command[3])))
    return read


def unescaped(text: str) -> str:
    for code, character in {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}.items():
        text = text.replace(code, character)
    return text


def test_the_verdict_comes_first_then_what_was_not_seen_then_the_worst() -> None:
    first, second, third, *_ = annotations(of_all_kinds())

    assert (first.level, first.properties) == ("error", {"title": "credly-audit"})
    assert first.message.startswith("Incomplete: 1 of 2 organizations could not be collected completely.")
    assert second.properties == {"file": "reports/monthly.snapshot", "line": "1", "title": "incomplete"}
    assert third.properties == {
        "file": "conf/credly audit.toml",
        "line": "12",
        "title": "critical: EXP002 token-expiring",
    }


def test_what_the_gate_counts_is_an_error_and_what_is_waived_is_not_told() -> None:
    levels = {note.properties["title"].split(" ")[1]: note.level for note in annotations(of_all_kinds())[2:]}

    assert levels == {"DOC006": "error", "EXP001": "error", "EXP002": "warning", "DOC002": "notice"}


def test_a_pass_is_one_notice() -> None:
    (note,) = annotations(clean())

    assert note.level == "notice"
    assert note.message.startswith("Pass: ")


def test_no_more_than_github_shows_and_the_rest_is_counted() -> None:
    read = annotations(many(200))

    assert Counter(note.level for note in read) == {"error": 10, "warning": 1, "notice": 10}
    assert read[-1].message.startswith("383 findings are not shown here")


@pytest.mark.parametrize(("allowed", "level"), [(False, "error"), (True, "warning")])
def test_a_part_not_seen_fails_only_where_the_gate_does(allowed: bool, level: str) -> None:
    collected = snapshot([token(1)], [organization(), organization(BETA, status="truncated")])

    assert [note.level for note in annotations(judged(collected, gate=Gate(allow_partial=allowed)))[:2]] == [level] * 2


def test_an_accepted_gap_is_a_warning() -> None:
    collected = snapshot([token(1)], [organization(), organization(BETA, status="truncated")])
    audit = judged(collected)

    assert annotations(replace(audit, verdict=replace(audit.verdict, accepted=(BETA,))))[1].level == "warning"


def test_a_broken_rule_is_an_error() -> None:
    assert [note.level for note in annotations(with_a_broken_rule())] == ["error", "error"]


@tried
@given(hostile)
def test_hostile_text_starts_no_command_of_its_own(text: str) -> None:
    read = annotations(hostile_audit(text))

    assert len(read) == 4
    assert {note.level for note in read} == {"error"}
    assert all(set(note.properties) <= {"file", "line", "title"} for note in read)
