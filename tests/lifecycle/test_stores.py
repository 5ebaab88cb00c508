"""The store: tried before anything is asked; wherever it fails after all, the value is in a file."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from credly_audit.sandbox.api import ApiRequest
from credly_audit.sandbox.faults import Faults
from credly_audit.sandbox.shapes import Reply
from credly_audit.secrets import limits
from tests import needs
from tests.access_lists import DEFAULT, READER, access_list, attributes, readable_by_one, set_attribute
from tests.keyrings import Ring
from tests.lifecycle.conftest import Bench, Told
from tests.lifecycle.processes import PLANT, ROOT
from tests.packages import READS, STORES, Install


@pytest.fixture
def ring(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Ring:
    return Ring.used_by(monkeypatch, tmp_path_factory.mktemp("keyring") / "ring")


ACTIONS = pytest.mark.parametrize("action", ["rotate", "create"])

KEPT = ("--read-back", "file:stores/kept")


def test_a_program_takes_the_value_on_its_standard_input_and_nowhere_else(bench: Bench) -> None:
    look = "tr '\\0' ' ' < /proc/$$/cmdline >> seen; tr '\\0' ' ' < /proc/$PPID/cmdline >> seen; env >> seen"
    store = bench.program("keep", look, "cat > stores/kept; echo chatter; echo chatter >&2")

    told = bench.rotate("--store", store, *KEPT)

    assert told.token["state"] == "rotated"
    assert (bench.folder / "stores" / "kept").read_text() == bench.token.token
    assert told.token["stored_in"] == store
    assert (bench.folder / "seen").stat().st_size > 0
    assert "chatter" not in told.out + told.err


def test_the_keyring_takes_it_and_gives_it_back(bench: Bench, ring: Ring) -> None:
    told = bench.rotate("--store", "keyring:credly/acme")

    assert told.token["state"] == "rotated"
    assert ring.kept == {"credly/acme": bench.token.token}


def test_a_keyring_that_waits_for_a_prompt_stops_the_rotation_before_anything_is_asked(
    bench: Bench, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PATIENCE", 1.5)
    ring.behave("hang")
    value = bench.token.token

    told = bench.rotate("--store", "keyring:credly/acme")

    assert told.code == 2
    assert "keyring:credly/acme did not answer within 2 seconds; is the keyring unlocked?" in told.err
    assert bench.token.token == value


def test_what_a_keyring_prints_does_not_spoil_the_report(bench: Bench, ring: Ring) -> None:
    ring.behave("print")

    told = bench.rotate("--store", "keyring:credly/acme")

    assert told.token["state"] == "rotated"
    assert "MADE-UP-chatter" not in told.out + told.err


def test_a_store_of_another_package_takes_the_value_and_gives_it_back(bench: Bench, install: Install) -> None:
    install(READS.replace("FOLDER", "FOLDER, 'stores'") + STORES.replace("FOLDER", "FOLDER, 'stores'"))

    told = bench.rotate("--store", "acme:kept")

    assert (told.code, told.token["state"], told.token["stored_in"]) == (0, "rotated", "acme:kept")
    assert (bench.folder / "stores" / "kept").read_text() == bench.token.token


EXITS = """
    def write(self, place, value):
        print(value)
        sys.exit(value)

    def try_write(self, place):
        raise ValueError(place)
"""


@ACTIONS
@pytest.mark.parametrize(
    ("stores", "place", "said"),
    [
        ("", "kept", "--store: acme:kept cannot store values; write file:PATH"),
        (STORES, "a/b", "acme:a/b must be a name without a slash"),
        (EXITS, "kept", "acme:kept could not be written ("),
    ],
    ids=["reads only", "no place", "fails on the trial"],
)
def test_a_store_of_another_package_that_cannot_work_is_refused_and_nothing_is_asked(
    bench: Bench, install: Install, action: str, stores: str, place: str, said: str
) -> None:
    install(READS + stores)

    told = (bench.rotate if action == "rotate" else bench.create)("--store", f"acme:{place}")

    assert (told.code, bench.sandbox.requests) == (2, [])
    assert said in told.err


def test_a_package_that_only_reads_its_credential_needs_another_store(bench: Bench, install: Install) -> None:
    install(READS.replace("FOLDER", "FOLDER, 'stores'"))
    (bench.folder / "stores" / "token").write_text(bench.token.token)

    told = bench.rotate("--credential", "acme:token")
    assert (told.code, bench.posts) == (2, {})
    assert "its credential comes from acme:token, which cannot store a new value" in told.err

    keeps = bench.program("keep", "cat > stores/token")
    told = bench.rotate("--credential", "acme:token", "--store", keeps)
    assert (told.code, told.token["state"]) == (0, "rotated")
    assert (bench.folder / "stores" / "token").read_text() == bench.token.token


def test_a_store_of_another_package_that_fails_after_all_leaves_the_value_in_a_file(
    bench: Bench, install: Install
) -> None:
    store = STORES.replace("def write(self, place, value):", "def write(self, place, value):\n        self.fail(place)")
    fail = """
    def fail(self, place):
        if Path(FOLDER, place).exists():
            raise SourceError("is locked")
"""
    install((READS + store + fail).replace("FOLDER", "FOLDER, 'stores'"))

    told = bench.rotate("--store", "acme:kept")

    assert (told.code, told.token["state"]) == (3, "emergency")
    assert "acme:kept could not be written (is locked)" in told.words
    assert bench.copies == [bench.token.token]


def test_the_trial_writes_the_value_in_force_before_anything_is_asked(bench: Bench) -> None:
    told = bench.rotate("--store", bench.failing(2, 3, 4), *KEPT)

    assert told.token["state"] == "emergency"
    assert (bench.folder / "stores" / "kept").read_text() == bench.token.history[0]


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("file:nowhere/new", "does not exist; create it"),
        ("file:stores", "is not a file"),
        ("exec:no-such-program", "there is no such program"),
        ("exec:'", "quotes do not match"),
        ("env:NEW", "write file:PATH"),
        ("keyring:service-alone", "write keyring:SERVICE/USER"),
        ("systemd:acme", "write file:PATH"),
        ("exec:T=1 cmd", "begins with NAME=VALUE"),
    ],
)
def test_a_store_that_cannot_work_is_refused_and_nothing_is_asked(bench: Bench, store: str, said: str) -> None:
    told = bench.rotate("--store", store, "--read-back", "none")

    assert told.code == 2
    assert said in told.err
    assert bench.sandbox.requests == []


def stored(bench: Bench, action: str) -> tuple[Path, Callable[..., Told]]:
    """A file that holds a value, and the command that stores another one in it."""
    path = bench.folder / "stores" / "kept"
    path.write_text(bench.acme.tokens[0 if action == "rotate" else 1].token)
    path.chmod(0o600)
    command = bench.rotate if action == "rotate" else bench.create
    own = () if action == "rotate" else ("--fail-on", "never")
    return path, lambda *more: command("--store", "file:stores/kept", *own, *more)


def newest(bench: Bench, action: str) -> str:
    return bench.acme.tokens[0 if action == "rotate" else -1].token


@ACTIONS
def test_a_file_keeps_its_access_control_list_and_its_attributes(bench: Bench, action: str) -> None:
    """The one reader that the list names can read the new value, and the owning group still cannot."""
    path, run = stored(bench, action)
    set_attribute(path, "user.note", b"read by the CRM")
    readable_by_one(path)
    before, mode = attributes(path), path.stat().st_mode

    assert run().code == 0

    assert path.read_text() == newest(bench, action)
    assert (attributes(path), path.stat().st_mode) == (before, mode)


@ACTIONS
def test_a_list_that_the_folder_hands_down_lets_nobody_else_read_the_new_value(bench: Bench, action: str) -> None:
    path, run = stored(bench, action)
    path.chmod(0o640)
    set_attribute(path.parent, DEFAULT, access_list(7, 5, 0, 5, {READER: 5}, {}))

    assert run().code == 0

    assert path.read_text() == newest(bench, action)
    assert (attributes(path), path.stat().st_mode & 0o777) == ({}, 0o640)


@ACTIONS
def test_a_file_whose_attributes_cannot_be_kept_is_refused_before_anything_is_asked(
    bench: Bench, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, run = stored(bench, action)
    readable_by_one(path)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setxattr", refuse)
    told = run()

    assert (told.code, bench.sandbox.requests) == (2, [])
    assert "its access control list cannot be kept on a new file (Operation not permitted)" in told.err
    assert path.read_text() in bench.values


@ACTIONS
def test_a_file_with_a_second_name_is_refused_before_anything_is_asked(bench: Bench, action: str) -> None:
    path, run = stored(bench, action)
    (bench.folder / "stores" / "second").hardlink_to(path)

    told = run()

    assert (told.code, bench.sandbox.requests) == (2, [])
    assert "the file has 2 names (hard links), and the others would keep the old value" in told.err


@ACTIONS
@pytest.mark.parametrize("flag", ["i", "a"])
def test_a_file_that_may_not_be_replaced_is_refused_before_anything_is_asked(
    bench: Bench, action: str, flag: str
) -> None:
    """Immutable, or only to be appended to."""
    path, run = stored(bench, action)
    change = needs.runner("chattr")
    if change(f"+{flag}", path).returncode:
        needs.missing("files that cannot be changed", "run the tests as root on a file system such as ext4")
    try:
        told = run()
    finally:
        change(f"-{flag}", path).check_returncode()

    assert (told.code, bench.sandbox.requests) == (2, [])
    assert "the test of the store failed" in told.err


@ACTIONS
def test_a_file_that_is_mounted_by_itself_takes_the_value_or_is_refused_before_the_request(
    bench: Bench, action: str
) -> None:
    """As a container gets it: it cannot be replaced by another file."""
    path, _ = stored(bench, action)
    outside = bench.folder / "stores" / "outside"
    outside.write_text(path.read_text())
    more = () if action == "rotate" else ("--description", "Badge sync of team CRM", "--fail-on", "never")
    command = [
        sys.executable,
        "-c",
        PLANT,
        action,
        "--organization",
        bench.acme.id,
        "--store",
        "file:stores/kept",
        *more,
    ]
    needs.mounts()
    mounted = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', outside, path]
    done = subprocess.run(
        [*mounted, *command, "--yes", "--emergency-dir", bench.emergency],
        cwd=bench.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    bench.said += [done.stdout, done.stderr]

    assert (done.returncode, sum(bench.posts.values())) in {(0, 1), (2, 0)}
    assert outside.read_text() == (newest(bench, action) if done.returncode == 0 else path.read_text())


@pytest.mark.parametrize("wrong", ["fails", "hangs", "forgets"])
def test_a_store_that_fails_on_the_trial_is_refused_and_nothing_is_asked(
    bench: Bench, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROGRAM_PATIENCE", 1.0)
    does = {"fails": "exit 7", "hangs": "sleep 30", "forgets": "cat > stores/elsewhere"}
    store = bench.program("keep", does[wrong])

    told = bench.rotate("--store", store, *KEPT)

    assert told.code == 2
    assert "the test of the store failed" in told.err
    assert bench.sandbox.requests == []


def test_a_store_that_holds_another_value_is_not_overwritten(bench: Bench) -> None:
    other = bench.folder / "secrets" / "Acme-1"
    before = other.read_text()

    told = bench.rotate("--store", f"file:{other}")

    assert told.code == 2
    assert "contains another value than the current one" in told.err
    assert other.read_text() == before
    assert bench.sandbox.requests == []


def test_what_cannot_be_read_back_has_to_be_said_to_be_meant(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    store = bench.failing()
    monkeypatch.setenv("ACME_TOKEN", bench.token.token)
    chosen = ("--credential", "env:ACME_TOKEN", "--store", store)

    told = bench.rotate(*chosen)
    assert told.code == 2
    assert "--read-back none" in told.err
    assert bench.sandbox.requests == []

    told = bench.rotate(*chosen, "--read-back", "none")
    assert told.token["state"] == "rotated"
    assert (bench.folder / "stores" / "kept").read_text() == bench.token.token


def test_what_a_program_took_is_read_back_where_the_credential_is_read_from(bench: Bench) -> None:
    keeps = bench.failing(file=str(bench.store))
    assert bench.rotate("--store", keeps).token["state"] == "rotated"

    told = bench.rotate("--store", bench.program("elsewhere", "cat > stores/elsewhere"))
    assert (told.code, told.token["state"]) == (3, "emergency")
    assert bench.copies == [bench.token.token]


def test_a_store_that_fails_once_is_tried_again(bench: Bench) -> None:
    told = bench.rotate("--store", bench.failing(2), *KEPT)

    assert told.token["state"] == "rotated"
    assert (bench.folder / "stores" / "kept").read_text() == bench.token.token


def test_a_store_that_fails_after_all_leaves_the_value_in_a_file_for_its_owner_alone(bench: Bench) -> None:
    told = bench.rotate("--store", bench.failing(2, 3, 4), *KEPT)

    assert (told.code, told.token["state"]) == (3, "emergency")
    file = Path(told.token["emergency_file"])
    assert file.read_text() == bench.token.token
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"store the content of {file}" in told.words
    assert "ended with exit status 9" in told.words
    assert bench.posts["rotate"] == 1


def test_an_emergency_is_finished_by_the_same_command_without_another_post(bench: Bench) -> None:
    command = ("--store", bench.failing(2, 3, 4), *KEPT)
    assert bench.rotate(*command).token["state"] == "emergency"

    told = bench.rotate(*command)

    assert (told.code, told.token["state"]) == (0, "rotated")
    assert "this run finished an earlier one" in told.words
    assert (bench.folder / "stores" / "kept").read_text() == bench.token.token
    assert list(bench.emergency.iterdir()) == []
    assert bench.posts["rotate"] == 1


def test_an_emergency_that_a_person_settled_is_tidied_up(bench: Bench) -> None:
    assert bench.rotate("--store", bench.failing(2, 3, 4), *KEPT).token["state"] == "emergency"
    bench.store.write_text(bench.token.token)

    assert bench.rotate("--due", "1d").code == 0

    assert list(bench.emergency.iterdir()) == []
    assert bench.posts["rotate"] == 1


def test_another_commands_emergency_is_told_of(bench: Bench) -> None:
    assert bench.rotate("--store", bench.failing(2, 3, 4), *KEPT).token["state"] == "emergency"

    told = bench.rotate("--credential", "file:secrets/Acme-1", shape="text")

    assert "left over" in told.out
    assert "contains the value of a token that was rotated" in told.out


def test_a_keyring_that_locks_itself_in_between_leaves_the_value_in_a_file(bench: Bench, ring: Ring) -> None:
    ring.behave("locked-after-sets=1")

    told = bench.rotate("--store", "keyring:credly/acme")

    assert told.token["state"] == "emergency"
    assert "is the keyring unlocked?" in told.words
    assert bench.copies == [bench.token.token]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for few blocks."""
    folder = tmp_path / "stores" / "small"
    folder.mkdir()
    with needs.small_disk(folder, "64k"):
        yield folder


def fill(folder: Path) -> None:
    """Until not a byte more fits."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_disk_that_is_full_beforehand_is_refused_and_nothing_is_asked(bench: Bench, small_disk: Path) -> None:
    fill(small_disk)

    told = bench.rotate("--store", f"file:{small_disk / 'new'}")

    assert told.code == 2
    assert "No space left on device" in told.err
    assert bench.sandbox.requests == []


def test_a_disk_that_is_full_when_the_value_comes_leaves_it_in_the_emergency_file(
    bench: Bench, small_disk: Path
) -> None:
    bench.token.then = lambda: fill(small_disk)

    told = bench.rotate("--store", f"file:{small_disk / 'new'}")

    assert (told.code, told.token["state"]) == (3, "emergency")
    assert "No space left on device" in told.words
    assert bench.copies == [bench.token.token]
    assert (small_disk / "new").read_text() == bench.token.history[0]


def test_the_room_for_the_emergency_copy_is_taken_up_beforehand(bench: Bench, small_disk: Path) -> None:
    """Store and copies on one disk that fills when the server acts: the copy's room is there already."""
    bench.token.then = lambda: fill(small_disk)
    there = ("--store", f"file:{small_disk / 'new'}", "--emergency-dir", small_disk / "emergency")

    told = bench.rotate(*there)

    assert told.token["state"] == "emergency"
    assert [path.read_text() for path in (small_disk / "emergency").glob("*.token")] == [bench.token.token]


def test_without_room_for_an_emergency_copy_nothing_is_asked(bench: Bench, small_disk: Path) -> None:
    (small_disk / "emergency").mkdir()
    fill(small_disk)

    told = bench.rotate("--emergency-dir", small_disk / "emergency")

    assert (told.code, told.token["state"]) == (1, "unchanged")
    assert "no request was sent" in told.words
    assert bench.posts == {}


def test_a_stores_folder_that_vanishes_leaves_the_value_in_a_file(bench: Bench) -> None:
    gone = bench.folder / "stores" / "gone"
    gone.mkdir()
    bench.token.then = lambda: gone.rename(bench.folder / "stores" / "elsewhere")

    told = bench.rotate("--store", f"file:{gone / 'new'}")

    assert told.token["state"] == "emergency"
    assert "no longer exists" in told.words
    assert bench.copies == [bench.token.token]


def test_where_neither_store_nor_copy_can_be_written_it_is_lost_and_said(bench: Bench) -> None:
    gone = bench.folder / "stores" / "gone"
    gone.mkdir()

    def disaster() -> None:
        (gone / "new").unlink()
        gone.rmdir()
        for copy in bench.emergency.glob("*.token"):
            copy.unlink()
            copy.mkdir()
        gone.write_text("a file where the folder was")

    bench.token.then = disaster
    told = bench.rotate("--store", f"file:{gone / 'new'}")

    assert (told.code, told.token["state"]) == (3, "lost")
    assert "Credly's web page" in told.words


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What has been made to outlive a power cut, in the order that it was."""
    paths: list[Path] = []
    sync = os.fsync

    def remember(descriptor: int) -> None:
        sync(descriptor)
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", remember)
    return paths


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="nothing says which file a descriptor is of")
@ACTIONS
def test_the_copys_folder_outlives_a_power_cut_before_the_request_and_the_stores_after_it(
    bench: Bench, action: str, synced: list[Path]
) -> None:
    path, run = stored(bench, action)
    emergency = bench.folder / "new" / "nested" / "emergency"
    before: list[Path] = []
    asked = bench.sandbox.api.answer

    def answer(request: ApiRequest, faults: Faults) -> Reply:
        if request.method == "POST":
            before.extend(synced)
        return asked(request, faults)

    bench.sandbox.api.answer = answer  # type: ignore[method-assign] # to be told when a request comes

    assert run("--emergency-dir", emergency).code == 0

    copies = [each for each in before if each.parent == emergency]
    assert {each.suffix for each in copies} >= {".json", ".token"}
    assert before.index(emergency) > before.index(copies[-1])
    assert set(before) >= {bench.folder, bench.folder / "new", bench.folder / "new" / "nested"}
    assert path.parent in synced[len(before) :]
    assert emergency in synced[len(before) :], "that the copy is gone outlives it, too"


def test_ci_has_to_name_a_place_for_emergencies(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    told = bench.run("rotate", "--organization", bench.acme.id, "--yes")
    assert told.code == 2
    assert "--emergency-dir" in told.err
    assert bench.sandbox.requests == []

    assert bench.rotate().code == 0


def test_without_ci_emergencies_go_to_the_users_state_directory(bench: Bench) -> None:
    store = bench.failing(2, 3, 4)
    told = bench.run(*("rotate", "--organization", bench.acme.id, "--yes", "--format", "json", "--store", store, *KEPT))

    file = Path(told.token["emergency_file"])
    assert file.parent == bench.folder / "state" / "credly-audit" / "emergency"
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.read_text() == bench.token.token
    file.rename(bench.folder / "stores" / "settled")


def test_then_runs_once_after_the_proof_without_the_value(bench: Bench) -> None:
    then = bench.program("restart", "env | grep ^CREDLY_AUDIT_ > told; cp secrets/Acme-0 stores/seen-by-then")

    told = bench.rotate("--then", then)

    assert told.code == 0
    assert (bench.folder / "stores" / "seen-by-then").read_text() == bench.token.token
    assert sorted((bench.folder / "told").read_text().splitlines()) == [
        f"CREDLY_AUDIT_ORGANIZATION={bench.acme.id}",
        "CREDLY_AUDIT_STATE=rotated",
        f"CREDLY_AUDIT_TOKEN_ID={bench.token.id}",
    ]


def test_a_then_that_fails_needs_a_person_and_says_that_the_value_is_stored(bench: Bench) -> None:
    told = bench.rotate("--then", bench.program("restart", "exit 5"))

    assert (told.code, told.token["state"], told.token["must_act"]) == (3, "rotated", True)
    assert "--then failed" in told.words
    assert "exit status 5" in told.words
    assert bench.store.read_text() == bench.token.token


@pytest.mark.parametrize("then", ["restart", "file:restart", "exec:", "exec:no-such-program"])
def test_a_then_that_is_none_is_refused(bench: Bench, then: str) -> None:
    assert bench.rotate("--then", then).code == 2
    assert bench.sandbox.requests == []


def test_the_end_of_line_of_a_windows_program_stays(bench: Bench) -> None:
    bench.store.write_bytes(f"{bench.token.token}\r\n".encode())

    assert bench.rotate().code == 0
    assert bench.store.read_bytes() == f"{bench.token.token}\r\n".encode()


def test_a_store_behind_a_link_that_others_can_change_is_refused_before_the_request(bench: Bench) -> None:
    shared = bench.folder / "shared"
    shared.mkdir()
    (shared / "link").symlink_to(bench.store)
    shared.chmod(0o777)

    told = bench.rotate("--store", f"file:{shared}/link")
    (shared / "link").unlink()

    assert told.code == 2
    assert f"other users can change the symbolic link {shared}/link" in told.err
    assert bench.posts["rotate"] == 0
