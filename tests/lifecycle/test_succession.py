"""A token is replaced without an interruption: a successor, its consumers one after another, and the end."""

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lifecycle.conftest import Bench, MakeBench, Told
from tests.lifecycle.processes import Runs, eventually

CONSUMERS = """
[[consumers]]
name = "CRM"
organizations = ["{organization}"]
contact = "crm@acme.example"
deploy = "exec:{folder}/deploy-crm"
verify = "exec:{folder}/verify-crm"

[[consumers]]
name = "Website"
token = "{token}"
deploy = "exec:{folder}/deploy-website"
"""


def replaces(bench: Bench, *more: object) -> Told:
    """Replace the second token of the first organization, asking with the first one."""
    named = ("--replaces", bench.acme.tokens[1].id, "--description", "CRM sync of team sales", "--fail-on", "never")
    return bench.create(*named, *more)


def with_consumers(bench: Bench, *, crm: str = "cat > stores/crm", verify: str = "exit 0") -> Bench:
    """Two consumers: one with a `verify`, one that a person confirms."""
    bench.program("deploy-crm", crm)
    bench.program("verify-crm", 'env > stores/env; test "$CREDLY_AUDIT_CONSUMER" = CRM || exit 4', verify)
    bench.program("deploy-website", "cat > stores/website")
    text = CONSUMERS.format(organization=bench.acme.id, token=bench.acme.tokens[1].id, folder=bench.folder)
    with (bench.folder / "credly-audit.toml").open("a") as file:
        file.write(text)
    return bench


def successions(bench: Bench, *more: str) -> list[dict[str, Any]]:
    """Return what `succession list` shows."""
    told = bench.run("succession", "list", "--emergency-dir", bench.emergency, "--format", "json", *more)
    assert told.code == 0, told.err
    found: list[dict[str, Any]] = json.loads(told.out)["successions"]
    return found


def states(bench: Bench) -> dict[str, str]:
    """Return the state of each consumer of the only succession."""
    [found] = successions(bench)
    return {each["name"]: each["state"] for each in found["consumers"]}


def audit(bench: Bench, as_of: datetime | None = None) -> dict[str, Any]:
    """Audit as people do; with an instant, the same snapshot as of it."""
    told = bench.run("run", "--output", "json=out/now.json", "--fail-on", "never")
    assert told.code == 0, told.err
    if as_of is not None:
        assert bench.run("collect", "--output", "now.snapshot").code == 0
        told = bench.run("check", "now.snapshot", "--as-of", as_of.isoformat(), "--output", "json=out/later.json")
        assert told.code in {0, 1}, told.err
    report = Path("out/now.json" if as_of is None else "out/later.json")
    found: dict[str, Any] = json.loads(report.read_text())
    for each in Path("out").iterdir():
        each.unlink()
    return found


def confirm(bench: Bench, consumer: str, code: int = 0) -> str:
    """Confirm a consumer; return what is printed."""
    told = bench.run("succession", "confirm", "--consumer", consumer, "--emergency-dir", bench.emergency)
    assert told.code == code, told.err
    return told.out


def findings(report: dict[str, Any], rule_id: str) -> list[dict[str, Any]]:
    """Return the findings of a rule."""
    return [each for each in report["findings"] if each["rule_id"] == rule_id]


def test_a_succession_with_two_consumers(make_bench: MakeBench) -> None:
    bench = with_consumers(make_bench(), crm="test -e stores/up || exit 7; cat > stores/crm")
    old = bench.acme.tokens[1]

    told = replaces(bench)

    assert told.code == 3
    assert told.token["state"] == "created"
    assert "CRM was not switched: deploy" in told.words
    assert "exit status 7" in told.words
    assert states(bench) == {"CRM": "failed", "Website": "deployed"}
    new = bench.acme.tokens[-1]
    assert (bench.folder / "stores/website").read_text() == new.token
    assert bench.posts["create"] == 1

    (bench.folder / "stores/up").touch()
    told = replaces(bench)

    assert told.code == 0
    assert bench.posts["create"] == 1
    assert (bench.folder / "stores/crm").read_text() == new.token
    assert states(bench) == {"CRM": "confirmed", "Website": "deployed"}
    environment = (bench.folder / "stores/env").read_text()
    assert f"CREDLY_AUDIT_TOKEN_ID={new.id}" in environment
    assert f"CREDLY_AUDIT_OLD_TOKEN_ID={old.id}" in environment
    assert new.token not in environment

    assert "delete the old token" in confirm(bench, "Website")
    assert [each["state"] for each in successions(bench)] == ["confirmed"]


def test_a_succession_over_three_audits_in_which_one_consumer_fails_first(make_bench: MakeBench) -> None:
    """Audited before it, while one consumer has not switched, and after the old token is deleted."""
    bench = with_consumers(make_bench(), crm="test -e stores/up || exit 7; cat > stores/crm")
    old = bench.acme.tokens[1]
    old.expires_at = datetime.now(UTC) + timedelta(days=5)
    old.description = "CRM sync of team sales"
    with (bench.folder / "credly-audit.toml").open("a") as file:
        file.write(f"\n[policy.rules.INV001]\nmax_tokens = {len(bench.acme.tokens)}\n")

    before = audit_later(bench)
    told = replaces(bench)
    while_open = audit_later(bench)

    assert stops(before, old.id) == ["CRM and Website will stop working"]
    assert (told.code, states(bench)) == (3, {"CRM": "failed", "Website": "deployed"})
    assert findings(while_open, "DOC005") == findings(while_open, "INV001") == []
    assert stops(while_open, old.id) == ["CRM and Website will stop working"]
    assert changes(while_open) == [("created", bench.acme.tokens[-1].id)]

    (bench.folder / "stores/up").touch()
    assert replaces(bench).code == 0
    assert stops(audit_later(bench), old.id) == ["Website will stop working"]
    confirm(bench, "Website")
    bench.acme.tokens.remove(old)
    after = audit_later(bench)

    assert bench.posts["create"] == 1
    assert [each["state"] for each in successions(bench, "--all")] == ["closed"]
    assert findings(after, "LIF001") == findings(after, "LIF002") == findings(after, "DOC005") == []
    assert changes(after) == [("removed", old.id)]


def audit_later(bench: Bench) -> dict[str, Any]:
    """Audit in another second than before: an audit is compared with earlier ones only."""
    began = int(datetime.now(UTC).timestamp())
    eventually(lambda: int(datetime.now(UTC).timestamp()) > began)
    return audit(bench)


def stops(report: dict[str, Any], token_id: str) -> list[str]:
    """Return what EXP002 says of the consumers of a token."""
    found = [each["message"] for each in findings(report, "EXP002") if each["token_id"] == token_id]
    return [message.partition("); ")[2].partition(" at ")[0] for message in found]


def changes(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what changed of tokens since the audit before."""
    kinds = {"created", "removed", "rotated"}
    return [(each["change"], each["token_id"]) for each in report["compared"]["changes"] if each["change"] in kinds]


def test_an_audit_that_finds_the_old_token_gone_closes_the_succession(make_bench: MakeBench) -> None:
    bench = with_consumers(make_bench())
    audit(bench)
    assert replaces(bench).code == 0
    confirm(bench, "all")
    assert not list(bench.emergency.glob("*.succession"))

    later = audit(bench, datetime.now(UTC) + timedelta(days=20))
    assert [each["token_id"] for each in findings(later, "LIF001")] == [bench.acme.tokens[1].id]
    with (bench.folder / "credly-audit.toml").open("a") as file:
        file.write("\n[policy.rules.LIF001]\ngrace_days = 21\n")
    assert findings(audit(bench, datetime.now(UTC) + timedelta(days=20)), "LIF001") == []

    del bench.acme.tokens[1]
    gone = audit(bench)
    assert findings(gone, "LIF001") == []
    assert successions(bench) == []
    assert [each["state"] for each in successions(bench, "--all")] == ["closed"]


def test_a_successor_with_fewer_permissions_stops_before_any_consumer(make_bench: MakeBench) -> None:
    bench = with_consumers(make_bench())
    bench.sandbox.faults = ["read-only-token"]

    told = replaces(bench)

    assert (told.code, told.token["state"]) == (3, "created")
    assert "lacks write" in told.words
    assert states(bench) == {"CRM": "pending", "Website": "pending"}
    assert not (bench.folder / "stores/crm").exists()

    bench.acme.tokens[-1].write_enabled = bench.acme.tokens[-1].delete_enabled = True
    told = replaces(bench)
    assert told.code == 0
    assert bench.posts["create"] == 1
    assert states(bench) == {"CRM": "confirmed", "Website": "deployed"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--store", "file:secrets/Acme-1"), "contains the value of the token to replace"),
        (("--store", "exec:./keep", "--read-back", "none"), "must be readable again"),
    ],
)
def test_a_store_that_cannot_serve_is_refused_before_anything_is_created(
    make_bench: MakeBench, arguments: tuple[str, ...], reason: str
) -> None:
    bench = with_consumers(make_bench())
    bench.program("keep", "cat > stores/kept")

    told = replaces(bench, *arguments)

    assert (told.code, told.out) == (2, "")
    assert reason in told.err
    assert bench.posts == {}


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("11111111-2222-4333-8444-555555555555", "lists no such token of Acme"),
        ("MADE-UP-not-an-id", "write the token's id"),
    ],
)
def test_a_token_that_is_not_there_cannot_be_replaced(make_bench: MakeBench, token: str, reason: str) -> None:
    bench = make_bench()

    told = bench.create("--replaces", token)

    assert told.code == 2
    assert reason in told.err
    assert bench.posts == {}


def test_a_program_of_a_consumer_that_does_not_exist_is_refused_before_anything_is_created(bench: Bench) -> None:
    with (bench.folder / "credly-audit.toml").open("a") as file:
        file.write(CONSUMERS.format(organization=bench.acme.id, token=bench.acme.tokens[1].id, folder=bench.folder))

    told = replaces(bench)

    assert told.code == 2
    assert "consumer CRM" in told.err
    assert "there is no such program" in told.err
    assert bench.posts == {}


def test_without_configured_consumers_a_person_confirms_them_together(bench: Bench) -> None:
    told = replaces(bench)

    assert told.code == 0
    assert "succession confirm --consumer NAME" in told.words
    assert states(bench) == {"all": "pending"}
    confirm(bench, "all")
    assert [each["state"] for each in successions(bench)] == ["confirmed"]


def test_a_verify_that_fails_confirms_nothing(make_bench: MakeBench) -> None:
    bench = with_consumers(make_bench(), verify="exit 5")
    assert replaces(bench).code == 3
    assert states(bench) == {"CRM": "failed", "Website": "deployed"}

    assert "not confirmed: verify" in confirm(bench, "CRM", code=1)

    assert states(bench) == {"CRM": "failed", "Website": "deployed"}


def test_the_successor_takes_the_description_of_the_old_token(bench: Bench) -> None:
    bench.acme.tokens[1].description = "Badge sync of team CRM"
    told = bench.run(
        *(
            "create",
            "--organization",
            bench.acme.id,
            "--replaces",
            bench.acme.tokens[1].id,
            "--yes",
            "--format",
            "json",
        ),
        *("--store", "file:stores/new", "--fail-on", "never", "--emergency-dir", bench.emergency),
    )

    assert told.code == 0, told.err
    assert bench.acme.tokens[-1].description == "Badge sync of team CRM"


def test_a_dry_run_names_the_consumers_and_changes_nothing(make_bench: MakeBench) -> None:
    bench = with_consumers(make_bench())

    told = replaces(bench, "--dry-run")

    assert (told.code, told.token["dry_run"]) == (0, True)
    assert bench.posts == {}
    assert successions(bench) == []


def test_while_a_succession_is_open_the_pair_counts_once(make_bench: MakeBench) -> None:
    bench = with_consumers(make_bench())
    bench.acme.tokens[1].description = "CRM sync of team sales"
    limit = f"\n[policy.rules.INV001]\nmax_tokens = {len(bench.acme.tokens)}\n"
    with (bench.folder / "credly-audit.toml").open("a") as file:
        file.write(limit)
    audit(bench)
    assert replaces(bench).code == 0

    report = audit(bench)

    assert findings(report, "DOC005") == findings(report, "INV001") == []
    [found] = successions(bench)
    bench.run("succession", "abandon", found["id"], "--emergency-dir", bench.emergency)
    report = audit(bench)
    assert len(findings(report, "DOC005")) == 2
    assert len(findings(report, "INV001")) == 1


def test_consumers_that_have_not_switched_in_time_are_found(make_bench: MakeBench) -> None:
    bench = with_consumers(make_bench())
    audit(bench)
    assert replaces(bench, "--replaces-due", "10d").code == 0

    assert findings(audit(bench), "LIF002") == []
    [found] = findings(audit(bench, datetime.now(UTC) + timedelta(days=11)), "LIF002")

    assert found["token_id"] == bench.acme.tokens[-1].id
    assert "Website" in found["message"]
    assert "CRM" not in found["message"]


def test_what_the_history_did_not_take_is_in_it_after_the_next_audit(make_bench: MakeBench) -> None:
    bench = with_consumers(make_bench())
    emergency = bench.folder / "state/credly-audit/emergency"
    bench.emergency.parent.mkdir(exist_ok=True)
    told = bench.run(
        *(
            "create",
            "--organization",
            bench.acme.id,
            "--replaces",
            bench.acme.tokens[1].id,
            "--yes",
            "--format",
            "json",
        ),
        *("--store", "file:stores/new", "--description", "CRM sync of team sales", "--fail-on", "never"),
    )
    assert told.code == 0, told.err
    assert len(list(emergency.glob("*.succession"))) == 1  # no audit has begun a history yet

    audit(bench)

    assert list(emergency.glob("*.succession")) == []
    assert states(bench) == {"CRM": "confirmed", "Website": "deployed"}


def test_purging_the_history_leaves_what_is_unfinished(make_bench: MakeBench) -> None:
    bench = with_consumers(make_bench())
    audit(bench)
    assert replaces(bench).code == 0

    assert bench.run("history", "purge", "--all").code == 0

    assert states(bench) == {"CRM": "confirmed", "Website": "deployed"}
    confirm(bench, "all")
    audit(bench)
    del bench.acme.tokens[1]
    audit(bench)
    assert bench.run("history", "purge", "--all").code == 0
    assert successions(bench, "--all") == []


KILLS = {
    "at the answer": {},
    "before the store": {"store": "kill -9 $PPID"},
    "after the store": {"store": "cat > stores/kept; kill -9 $PPID"},
    "in the first deploy": {"crm": "kill -9 $PPID"},
    "after the first deploy": {"crm": "cat > stores/crm; kill -9 $PPID"},
    "in verify": {"verify": "kill -9 $PPID"},
}


@pytest.mark.parametrize("when", KILLS)
def test_killed_at_any_step_the_same_command_finishes_with_the_same_successor(make_bench: MakeBench, when: str) -> None:
    bench = with_consumers(make_bench(timeout=30))
    armed = {name: f"test -e disarmed || {{ {line}; }}" for name, line in KILLS[when].items()}
    if "crm" in armed or "verify" in armed:
        bench.program("deploy-crm", armed.get("crm", ":"), "cat > stores/crm")
        bench.program("verify-crm", armed.get("verify", ":"))
    store = bench.program("keep", armed.get("store", ":"), "cat > stores/kept")
    words = (
        *("create", "--organization", bench.acme.id, "--replaces", bench.acme.tokens[1].id, "--fail-on", "never"),
        *("--description", "CRM sync of team sales", "--store", store, "--read-back", "file:stores/kept"),
    )
    if when == "at the answer":
        bench.sandbox.faults = ["stall-after@post"]
    runs = Runs(bench)
    process = runs.start(*words)
    if when == "at the answer":
        eventually(lambda: len(bench.acme.tokens) == 3)
        process.kill()
    assert runs.end(process) == -signal.SIGKILL
    bench.sandbox.faults = []
    (bench.folder / "disarmed").touch()

    told = bench.run(*words, "--yes", "--verbose", "--format", "json", "--emergency-dir", bench.emergency)

    assert (told.code, told.token["state"]) == (0, "created"), told.words
    assert bench.posts["create"] == 1
    assert len(bench.acme.tokens) == 3
    assert states(bench) == {"CRM": "confirmed", "Website": "deployed"}
    for name in ("kept", "crm", "website"):
        assert (bench.folder / "stores" / name).read_text() == bench.acme.tokens[-1].token
    assert list(bench.emergency.glob("*.token")) == []
