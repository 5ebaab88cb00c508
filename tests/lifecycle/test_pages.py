"""Every command that the operator's pages name exists, with the options that they give it; every state is explained."""

import re
import shlex
from pathlib import Path

import click
import pytest

from credly_audit.cli.main import cli
from credly_audit.lifecycle.outcome import Ending, State, Step

DOCS = Path(__file__).parents[2] / "docs"

PAGES = ("lifecycle.md", "runbook.md", "threat-model.md", "credentials.md", "evidence.md")

COMMAND = re.compile(r"`(credly-audit [^`]+)`|^ {4,}(credly-audit .+)$", re.MULTILINE)


def commands(page: str) -> list[str]:
    """As they stand in the page, lines that go on put together and comments left out."""
    text = (DOCS / page).read_text(encoding="utf-8").replace("\\\n", " ")
    return [" ".join((quoted or shown).split()) for quoted, shown in COMMAND.findall(text)]


@pytest.mark.parametrize(("page", "command"), [(page, command) for page in PAGES for command in commands(page)])
def test_every_command_of_the_pages_exists_with_its_options(page: str, command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    found: click.Command | None = cli
    context = click.Context(cli)
    while isinstance(found, click.Group) and words:
        found = found.get_command(context, words.pop(0))
    assert found is not None, f"{page}: {command}"
    assert not isinstance(found, click.Group)
    known = {name for parameter in found.params for name in parameter.opts} | {"--help"}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, f"{page}: {command}"


def test_the_pages_hold_the_commands_that_this_test_is_about() -> None:
    assert all(len(commands(page)) >= least for page, least in zip(PAGES, (8, 25, 1, 5, 7), strict=True))


@pytest.mark.parametrize("page", ["lifecycle.md", "runbook.md"])
def test_every_state_has_its_row(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    states = set(State) - ({State.CREATED} if page == "runbook.md" else set())

    assert all(re.search(rf"^\| `{state}`[^|]*\|", text, re.MULTILINE) for state in states)


def test_the_steps_of_the_page_are_those_of_the_endings_in_their_order() -> None:
    text = (DOCS / "lifecycle.md").read_text(encoding="utf-8")
    section = text.partition("## The order of steps")[2].partition("\n## ")[0]

    assert re.findall(r"^\d\. \*\*(.+?)\*\*", section, re.MULTILINE) == list(Step)
    steps = [list(Step).index(ending.step) for ending in Ending]
    assert steps == sorted(steps)


def test_every_ending_that_is_not_good_says_what_to_do() -> None:
    bad = {State.EMERGENCY, State.LOST, State.UNKNOWN}

    assert all(ending.next_step for ending in Ending if ending.state in bad)
