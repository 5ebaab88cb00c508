"""docs/unattended.md: what it shows can be used, and what it points at is there."""

import re
import shlex

import click
import pytest

from credly_audit.cli.main import COMMANDS, cli
from credly_audit.config.load import load
from tests.examples.conftest import EXAMPLES, ROOT, Place

PAGE = (ROOT / "docs" / "unattended.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.partition("]")[0].strip("["))
def test_each_piece_of_configuration_is_one(place: Place, block: str) -> None:
    (place.folder / "company-ca.pem").touch()
    (place.folder / "piece.toml").write_text(block)

    settings = load(place.folder / "piece.toml", {}, for_collecting=False)

    assert settings.model_fields_set


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    calls = [re.search(r"(?:^|[/ ])credly-audit ((?:{})\b.*)".format("|".join(COMMANDS)), line) for line in lines]
    return [shlex.split(found[1]) for found in calls if found]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_each_command_is_one(words: list[str]) -> None:
    name, *arguments = words
    root = click.Context(cli, **cli.context_settings)
    command = cli.get_command(root, name)

    assert command is not None
    command.make_context(name, arguments, parent=root)


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(examples/[\w./-]*|action\.yml|Dockerfile)`", PAGE))

    assert len(named) > 5
    assert not [path for path in named if not (ROOT / path).exists()]
    listed = set(re.findall(r"(?m)^\| `([^`]+)`", (EXAMPLES / "README.md").read_text()))
    assert {path.relative_to(EXAMPLES).parts[0] for path in EXAMPLES.iterdir()} - {"README.md"} == {
        path.split("/")[0] for path in listed
    }
