"""Killed with SIGKILL between any two steps, interrupted, two at once: the next run knows, and asks nothing twice."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests import needs
from tests.lifecycle.conftest import Bench, MakeBench, Told, watched
from tests.lifecycle.processes import PLANT, ROOT, Runs, eventually
from tests.proof import in_proof


@pytest.fixture
def runs(bench: Bench) -> Iterator[Runs]:
    runs = Runs(bench)
    yield runs
    for process in runs.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def killed(runs: Runs, *arguments: object) -> None:
    """Run it to the end that SIGKILL makes."""
    assert runs.end(runs.rotate(*arguments)) == -signal.SIGKILL


def at_the_posts_answer(runs: Runs) -> None:
    """The server kills the client when it has made the new value, before the answer is sent."""
    runs.bench.token.then = lambda: os.kill(runs.started[-1].pid, signal.SIGKILL)


def test_killed_before_the_answer_came_the_next_run_finds_the_value_without_another_post(
    make_bench: MakeBench,
) -> None:
    bench = make_bench(fallback=True)
    runs = Runs(bench)
    at_the_posts_answer(runs)
    killed(runs)
    assert bench.store.read_text() == bench.token.history[0]

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (0, "rotated")
    assert bench.store.read_text() == bench.token.token
    assert bench.posts["rotate"] == 1
    assert list(bench.emergency.iterdir()) == []


def test_killed_before_the_answer_came_without_a_second_credential_it_is_said_to_be_lost(runs: Runs) -> None:
    bench = runs.bench
    at_the_posts_answer(runs)
    killed(runs)

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (3, "lost")
    assert "an earlier rotation was interrupted" in told.words
    assert told.token["token_id"] == bench.token.id
    assert bench.posts["rotate"] == 1


def test_killed_before_the_post_nothing_happened(runs: Runs) -> None:
    """The trial of the store kills it."""
    bench = runs.bench
    killed(runs, "--store", bench.program("keep", "kill -9 $PPID"), "--read-back", "none")
    assert bench.posts == {}

    assert bench.rotate().token["state"] == "rotated"
    assert bench.posts["rotate"] == 1


KILLS = {
    "before the store took it": 'if [ "$n" = 2 ]; then cat > /dev/null; kill -9 $PPID; else cat > stores/kept; fi',
    "after the store took it": 'cat > stores/kept; if [ "$n" = 2 ]; then kill -9 $PPID; fi',
}


@pytest.mark.parametrize("when", KILLS)
def test_killed_around_the_store_the_value_is_safe_and_the_next_run_finishes(runs: Runs, when: str) -> None:
    bench = runs.bench
    count = 'n=$(($(cat calls 2>/dev/null || echo 0) + 1)); echo "$n" > calls'
    store = ("--store", bench.program("keep", count, KILLS[when]), "--read-back", "file:stores/kept")
    killed(runs, *store)
    assert bench.copies == [bench.token.token]

    told = bench.rotate(*store)

    assert (told.code, told.token["state"]) == (0, "rotated")
    assert (bench.folder / "stores" / "kept").read_text() == bench.token.token
    assert bench.posts["rotate"] == 1
    assert list(bench.emergency.iterdir()) == []


def test_killed_while_the_store_is_read_back_the_next_run_finishes(runs: Runs) -> None:
    bench = runs.bench
    armed = bench.folder / "armed"
    reads = bench.program("look", f"if [ -e {armed} ]; then kill -9 $PPID; fi", "cat stores/kept")
    bench.token.then = armed.touch
    store = ("--store", bench.failing(), "--read-back", reads)
    killed(runs, *store)
    assert bench.copies == [bench.token.token]
    armed.unlink()

    assert bench.rotate(*store).token["state"] == "rotated"
    assert bench.posts["rotate"] == 1


def test_killed_while_the_new_value_is_proved_it_is_in_the_store_and_in_the_copy(runs: Runs) -> None:
    bench = runs.bench
    bench.configure(timeout=30)
    bench.sandbox.faults = ["stall@list+2"]
    process = runs.rotate()
    eventually(lambda: len(bench.sandbox.requests) == 4)
    process.kill()
    assert runs.end(process) == -signal.SIGKILL
    bench.sandbox.faults = []
    assert bench.store.read_text() == bench.token.token
    assert bench.copies == [bench.token.token]

    assert bench.rotate("--due", "1d").code == 0

    assert list(bench.emergency.iterdir()) == []
    assert bench.posts["rotate"] == 1


def test_killed_in_then_the_rotation_is_over(runs: Runs) -> None:
    bench = runs.bench
    killed(runs, "--then", bench.program("restart", "kill -9 $PPID"))

    assert bench.store.read_text() == bench.token.token
    assert list(bench.emergency.iterdir()) == []
    assert bench.rotate("--due", "1d").code == 0


def test_a_draft_that_a_killed_store_left_is_gone_after_the_next_run(bench: Bench) -> None:
    draft = bench.store.parent / f".{bench.store.name}.credly-audit"
    draft.write_text("half of a val")

    assert bench.rotate().token["state"] == "rotated"
    assert not draft.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, *in_proof(signal.SIGTERM, signal.SIGHUP)])
def test_interrupted_it_finishes_the_token_it_is_at_and_begins_no_other(
    make_bench: MakeBench, number: signal.Signals
) -> None:
    bench = make_bench(3, own="rotate = true")
    runs = Runs(bench)
    second = watched(bench.sandbox.world.organizations[1].tokens[0])

    def stop() -> None:
        runs.started[-1].send_signal(number)
        time.sleep(0.1)

    second.then = stop

    process = runs.start("rotate", "--due", "365d", "--format", "json")
    out, err = process.communicate(timeout=30)
    bench.said += [out, err]

    assert process.returncode == 130
    assert [token["state"] for token in Told(130, out, err).report["tokens"]] == ["rotated", "rotated", "unchanged"]
    assert (bench.folder / "secrets" / "Beta1-0").read_text() == second.token
    assert bench.posts["rotate"] == 2


def test_a_second_rotation_ends_at_once_and_asks_nothing(runs: Runs) -> None:
    bench = runs.bench
    wait = bench.program("restart", "touch waiting", "while [ -e waiting ]; do sleep 0.02; done")
    waiting = bench.folder / "waiting"
    process = runs.rotate("--then", wait)
    eventually(waiting.exists)
    asked = len(bench.sandbox.requests)
    new = bench.store.read_text()
    old = bench.folder / "stores" / "old"
    old.write_text(bench.token.history[0])

    with_the_new_one = bench.rotate()
    with_the_old_one = bench.rotate("--credential", f"file:{old}", "--store", f"file:{old}")

    for told in (with_the_new_one, with_the_old_one):
        assert told.code == 2
        assert "another rotation with this credential is in progress" in told.err
    assert len(bench.sandbox.requests) == asked
    waiting.unlink()
    assert runs.end(process) == 0
    assert bench.store.read_text() == new == bench.token.token
    assert bench.posts["rotate"] == 1


def test_a_credential_that_changed_while_the_lock_was_waited_for_is_not_rotated(bench: Bench) -> None:
    """Read once for the task and once under the lock: a program that says something else the second time."""
    reads = bench.program(
        "read", 'n=$(($(cat reads 2>/dev/null || echo 0) + 1)); echo "$n" > reads', "cat secrets/Acme-$((n - 1))"
    )

    told = bench.rotate("--credential", reads, "--store", "file:stores/new")

    assert told.code == 2
    assert "has just changed" in told.err
    assert bench.sandbox.requests == []


def test_a_defect_of_the_tool_after_the_post_names_its_place_and_where_the_value_is(bench: Bench) -> None:
    """Planted where the value is at hand: what is said holds its kind and place, and the file, but not the value."""
    plant = "from credly_audit.lifecycle import deliver\n"
    plant += "def broken(task, value):\n    raise RuntimeError(value.reveal())\n"
    plant += "deliver.store = broken\n"
    command = ["rotate", "--organization", bench.acme.id, "--yes", "--format", "json", "--verbose"]
    done = subprocess.run(
        [sys.executable, "-c", plant + PLANT, *command, "--emergency-dir", bench.emergency],
        cwd=bench.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )
    bench.said += [done.stdout, done.stderr]
    told = Told(done.returncode, done.stdout, done.stderr)

    assert (told.code, told.token["state"]) == (4, "emergency")
    assert "unexpected error: RuntimeError at" in told.words
    assert bench.copies == [bench.token.token]
    told = bench.rotate()
    assert (told.code, told.token["state"]) == (0, "rotated")
    assert bench.posts["rotate"] == 1


def redirected(bench: Bench, streams: str, *arguments: object) -> tuple[int, str]:
    """Run a command whose streams bash redirects; its exit code and what is on standard error."""
    words = [sys.executable, "-c", PLANT, *map(str, arguments), "--yes", "--emergency-dir", str(bench.emergency)]
    done = subprocess.run(
        [needs.program("bash"), "-c", f"{shlex.join(words)} {streams}"],
        cwd=bench.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )
    bench.said.append(done.stderr)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("fault", "code", "state"), [(None, 0, "rotated"), ("lost-after@rotate", 3, "lost")])
@pytest.mark.parametrize("streams", [">/dev/full", *in_proof(">&-", "> >(true)")])
def test_where_standard_output_fails_each_outcome_is_on_standard_error_and_the_exit_code_is_its_own(
    bench: Bench, streams: str, fault: str | None, code: int, state: str
) -> None:
    bench.sandbox.faults = [fault] if fault else []

    ended, said = redirected(bench, streams, "rotate", "--organization", bench.acme.id)

    assert ended == code
    assert f"{state:10} Acme (" in said
    assert ("Credly's web page" in said) == (state == "lost")
    assert "Traceback" not in said


def test_the_outcome_of_a_creation_is_told_too_as_json_lines_where_the_log_is_that(bench: Bench) -> None:
    store = ("--store", "file:stores/new", "--description", "Badge sync of team CRM, crm@acme.example")

    ended, said = redirected(
        bench, ">/dev/full", "create", "--organization", bench.acme.id, *store, "--log-format", "json"
    )

    messages = [json.loads(line)["message"] for line in said.splitlines()]
    assert ended in {0, 1}
    assert [message for message in messages if message.startswith("created    Acme (")]
    assert (bench.folder / "stores" / "new").is_file()


def test_where_no_stream_takes_the_outcome_it_is_kept_with_the_emergency_copies(bench: Bench) -> None:
    ended, _ = redirected(bench, "<&- >&- 2>&-", "rotate", "--organization", bench.acme.id)

    assert ended == 0
    [kept] = bench.emergency.iterdir()
    assert kept.read_text().startswith("rotated    Acme (")
    assert bench.store.read_text() == bench.token.token
    assert (bench.rotate().code, kept.is_file()) == (0, True)
