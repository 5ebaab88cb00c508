"""The wheel holds all that the command needs, and help costs next to nothing."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from credly_audit.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    [built] = folder.glob("*.whl")
    return built


def test_templates_and_sample_data_ship_inside_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    for folder in ("report_templates", "sample_data"):
        shipped = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert shipped
        assert {f"credly_audit/{path}" for path in shipped} <= set(names)
    assert not [name for name in names if name.startswith("tests")]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    check = "import sys; from credly_audit.cli.main import outcome; outcome(sys.argv[1:]);"
    check += "print({'pandas', 'pyarrow', 'requests', 'pydantic', 'rich', 'jinja2', 'numpy'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", check, *arguments], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "set()"


def test_every_command_has_help() -> None:
    assert COMMANDS
    for command in COMMANDS:
        done = CliRunner().invoke(cli, [command, "--help"])
        assert done.exit_code == 0, command
        assert "Usage:" in done.output
