"""The Dockerfile without Docker: its instructions read and replayed, then run as its user over a read-only root."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests import needs
from tests.examples.conftest import ROOT, Place, reports

DOCKERFILE = ROOT / "Dockerfile"
PREFIX = "/opt/credly-audit"


@dataclass(frozen=True)
class Instruction:
    """`name` is in capitals; continued lines are one."""

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        return re.findall(r'"(.*?)"', self.value) if self.value.startswith("[") else shlex.split(self.value)


def instructions() -> list[list[Instruction]]:
    """Those of each stage, its FROM first."""
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text())).splitlines()
    stages: list[list[Instruction]] = []
    for line in filter(None, lines):
        found = Instruction(*line.split(None, 1))
        stages += [[]] if found.name == "FROM" else []
        stages[-1].append(found)
    return stages


def value(stage: list[Instruction], name: str) -> Instruction:
    [found] = [each for each in stage if each.name == name]
    return found


def copied(instruction: Instruction, context: Path, here: Path) -> Iterator[str]:
    """Do as COPY does, from the context into the working directory; the names that came."""
    *sources, target = instruction.words
    for source in sources:
        place = here / target / source if target.endswith("/") else here / target
        if (context / source).is_dir():
            shutil.copytree(context / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(context / source, place)
        yield source


def test_the_image_is_nobodys_and_knows_its_release() -> None:
    *_, last = instructions()

    assert value(last, "USER").value == "65532:65532"
    assert value(last, "ENTRYPOINT").words == ["credly-audit"]
    for stage in instructions():
        assert re.fullmatch(r"python:3\.\d+-slim( AS build)?", stage[0].value)
        assert not [each for each in stage if each.name == "ADD"]
    assert len({stage[0].words[0] for stage in instructions()}) == 1


def test_all_that_is_copied_passes_the_ignore_file() -> None:
    build, _ = instructions()
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]

    sources = [source for each in build if each.name == "COPY" for source in each.words[:-1]]

    assert sources
    assert not [source for source in sources if not any(fnmatch(source, each) for each in allowed)]
    assert not [each for each in allowed if each not in sources]
    assert not [source for source in sources if not (ROOT / source).exists()]


def test_the_lock_of_the_image_is_that_of_development() -> None:
    """So that what is tried is what is shipped."""
    pins = {
        name: set(re.findall(r"(?m)^([\w.\[\]-]+==\S+)", (ROOT / f"requirements{name}.lock").read_text()))
        for name in ("", "-all", "-dev", "-build")
    }

    assert pins[""]
    assert pins[""] <= pins["-all"] <= pins["-dev"]
    assert pins["-build"] <= pins["-dev"]


@pytest.fixture
def root(place: Place) -> Iterator[Path]:
    """A folder that the image's user can reach, for what the image would hold."""
    needs.mounts()
    needs.program("setpriv")
    with needs.common_folder("image-") as folder:
        folder.chmod(0o755)
        (folder / "data").mkdir()
        config = Path(shutil.copy(place.folder / "credly-audit.toml", folder / "data"))
        config.write_text(config.read_text().replace("file:secrets/acme", "env:CREDLY_TOKEN_ACME"))
        uid, gid = map(int, value(instructions()[-1], "USER").value.split(":"))
        for path in (config.parent, config):
            os.chown(path, uid, gid)
        yield folder


def started(place: Place, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The image's command as its user, over a root that is read-only but for /data and a place for temporary files."""
    *_, stage = instructions()
    uid, gid = value(stage, "USER").value.split(":")
    said = dict(each.split("=", 1) for each in value(stage, "ENV").words)
    assert value(stage, "WORKDIR").value == "/data"
    environ = {
        name: text.replace(PREFIX, f"{root}{PREFIX}")
        .replace("/data", f"{root}/data")
        .replace("$PATH", os.environ["PATH"])
        for name, text in said.items()
    }
    environ |= {name: place.environ[name] for name in ("CREDLY_TOKEN_ACME", "CREDLY_API_URL")}
    program = shlex.join([*value(stage, "ENTRYPOINT").words, *(arguments or value(stage, "CMD").words)])
    script = [
        *reachable(root, Path(sys.base_prefix), Path(sysconfig.get_path("purelib")), ROOT),
        f"mount --bind {root}/data {root}/data",
        "mount -t tmpfs -o mode=1777 tmpfs /var/tmp",
        "mount -o remount,ro,bind /",
        f"cd {root}/data",
        f"exec setpriv --reuid {uid} --regid {gid} --clear-groups --no-new-privs --bounding-set=-all {program}",
    ]
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", "\n".join(script)],
        env=environ | {"TMPDIR": "/var/tmp"},  # noqa: S108 - a file system of its own
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def reachable(root: Path, *folders: Path) -> Iterator[str]:
    """Mount anew, for others to reach, what lies in folders that are their owner's alone (such as root's home)."""
    closed = {folder: top for folder in folders if (top := _closed(folder))}
    saved = {folder: root / f"saved-{number}" for number, folder in enumerate(closed)}
    yield from (f"mkdir -p {place}; mount --bind {folder} {place}" for folder, place in saved.items())
    yield from (f"mount -t tmpfs -o mode=755 tmpfs {top}" for top in dict.fromkeys(closed.values()))
    yield from (f"mkdir -p {folder}; mount --bind {place} {folder}" for folder, place in saved.items())


def _closed(folder: Path) -> Path | None:
    return next((each for each in [*reversed(folder.parents), folder] if not each.stat().st_mode & 0o001), None)


def test_the_command_works_as_nobody_over_a_read_only_root(place: Place, root: Path) -> None:
    prefix = Path(f"{root}{PREFIX}")
    venv.create(prefix, with_pip=False)
    [packages] = (prefix / "lib").glob("python*/site-packages")
    (packages / "these.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    script = f"#!{prefix}/bin/python\nfrom credly_audit.cli.main import main\nmain()\n"
    (prefix / "bin" / "credly-audit").write_text(script)
    (prefix / "bin" / "credly-audit").chmod(0o755)

    assert "Usage: credly-audit" in started(place, root).stdout
    done = started(place, root, "run")

    assert done.returncode == 0, done.stderr
    assert {".html", ".xlsx", ".json", ".snapshot"} <= reports(root / "data" / "reports")
    assert (root / "data" / "state" / "credly-audit").is_dir()


@pytest.mark.proof
def test_what_the_dockerfile_makes_runs_as_nobody_over_a_read_only_root(place: Place, root: Path) -> None:
    build, last = instructions()
    here = root
    for each in build[1:]:
        if each.name == "WORKDIR":
            here = Path(f"{root}{each.value}")
            here.mkdir(parents=True)
        elif each.name == "COPY":
            assert list(copied(each, ROOT, here))
        else:
            assert each.name == "RUN"
            words = f"{each.value} ".replace(PREFIX, f"{root}{PREFIX}")
            words = re.sub(r"^(pip|python) ", rf"{sys.executable} -m \1 ", words).replace("-m python ", "")
            subprocess.run(["sh", "-ec", words], cwd=here, check=True, capture_output=True)
    [taken] = [each for each in last if each.name == "COPY"]
    assert taken.words == ["--from=build", PREFIX, PREFIX]
    shutil.rmtree(here)

    done = started(place, root, "run")

    assert done.returncode == 0, done.stderr
    assert {".html", ".xlsx", ".json", ".snapshot"} <= reports(root / "data" / "reports")
    assert "No module named pip" in started_python(root, "-m", "pip")
    assert started_python(root, "-c", "import apprise, keyring, psycopg") == ""
    bytes_held = sum(path.lstat().st_size for path in Path(f"{root}{PREFIX}").rglob("*"))
    assert bytes_held < 450_000_000


def started_python(root: Path, *arguments: str) -> str:
    """What the image's Python says on standard error."""
    program = (f"{root}{PREFIX}/bin/python", *arguments)
    return subprocess.run(program, capture_output=True, text=True, check=False, env={}).stderr
