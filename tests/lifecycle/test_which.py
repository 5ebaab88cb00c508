"""Which tokens a command is about, where their values go, and that every mistake is named before anything is asked."""

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from credly_audit.sandbox.world import OAuthApplication
from tests.lifecycle.conftest import Bench, MakeBench
from tests.lifecycle.processes import PLANT, ROOT


def expire(bench: Bench, *days: float | None) -> None:
    """So the first tokens of the organizations expire."""
    for organization, ahead in zip(bench.sandbox.world.organizations, days, strict=True):
        organization.tokens[0].expires_at = None if ahead is None else datetime.now(UTC) + timedelta(days=ahead)


def test_without_a_name_those_that_are_marked_and_due_are_rotated(make_bench: MakeBench) -> None:
    bench = make_bench(4, own="rotate = true")
    expire(bench, 34, 36, None, 1)
    before = [each.tokens[0].token for each in bench.sandbox.world.organizations]

    told = bench.run("rotate", "--yes", "--format", "json", "--emergency-dir", bench.emergency)

    assert told.code == 0
    assert [token["organization_name"] for token in told.report["tokens"]] == ["Acme", "Beta3"]
    assert [each.partition(":")[0] for each in told.report["not_due"]] == ["Beta1", "Beta2"]
    now = [each.tokens[0].token for each in bench.sandbox.world.organizations]
    assert [old != new for old, new in zip(before, now, strict=True)] == [True, False, False, True]


def test_nothing_due_is_no_failure_and_writes_to_no_store(make_bench: MakeBench) -> None:
    bench = make_bench(2, own="rotate = true")
    stamp = bench.store.stat().st_mtime_ns

    told = bench.run("rotate", "--yes", "--emergency-dir", bench.emergency)

    assert (told.code, told.out.splitlines()[-1]) == (0, "2 not due.")
    assert bench.store.stat().st_mtime_ns == stamp
    assert bench.posts == {}


def test_what_has_no_known_expiry_is_neither_due_nor_passed_over_in_silence(bench: Bench) -> None:
    bench.acme.shape = "legacy"

    told = bench.rotate("--due", "35d")

    assert (told.code, told.token["state"]) == (1, "unchanged")
    assert "it is not known whether the token is due" in told.words


def test_due_narrows_the_organizations_named(make_bench: MakeBench) -> None:
    bench = make_bench(2)
    expire(bench, 20, 10)
    other = bench.sandbox.world.organizations[1].id

    told = bench.rotate("--organization", other, "--due", "15d")

    assert [token["organization_name"] for token in told.report["tokens"]] == ["Beta1"]


def test_a_credential_is_rotated_alone_and_stays_where_it_is_read_from(make_bench: MakeBench) -> None:
    bench = make_bench(own='store = "file:stores/configured"')
    configured = bench.store.read_text()

    told = bench.rotate("--credential", "file:secrets/Acme-1")

    assert told.token["token_id"] == bench.acme.tokens[1].id
    assert (bench.folder / "secrets" / "Acme-1").read_text() == bench.acme.tokens[1].token
    assert bench.store.read_text() == configured == bench.token.token
    assert not (bench.folder / "stores" / "configured").exists()


def test_the_configured_token_finds_what_was_lost_of_another(bench: Bench) -> None:
    bench.sandbox.faults = ["lost-after@rotate"]

    told = bench.rotate("--credential", "file:secrets/Acme-1")

    assert told.token["state"] == "rotated"
    assert (bench.folder / "secrets" / "Acme-1").read_text() == bench.acme.tokens[1].token


def test_the_configurations_store_and_read_back_are_used(make_bench: MakeBench) -> None:
    own = 'store = "exec:/bin/sh -c \\"cat > stores/configured\\""\nread_back = "file:stores/configured"'
    bench = make_bench(own=own)

    assert bench.rotate().token["state"] == "rotated"
    assert (bench.folder / "stores" / "configured").read_text() == bench.token.token


def test_the_id_is_filled_in(make_bench: MakeBench) -> None:
    bench = make_bench(2)
    ids = [each.id for each in bench.sandbox.world.organizations]

    told = bench.rotate("--organization", ids[1], "--store", "file:stores/{id}")

    assert told.code == 0
    assert [(bench.folder / "stores" / each).read_text() for each in ids] == [
        each.tokens[0].token for each in bench.sandbox.world.organizations
    ]


def test_after_one_that_needs_a_person_no_other_is_begun(make_bench: MakeBench) -> None:
    bench = make_bench(3, own="rotate = true")
    bench.sandbox.faults = ["lost-after@rotate+1x1"]

    told = bench.run("rotate", "--yes", "--due", "365d", "--format", "json", "--emergency-dir", bench.emergency)

    assert told.code == 3
    assert [token["state"] for token in told.report["tokens"]] == ["rotated", "lost", "unchanged"]
    assert "not started, because Beta1 ended as lost" in told.report["tokens"][2]["message"]
    assert bench.posts["rotate"] == 2


def test_one_that_an_earlier_run_lost_does_not_stop_the_others(make_bench: MakeBench) -> None:
    bench = make_bench(2, own="rotate = true")
    bench.sandbox.faults = ["lost-after@rotate"]
    assert bench.rotate().token["state"] == "lost"
    bench.sandbox.faults = []

    told = bench.run("rotate", "--yes", "--due", "365d", "--format", "json", "--emergency-dir", bench.emergency)

    assert told.code == 3
    assert [token["state"] for token in told.report["tokens"]] == ["lost", "rotated"]
    assert bench.posts["rotate"] == 2


def test_an_unchanged_one_does_not_stop_the_others(make_bench: MakeBench) -> None:
    bench = make_bench(3, own="rotate = true")
    bench.sandbox.faults = ["status=422@rotate+1x1"]

    told = bench.run("rotate", "--yes", "--due", "365d", "--format", "json", "--emergency-dir", bench.emergency)

    assert told.code == 1
    assert [token["state"] for token in told.report["tokens"]] == ["rotated", "unchanged", "rotated"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--organization", "88cf96b7-e4ca-4a17-b938-a72bf2b9c273"), "not configured"),
        (("--credential", "file:secrets/nowhere"), "cannot be read"),
        (("--credential", "env:NOT_SET"), "environment variable NOT_SET is not set"),
        (("--due", "soon"), "write 35d"),
        (("--read-back", "env:NEW"), "--read-back: write"),
        (("--store", "file:stores/new", "--organization", "BETA"), "has the same store as another"),
        (("--organization", "BETA", "--credential", "file:secrets/Acme-1"), "a token of one organization"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_asked(
    make_bench: MakeBench, arguments: tuple[str, ...], said: str
) -> None:
    bench = make_bench(2)
    other = bench.sandbox.world.organizations[1].id

    told = bench.rotate(*(other if each == "BETA" else each for each in arguments))

    assert told.code == 2
    assert said in told.err
    assert (bench.sandbox.requests, told.out) == ([], "")


def test_a_token_on_the_command_line_is_refused_and_not_repeated(bench: Bench) -> None:
    told = bench.rotate("--credential", bench.token.token)

    assert told.code == 2
    assert "write a reference to the token, not the token" in told.err


def test_one_credential_for_two_organizations_is_rotated_for_neither(make_bench: MakeBench) -> None:
    bench = make_bench(2)
    (bench.folder / "secrets" / "Beta1-0").write_text(bench.token.token)

    told = bench.rotate("--organization", bench.sandbox.world.organizations[1].id)

    assert told.code == 2
    assert told.err.count("has the same credential as another") == 2
    assert bench.sandbox.requests == []


def test_what_cannot_take_a_new_value_needs_a_store(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME", bench.token.token)

    told = bench.rotate("--credential", "env:ACME")

    assert told.code == 2
    assert "comes from env:ACME, which cannot store a new value: name a store with --store" in told.err


def test_an_oauth_application_has_no_token_to_rotate(bench: Bench) -> None:
    bench.acme.oauth_applications.append(OAuthApplication(1, "Audit", "MADE-UP-uid", "MADE-UP-secret"))
    for name in ("uid", "secret"):
        (bench.folder / "secrets" / name).write_text(f"MADE-UP-{name}")
    config = bench.folder / "credly-audit.toml"
    oauth = 'oauth = { client_id = "file:secrets/uid", client_secret = "file:secrets/secret" }'
    config.write_text(config.read_text().replace('token = "file:secrets/Acme-0"', oauth))

    told = bench.rotate()
    assert (told.code, bench.sandbox.requests) == (2, [])
    assert "authenticates with OAuth, which has no token to rotate" in told.err

    bench.sandbox.faults = ["lost-after@rotate"]
    told = bench.rotate("--credential", "file:secrets/Acme-1")
    assert told.token["state"] == "rotated", "the application finds the new value"


def test_where_nothing_is_marked_nothing_is_guessed(bench: Bench) -> None:
    told = bench.run("rotate", "--yes")

    assert told.code == 2
    assert "no organization has `rotate = true`" in told.err


def test_off_a_terminal_it_has_to_be_said_that_it_is_meant(bench: Bench) -> None:
    told = bench.run("rotate", "--organization", bench.acme.id)

    assert told.code == 2
    assert "confirm with --yes when not interactive" in told.err
    assert bench.sandbox.requests == []


@pytest.mark.parametrize(("answer", "code", "posts"), [("y", 0, 1), ("n", 1, 0), ("\x04", 130, 0)])
def test_a_terminal_is_asked_after_it_was_told_what_will_happen(
    bench: Bench, answer: str, code: int, posts: int
) -> None:
    terminal, program = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PLANT, "rotate", "--organization", bench.acme.id],
        cwd=bench.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=program,
        stdout=subprocess.PIPE,
        stderr=program,
        start_new_session=True,
    )
    seen = b""
    while b"Continue?" not in seen:
        seen += os.read(terminal, 4096)
    os.write(terminal, f"{answer}\n".encode())
    out, _ = process.communicate(timeout=30)
    os.close(program)
    os.close(terminal)
    bench.said += [seen.decode(), out.decode()]

    assert b"The old value stops working at once" in seen
    assert (process.returncode, bench.posts["rotate"]) == (code, posts)
