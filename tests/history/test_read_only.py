"""A history that cannot be written can still be read, and reading leaves nothing beside it."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from credly_audit.history.store import History
from tests import needs
from tests.build import token
from tests.history.months import Months, make_first_version, when

READER = """
import json, os, sys
from pathlib import Path
from credly_audit.errors import AuditError
from credly_audit.history.store import History
told = {}
for name in sys.argv[1:]:
    folder = Path(name)
    history = History.opened("sqlite:///history.sqlite", folder / "credly-audit.toml", {}, create=False)
    with history.past(history.audits()["as_of"].max().to_pydatetime()) as past:
        earlier = len(past.audits)
    try:
        history.must_be_writable()
        writable = True
    except AuditError as error:
        writable = str(error)
    told[name] = {"audits": len(history.audits()), "earlier": earlier, "writable": writable}
print(json.dumps(told))
"""

WITHOUT_RIGHTS = ["--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all"]
"""Root, who obeys the permissions of files, too."""

MODES = {"the file": (0o444, 0o755), "the folder": (0o644, 0o555), "both": (0o444, 0o555)}


def opened(folder: Path) -> History:
    history = History.opened("sqlite:///history.sqlite", folder / "credly-audit.toml", {}, create=True)
    assert history is not None
    return history


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two audits, at rest; and in use, the second one still in the file beside it, without and with its index."""
    rest, used, left = (tmp_path_factory.mktemp(name) for name in ("rest", "used", "left"))
    Months(opened(rest)).audit(0, [token(1)])
    shutil.copytree(rest, used, dirs_exist_ok=True)
    with sqlite3.connect(used / "history.sqlite", isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM audits").fetchone()
        Months(opened(used)).audit(1, [token(1)])
        shutil.copytree(used, left, dirs_exist_ok=True)
    reader.close()
    Months(opened(rest)).audit(1, [token(1)])
    crashed = tmp_path_factory.mktemp("crashed")
    shutil.copytree(left, crashed, dirs_exist_ok=True)
    (crashed / "history.sqlite-shm").unlink()
    return {"rest": rest, "in use": left, "crashed": crashed}


@pytest.fixture
def places(templates: dict[str, Path], tmp_path: Path) -> Iterator[list[Path]]:
    """Each of them where the file, the folder or both cannot be written."""
    made = []
    for name, template in templates.items():
        for what, (file, folder) in MODES.items():
            place = tmp_path / f"{name}, {what}"
            shutil.copytree(template, place)
            for each in place.iterdir():
                each.chmod(file)
            place.chmod(folder)
            made.append(place)
    yield made
    for place in made:
        place.chmod(0o755)


def read(*places: Path) -> dict[str, dict[str, object]]:
    """What another process reads of them that may do no more than the permissions say."""
    words = [sys.executable, "-c", READER, *map(str, places)]
    if os.geteuid() == 0:
        words = [needs.program("setpriv"), *WITHOUT_RIGHTS, *words]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    told: dict[str, dict[str, object]] = json.loads(done.stdout)
    return told


def content(place: Path) -> dict[str, bytes]:
    """The files, but the index of what is in use, which readers mark as read."""
    return {each.name: b"" if each.name.endswith("-shm") else each.read_bytes() for each in place.iterdir()}


def test_it_is_read_whatever_cannot_be_written_and_nothing_is_left_beside_it(places: list[Path]) -> None:
    before = {place: content(place) for place in places}
    told = read(*places)

    assert {(each["audits"], each["earlier"]) for each in told.values()} == {(2, 1)}
    for place in places:
        assert content(place) == before[place]
        assert str(told[str(place)]["writable"]).startswith(f"the history {place}/history.sqlite cannot be written; ")


def test_a_file_system_that_is_read_only_is_read(templates: dict[str, Path], tmp_path: Path) -> None:
    needs.mounts()
    for name, template in templates.items():
        place = tmp_path / name
        shutil.copytree(template, place)
        before = sorted(each.name for each in place.iterdir())
        script = f"mount --bind '{place}' '{place}' && mount -o remount,ro,bind '{place}' && exec \"$@\""
        words = [
            needs.program("unshare"),
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            sys.executable,
            "-c",
            READER,
            str(place),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])

        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[str(place)]["audits"] == 2
        assert sorted(each.name for each in place.iterdir()) == before


def test_reading_a_history_leaves_nothing_beside_it(templates: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "there"
    shutil.copytree(templates["rest"], place)
    history = opened(place)
    with history.past(when(2)) as past:
        assert len(past.audits) == 2

    assert [each.name for each in place.iterdir()] == ["history.sqlite"]


def test_an_old_history_that_cannot_be_written_is_read_from_an_updated_copy(tmp_path: Path) -> None:
    place = tmp_path / "old"
    place.mkdir()
    history = opened(place)
    make_first_version(history.database)
    history.database.shrink()
    before = content(place)
    (place / "history.sqlite").chmod(0o444)
    place.chmod(0o555)
    try:
        assert read(place)[str(place)]["audits"] == 3
        assert content(place) == before
    finally:
        place.chmod(0o755)
