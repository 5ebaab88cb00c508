"""The wheel holds all that the command needs, and help costs next to nothing."""

import subprocess
import sys
import sysconfig
import venv
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


def test_the_wheel_runs_the_demo_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies are this environment's, which the lock file made; the package itself is the wheel's alone."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    [packages] = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    zipfile.ZipFile(wheel).extractall(packages)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    done = subprocess.run(
        [python, "-m", "credly_audit", "demo"], cwd=elsewhere, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    where = subprocess.check_output([python, "-c", "import credly_audit; print(credly_audit.__file__)"], cwd=elsewhere)
    assert str(tmp_path) in where.decode()
    assert {path.suffix for path in (elsewhere / "credly-audit-demo").iterdir()} >= {".html", ".xlsx", ".json"}


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
