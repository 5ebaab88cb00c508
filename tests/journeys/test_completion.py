"""Completion in a shell: what is offered, and that a person need not wait for it."""

import os
import subprocess
import sys

import click
import pytest

from credly_audit.cli.completion import KNOWN, make_stand_in
from credly_audit.cli.main import COMMANDS, cli
from tests import needs
from tests.completion import content

PROGRAM = (sys.executable, "-m", "credly_audit")


def completed(*words: str, before: str = "") -> list[str]:
    """What bash is offered for the last of these words."""
    asked = {"COMP_WORDS": " ".join(["credly-audit", *words]), "COMP_CWORD": str(len(words))}
    environ = os.environ | asked | {"_CREDLY_AUDIT_COMPLETE": "bash_complete"}
    program = PROGRAM if not before else (sys.executable, "-c", before)
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


HEAVY = "{'pandas', 'pyarrow', 'requests', 'pydantic', 'rich', 'jinja2', 'numpy', 'sqlalchemy'}"


def test_what_is_offered_is_what_the_commands_take() -> None:
    assert KNOWN.read_text() == content(), "a command's options have changed: run `make docs`"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("incomplete", ["", "--", "--o"])
def test_a_command_is_completed_as_if_it_were_loaded(name: str, incomplete: str) -> None:
    root = click.Context(cli, **cli.context_settings)
    real = cli.get_command(root, name)
    assert real is not None

    offered, wanted = (
        [(each.value, each.type) for each in command.shell_complete(click.Context(command, parent=root), incomplete)]
        for command in (make_stand_in(name), real)
    )

    assert offered == wanted
    assert offered or incomplete != "--"


def test_commands_options_and_their_choices_are_offered() -> None:
    assert completed("ver") == ["plain,verify"]
    assert completed("run", "--no-no") == ["plain,--no-notify"]
    assert completed("run", "--format", "xl") == ["plain,xlsx"]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["ru"], ["plain,run", "plain,rules"]),
        (["run", "--fo"], ["plain,--format"]),
        (["run", "--fail-on", "high", "--conf"], ["plain,--config"]),
        (["rules", "sh"], ["plain,show"]),
    ],
)
def test_nothing_heavy_is_loaded_for_it(words: list[str], wanted: list[str]) -> None:
    report = f"import atexit, sys; atexit.register(lambda: print({HEAVY} & set(sys.modules)));"

    offered = completed(*words, before=report + "from credly_audit.cli.main import main; main()")

    assert offered == [*wanted, "set()"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    if shell == "bash":
        needs.program("bash")  # click asks it for its version
    environ = os.environ | {"_CREDLY_AUDIT_COMPLETE": f"{shell}_source"}

    script = subprocess.run(PROGRAM, env=environ, capture_output=True, text=True, check=True).stdout

    assert f"_CREDLY_AUDIT_COMPLETE={shell}_complete" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
