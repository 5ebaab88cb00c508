"""`create --for-expired`: where a stored token has expired, another credential creates one in its place."""

import json
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credly_audit.sandbox.world import OAuthApplication, SandboxOrganization
from tests.lifecycle.conftest import Bench, MakeBench, Told
from tests.lifecycle.processes import Runs, eventually

DAY = timedelta(days=1)


def expire(*organizations: SandboxOrganization, days: int = 3) -> None:
    """Let the first token of each organization expire some days ago."""
    for each in organizations:
        each.tokens[0].expires_at = datetime.now(UTC) - days * DAY


def renew(bench: Bench, *more: object, shape: str = "json") -> Told:
    """Run the command as a job does."""
    words = ("create", "--for-expired", "--yes", "--verbose", "--format", shape, "--emergency-dir", bench.emergency)
    return bench.run(*words, *(() if "--fail-on" in more else ("--fail-on", "never")), *more)


def states(told: Told) -> dict[str, str]:
    """Return the state of each organization that was handled."""
    return {each["organization_name"]: each["state"] for each in told.report["tokens"]}


def test_expired_tokens_are_replaced_in_their_stores_and_others_are_left(make_bench: MakeBench) -> None:
    bench = make_bench(3, fallback=True)
    acme, beta, _ = bench.sandbox.world.organizations
    expire(acme, beta)
    before = {each.name: list(each.tokens) for each in bench.sandbox.world.organizations}

    told = renew(bench)

    assert told.code == 0, told.out
    assert states(told) == {"Acme": "created", "Beta1": "created"}
    assert [said.partition(":")[0] for said in told.report["not_due"]] == ["Beta2"]
    assert bench.posts == {"create": 2}
    for each in (acme, beta):
        assert each.tokens[:-1] == before[each.name]
        assert each.tokens[-1].description == each.tokens[0].description
        assert (bench.folder / "secrets" / f"{each.name}-0").read_text() == each.tokens[-1].token
    assert [each["replaces"] for each in told.report["tokens"]] == [acme.tokens[0].id, beta.tokens[0].id]
    assert list(bench.emergency.iterdir()) == []
    assert (renew(bench).code, bench.posts["create"]) == (0, 2)


def test_a_person_reads_one_table_of_states(make_bench: MakeBench) -> None:
    bench = make_bench(3, fallback=True)
    expire(*bench.sandbox.world.organizations[:2])
    bench.sandbox.world.organizations[1].tokens[1].write_enabled = False

    lines = renew(bench, shape="text").out.splitlines()

    assert lines[0].split("  ")[0] == "State"
    assert [line.split()[:2] for line in lines[1:3]] == [["created", "Acme"], ["lost", "Beta1"]]
    assert "1 created, 1 lost, 1 not due." in lines
    assert any("no write permission" in line for line in lines)


def test_a_dry_run_shows_the_plan_and_changes_nothing(make_bench: MakeBench) -> None:
    bench = make_bench(2, fallback=True)
    expire(bench.acme)

    told = renew(bench, "--dry-run")

    assert (told.code, told.token["dry_run"], told.token["replaces"]) == (0, True, bench.acme.tokens[0].id)
    assert bench.posts == {}
    assert bench.store.read_text() == bench.acme.tokens[0].token


def test_off_a_terminal_it_needs_a_yes(make_bench: MakeBench) -> None:
    bench = make_bench(fallback=True)
    expire(bench.acme)

    told = bench.run("create", "--for-expired", "--emergency-dir", bench.emergency)

    assert told.code == 2
    assert "--yes" in told.err
    assert bench.sandbox.requests == []


def test_no_more_are_created_than_the_limit(make_bench: MakeBench) -> None:
    bench = make_bench(3, fallback=True)
    expire(*bench.sandbox.world.organizations)

    told = renew(bench, "--limit", 2)

    assert told.code == 1
    assert states(told) == {"Acme": "created", "Beta1": "created", "Beta2": "unchanged"}
    assert "--limit 2 is reached" in told.report["tokens"][2]["message"]
    assert states(renew(bench)) == {"Beta2": "created"}


def test_without_a_limit_ten_are_created(make_bench: MakeBench) -> None:
    bench = make_bench(11, fallback=True)
    expire(*bench.sandbox.world.organizations)

    told = renew(bench)

    assert sorted(states(told).values()) == ["created"] * 10 + ["unchanged"]


def test_a_tag_limits_the_organizations(make_bench: MakeBench) -> None:
    bench = make_bench(2, fallback=True)
    expire(*bench.sandbox.world.organizations)
    file = bench.folder / "credly-audit.toml"
    file.write_text(file.read_text().replace('name = "Beta1"', 'name = "Beta1"\ntags = ["EMEA", "crm"]'))

    assert states(renew(bench, "--tag", "emea")) == {"Beta1": "created"}
    told = renew(bench, "--tag", "apac")
    assert told.code == 2
    assert "--tag apac: no organization has it; there are EMEA, crm" in told.err


def test_an_oauth_application_renews_the_token_of_a_store(make_bench: MakeBench) -> None:
    bench = make_bench()
    uid, secret = "MADE-UP-uid", "MADE-UP-secret-of-an-application"
    bench.acme.oauth_applications.append(OAuthApplication(1, "Auditor", uid, secret))
    (bench.folder / "secrets/uid").write_text(uid)
    (bench.folder / "secrets/secret").write_text(secret)
    file = bench.folder / "credly-audit.toml"
    oauth = 'oauth = { client_id = "file:secrets/uid", client_secret = "file:secrets/secret" }'
    own = 'token = "file:secrets/Acme-0"'
    file.write_text(file.read_text().replace(own, f'{oauth}\nstore = "file:secrets/Acme-0"'))
    expire(bench.acme)

    told = renew(bench)

    assert (told.code, told.token["state"]) == (0, "created"), told.out
    assert bench.store.read_text() == bench.acme.tokens[-1].token


def audit_before_expiry(bench: Bench) -> str:
    """Audit with the first token, then let it expire as that audit read, and vanish from the listing; return its id."""
    token = bench.acme.tokens[0]
    token.raw = {"expires_at": (datetime.now(UTC) - DAY).isoformat()}
    assert bench.run("run", "--output", "json=out.json", "--fail-on", "never").code == 0
    (bench.folder / "out.json").unlink()
    expire(bench.acme)
    del bench.acme.tokens[0]
    return token.id


def test_a_token_that_is_not_listed_any_more_is_known_from_an_earlier_audit(make_bench: MakeBench) -> None:
    bench = make_bench(fallback=True)
    description = bench.acme.tokens[0].description
    old = audit_before_expiry(bench)

    told = renew(bench)

    assert (told.code, told.token["state"]) == (0, "created"), told.out
    assert told.token["replaces"] == old
    assert bench.acme.tokens[-1].description == description


def forget(bench: Bench) -> None:
    """Let Credly list the stored token no more."""
    del bench.acme.tokens[0]


def change(bench: Bench) -> None:
    """Let the stored value be an old one of a token that lives."""
    bench.acme.tokens[0].token = "MADE-UP-rotated-by-others-0001"
    bench.acme.tokens[0].expires_at = datetime.now(UTC) + 90 * DAY


def take_description(bench: Bench) -> None:
    """Let the expired token have no description."""
    expire(bench.acme)
    bench.acme.tokens[0].description = None


def take_permission(bench: Bench) -> None:
    """Let the other credential be read-only."""
    expire(bench.acme)
    bench.acme.tokens[0].write_enabled = bench.acme.tokens[1].write_enabled = False


def expire_both(bench: Bench) -> None:
    """Let both credentials have expired."""
    expire(bench.acme)
    bench.acme.tokens[1].expires_at = bench.acme.tokens[0].expires_at


@pytest.mark.parametrize(
    ("arrange", "code", "state", "reason"),
    [
        (forget, 3, "lost", "not known to have expired: neither Credly's listing nor an earlier audit"),
        (change, 3, "lost", "not known to have expired"),
        (take_description, 1, "unchanged", "has no description that the new one could take"),
        (take_permission, 3, "lost", "has no write permission"),
        (expire_both, 3, "lost", "not known to have expired"),
    ],
)
def test_where_no_token_can_be_created_that_is_said_and_nothing_is_sent(
    make_bench: MakeBench, arrange: Any, code: int, state: str, reason: str
) -> None:
    bench = make_bench(2, fallback=True)
    arrange(bench)
    expire(bench.sandbox.world.organizations[1])

    told = renew(bench)

    [acme, beta] = told.report["tokens"]
    assert (told.code, acme["state"], beta["state"]) == (code, state, "created")
    assert reason in acme["message"]
    assert bench.posts == {"create": 1}


@pytest.mark.parametrize("fallback", [False, True])
def test_without_another_credential_that_may_write_a_person_is_told_what_to_do(
    make_bench: MakeBench, *, fallback: bool
) -> None:
    bench = make_bench(fallback=fallback)
    old = audit_before_expiry(bench)
    bench.acme.tokens[0].write_enabled = False

    told = renew(bench)

    assert (told.code, told.token["state"], told.token["replaces"]) == (3, "lost", old)
    assert "has expired, and no other credential can create one" in told.words
    assert ("has no write permission" if fallback else "no fallback_token is configured") in told.words
    assert bench.posts == {}


def test_the_new_token_is_evaluated(make_bench: MakeBench) -> None:
    bench = make_bench(fallback=True)
    expire(bench.acme)

    told = renew(bench, "--fail-on", "high")

    assert (told.code, told.token["state"]) == (1, "created")
    assert [each["rule_id"] for each in told.token["findings"] if each["fails"]] == ["PRM001"]


def test_the_next_step_names_the_consumers_of_the_token(make_bench: MakeBench) -> None:
    bench = make_bench(2, fallback=True)
    expire(*bench.sandbox.world.organizations)
    with (bench.folder / "credly-audit.toml").open("a") as file:
        file.write(f'\n[[consumers]]\nname = "CRM"\norganizations = ["{bench.acme.id}"]\n')

    acme, beta = renew(bench).report["tokens"]

    assert "make sure that CRM has the new value" in acme["next_step"]
    assert "make sure that what uses it has the new value" in beta["next_step"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--store", "file:stores/new"), "--store: --for-expired takes this"),
        (("--description", "CRM"), "--description: --for-expired takes this"),
        (("--replaces", "11111111-2222-4333-8444-555555555555"), "--replaces: --for-expired takes this"),
        (("--limit", "0"), "--limit"),
    ],
)
def test_options_that_do_not_go_with_it_are_refused(make_bench: MakeBench, options: Any, reason: str) -> None:
    bench = make_bench(fallback=True)
    expire(bench.acme)

    told = renew(bench, *options)

    assert told.code == 2
    assert reason in told.err
    assert bench.sandbox.requests == []


@pytest.mark.parametrize("option", [("--tag", "crm"), ("--limit", "3")])
def test_its_options_are_refused_without_it(bench: Bench, option: tuple[str, str]) -> None:
    told = bench.create(*option)

    assert told.code == 2
    assert f"{option[0]}: belongs to --for-expired" in told.err


def test_organizations_whose_token_has_no_store_are_left_out(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(2, fallback=True)
    expire(*bench.sandbox.world.organizations)
    monkeypatch.setenv("TOKEN_OF_BETA", bench.sandbox.world.organizations[1].tokens[0].token)
    file = bench.folder / "credly-audit.toml"
    file.write_text(file.read_text().replace("file:secrets/Beta1-0", "env:TOKEN_OF_BETA"))

    told = renew(bench)

    assert states(told) == {"Acme": "created"}
    assert "1 organization left out, whose token has no store: Beta1" in told.err
    beta = renew(bench, "--organization", bench.sandbox.world.organizations[1].id)
    assert beta.code == 2
    assert "set `store`" in beta.err


def test_a_store_that_contains_another_value_is_refused(make_bench: MakeBench) -> None:
    bench = make_bench(fallback=True, own='store = "file:stores/elsewhere"')
    expire(bench.acme)
    (bench.folder / "stores/elsewhere").write_text("MADE-UP-value-of-another-token-000001")

    told = renew(bench)

    assert told.code == 2
    assert "contains another value than the current one" in told.err
    assert bench.posts == {}


KILLS = {
    "at the answer": ":",
    "before the store": "kill -9 $PPID; exit 1",
    "after the store": "cat > stores/kept; kill -9 $PPID; exit 1",
}


@pytest.mark.parametrize("when", KILLS)
def test_killed_at_any_step_the_same_command_finishes_without_another_token(make_bench: MakeBench, when: str) -> None:
    bench = make_bench(fallback=True, timeout=30)
    (bench.folder / "stores/kept").write_text(bench.acme.tokens[0].token)
    store = bench.program("keep", f"test -e disarmed || {{ {KILLS[when]}; }}", "cat > stores/kept")
    file = bench.folder / "credly-audit.toml"
    own = f'token = "file:stores/kept"\nstore = "{store}"'
    file.write_text(file.read_text().replace('token = "file:secrets/Acme-0"', own))
    expire(bench.acme)
    if when == "at the answer":
        bench.sandbox.faults = ["stall-after@post"]
    runs = Runs(bench)
    process = runs.start("create", "--for-expired", "--fail-on", "never")
    if when == "at the answer":
        eventually(lambda: len(bench.acme.tokens) == 3)
        process.kill()
    assert runs.end(process) == -signal.SIGKILL
    bench.sandbox.faults = []
    (bench.folder / "disarmed").touch()

    told = renew(bench)

    assert told.code == 0, told.out
    assert bench.posts["create"] == 1
    assert len(bench.acme.tokens) == 3
    assert (bench.folder / "stores/kept").read_text() == bench.acme.tokens[-1].token
    assert list(bench.emergency.glob("*")) == []


def test_a_second_run_ends_at_once(make_bench: MakeBench) -> None:
    bench = make_bench(fallback=True, timeout=30)
    expire(bench.acme)
    bench.sandbox.faults = ["stall@list"]
    runs = Runs(bench)
    process = runs.start("create", "--for-expired")
    eventually(lambda: len(bench.sandbox.requests) > 0)

    told = renew(bench)

    process.kill()
    runs.end(process)
    assert told.code == 2
    assert "in progress" in told.err
    assert json.dumps(dict(bench.posts)) == "{}"
