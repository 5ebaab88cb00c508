"""Every option of every command can be set by its documented environment variable."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credly_audit.cli.main import cli
from credly_audit.cli.options import Days, Instant, Output
from credly_audit.cli.variables import variable_of
from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, configure

Words = tuple[str, ...]


def context_of(words: Words) -> click.Context:
    """The context in which the last of these words is looked up."""
    context = click.Context(cli, info_name="credly-audit", **cli.context_settings)
    for word in words[:-1]:
        assert isinstance(context.command, click.Group)
        command = context.command.get_command(context, word)
        assert command is not None
        context = click.Context(command, parent=context, info_name=word)
    return context


def commands(words: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    """Every command that is not a group."""
    command = cli if not words else command_of(words)
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name in command.list_commands(context_of((*words, ""))):
        yield from commands((*words, name))


def command_of(words: Words) -> click.Command:
    group = context_of(words).command
    assert isinstance(group, click.Group)
    command = group.get_command(context_of(words), words[-1])
    assert command is not None
    return command


def taken(words: Words, arguments: list[str]) -> dict[str, Any]:
    """What the command takes from a command line, and from the variables beside it."""
    context = context_of(words)
    assert isinstance(context.command, click.Group)
    command = context.command.get_command(context, words[-1])
    assert command is not None
    return command.make_context(words[-1], list(arguments), parent=context).params


OPTIONS = [
    pytest.param(words, option, id=variable_of(words, option))
    for words, command in commands()
    for option in command.params
    if isinstance(option, click.Option)
]


EXAMPLES: dict[type, str] = {
    click.IntRange: "7",
    Instant: "2026-11-23 09:30",
    Days: "35d",
    Output: "json=my reports/audit.json",
    click.Path: "a folder",
}


def example(option: click.Option) -> str:
    """A value that the option takes, with a space where it may hold one."""
    if isinstance(option.type, click.Choice):
        return str(next(each for each in option.type.choices if each != option.default))
    return EXAMPLES.get(type(option.type), "two words")


def needed(command: click.Command, option: click.Option) -> list[str]:
    """What else the command line has to say."""
    line = [max(each.opts, key=len) + "=two words" for each in command.params if needs(each) and each is not option]
    return line + ["an argument" for each in command.params if isinstance(each, click.Argument) and each.required]


def needs(param: click.Parameter) -> bool:
    return isinstance(param, click.Option) and param.required


@pytest.mark.parametrize(("words", "option"), OPTIONS)
def test_a_variable_says_what_its_option_says(
    words: Words, option: click.Option, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if isinstance(option.type, click.Path) and not option.type.file_okay:
        (tmp_path / example(option)).mkdir()
    beside = needed(command_of(words), option)
    value, written = example(option), max(option.opts, key=len)
    by_option = taken(words, [written if option.is_flag else f"{written}={value}", *beside])
    assert option.required or taken(words, beside) != by_option

    in_variable = "1" if option.is_flag else shlex.quote(value) if option.multiple else value
    monkeypatch.setenv(variable_of(words, option), in_variable)

    assert taken(words, beside) == by_option


def test_every_command_is_walked() -> None:
    names = {each.id for each in OPTIONS}

    assert len({" ".join(words) for words, _ in commands()}) > 20
    assert {"CREDLY_AUDIT_RUN_FAIL_ON", "CREDLY_AUDIT_HISTORY_LIST_FORMAT", "CREDLY_AUDIT_WAIVERS_IMPORT_INTO"} <= names


def test_the_command_line_takes_precedence(credly_audit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDLY_AUDIT_RULES_LIST_FORMAT", "json")

    assert json.loads(credly_audit("rules", "list").out)
    assert credly_audit("rules", "list", "--format", "text").out.startswith("EXP ")


def test_what_is_no_option_is_no_variable(credly_audit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CREDLY_AUDIT_VERSION", "CREDLY_AUDIT_HELP", "CREDLY_AUDIT_RULES_LIST_SHAPE"):
        monkeypatch.setenv(name, "1.2.3")

    assert credly_audit("rules", "list").code == 0


def test_several_reports_in_one_variable_go_to_folders_with_spaces(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, sandbox)
    monkeypatch.setenv("CREDLY_AUDIT_RUN_OUTPUT", """ "json=my reports/a.json"\n csv='my reports/b.csv' """)
    monkeypatch.setenv("CREDLY_AUDIT_RUN_AS_OF", "2026-11-23")

    assert credly_audit("run").code == 0
    assert {"a.json", "b.csv"} <= {each.name for each in (tmp_path / "my reports").iterdir()}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CREDLY_AUDIT_RUN_OUTPUT", "json=my reports/a.json", "'reports/a.json' is not FORMAT=PATH"),
        ("CREDLY_AUDIT_RUN_OUTPUT", "'json=my reports/a.json", "its quotation marks do not match"),
        ("CREDLY_AUDIT_RUN_FORMAT", "json,html", "'json,html' is not one of"),
        ("CREDLY_AUDIT_RUN_AS_OF", "yesterday", "'yesterday' is not a date"),
        ("CREDLY_AUDIT_RUN_QUIET", "perhaps", "'perhaps' is not a valid boolean"),
        ("CREDLY_AUDIT_RUN_WORKERS", "0", "0 is not in the range"),
    ],
)
def test_a_bad_value_is_told_with_the_name_of_its_variable(
    credly_audit: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    done = credly_audit("run")

    assert done.code == 2
    assert done.err.startswith(f"credly-audit: {name}: {said}")
    assert ("put a value that contains a space in quotes" in done.err) is name.endswith(("_OUTPUT", "_FORMAT"))
    assert credly_audit("run", "--help").code == 0


LETTERS = st.characters(exclude_characters="'\0", exclude_categories=["Cs"])


@given(st.lists(st.text(LETTERS, min_size=1), min_size=1))
def test_quoted_values_come_back_as_they_were(values: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CREDLY_AUDIT_RUN_FAIL_ON", " ".join(f"'{each}'" for each in values))

        assert list(taken(("run",), [])["fail_on"]) == values
