"""Completion in a shell: what is offered, and that a person need not wait for it."""

import os
import shutil
import subprocess
import sys

import pytest

PROGRAM = (sys.executable, "-m", "credly_audit")


def completed(*words: str, before: str = "") -> list[str]:
    """What bash is offered for the last of these words."""
    asked = {"COMP_WORDS": " ".join(["credly-audit", *words]), "COMP_CWORD": str(len(words))}
    environ = os.environ | asked | {"_CREDLY_AUDIT_COMPLETE": "bash_complete"}
    program = PROGRAM if not before else (sys.executable, "-c", before)
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_commands_options_and_their_choices_are_offered() -> None:
    assert completed("ver") == ["plain,verify"]
    assert completed("run", "--no-no") == ["plain,--no-notify"]
    assert completed("run", "--format", "xl") == ["plain,xlsx"]


def test_a_commands_name_is_completed_without_loading_anything_heavy() -> None:
    heavy = "{'pandas', 'pyarrow', 'requests', 'pydantic', 'rich', 'jinja2', 'numpy'}"
    report = f"import atexit, sys; atexit.register(lambda: print({heavy} & set(sys.modules)));"

    offered = completed("ru", before=report + "from credly_audit.cli.main import main; main()")

    assert offered == ["plain,run", "plain,rules", "set()"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version, and there is none")
    environ = os.environ | {"_CREDLY_AUDIT_COMPLETE": f"{shell}_source"}

    script = subprocess.run(PROGRAM, env=environ, capture_output=True, text=True, check=True).stdout

    assert f"_CREDLY_AUDIT_COMPLETE={shell}_complete" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
