"""The package as people install it: the wheel and its base dependencies, no extra and nothing of development."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import needs

ROOT = Path(__file__).parents[2]
PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, in a folder that every user can reach."""

    prefix: Path

    @property
    def python(self) -> Path:
        return self.prefix / "bin" / "python"

    @property
    def command(self) -> Path:
        return self.prefix / "bin" / "credly-audit"

    @property
    def sample_data(self) -> Path:
        [found] = self.prefix.glob("lib/python*/site-packages/credly_audit/sample_data")
        return found


@dataclass(frozen=True)
class Machine:
    """A folder to work in, a home without a file, and nothing but the system's programs on the path."""

    installed: Installed
    folder: Path
    home: Path
    url: str

    def run(self, *arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
        """The command, with CREDLY_API_URL set to the sandbox."""
        said = clean(self.home) | {"CREDLY_API_URL": self.url} | environ
        words = [str(self.installed.command), *map(str, arguments)]
        return subprocess.run(
            words, cwd=self.folder, env=said, capture_output=True, text=True, timeout=180, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def done(self, *arguments: object, code: int = 0) -> str:
        """What the command says on standard output when it ends with this exit code."""
        done = self.run(*arguments)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout


def clean(home: Path) -> dict[str, str]:
    """An environment that says next to nothing."""
    return {"PATH": PATH, "HOME": str(home)}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The wheel, built once, in an environment of its own made from requirements.lock."""
    wheels = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels], cwd=ROOT, check=True)
    [wheel] = wheels.glob("*.whl")
    with needs.common_folder("installed-") as folder:
        folder.chmod(0o755)
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", folder / "venv", "install", "--quiet"]
        lock = ["--require-hashes", "--requirement", ROOT / "requirements.lock"]
        for wanted in (lock, ["--no-deps", wheel]):
            subprocess.run([*pip, "--disable-pip-version-check", *wanted], check=True, stderr=subprocess.DEVNULL)
        yield Installed(folder / "venv")


@contextmanager
def served(installed: Installed, home: Path) -> Iterator[str]:
    """The address of the sample data, served by the installed package."""
    words = [str(installed.command), "sandbox", "serve"]
    with subprocess.Popen(words, env=clean(home), stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("Serving 9 organizations with "), first
            yield first.rpartition(" at ")[2].strip()
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def url(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(installed, tmp_path_factory.mktemp("home-of-the-sandbox")) as url:
        yield url


@pytest.fixture
def machine(installed: Installed, url: str, tmp_path: Path) -> Machine:
    """A machine with the configuration of the sample data."""
    return prepared(installed, url, tmp_path)


def prepared(installed: Installed, url: str, folder: Path) -> Machine:
    work, home = folder / "work", folder / "home"
    for each in (work, home):
        each.mkdir()
    shutil.copy(installed.sample_data / "credly-audit.toml", work)
    secrets = Path(shutil.copytree(installed.sample_data / "secrets", work / "secrets"))
    for secret in secrets.iterdir():
        secret.chmod(0o600)
    return Machine(installed, work, home, url)


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_development(installed: Installed) -> None:
    """The environment is the one that is meant: what only an extra brings is not there."""
    names = ("keyring", "apprise", "psycopg", "pytest")
    code = f"import importlib.util as u; print([name for name in {names} if u.find_spec(name)])"
    said = subprocess.run(
        [installed.python, "-I", "-c", code], capture_output=True, text=True, check=True, env={"PATH": PATH}
    ).stdout
    assert said == "[]\n"
