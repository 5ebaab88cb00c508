"""`create`: a token beside the old one; whatever fails, the POST goes out once and the person knows what there is."""

import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from credly_audit.sandbox.world import OAuthApplication, Token, made_up_token
from tests.lifecycle.conftest import Bench, Told
from tests.lifecycle.processes import Runs, eventually

WHAT = "Badge sync of team CRM, crm@acme.example"

NOT_DONE = [
    "lost-before@create",
    "reset@create",
    "stall@create",
    "redirect=http://127.0.0.1:9/elsewhere@create",
    "html@create",
    "forbidden-html@create",
    *(f"status={status}@create" for status in (401, 403, 404, 422, 429, 500, 503)),
]

DONE_NOT_TOLD = [
    "lost-after@create",
    "status-after=502@create",
    "stall-after@create",
    "cut@create",
    "no-token-in-answer",
    "masked@create",
]


def made(bench: Bench) -> list[Token]:
    """The tokens of that description."""
    return [token for token in bench.acme.tokens if token.description == WHAT]


def kept(bench: Bench, name: str = "new") -> str:
    return (bench.folder / "stores" / name).read_text()


def test_a_token_is_made_and_stored_and_no_other_changes(bench: Bench) -> None:
    before = [token.token for token in bench.acme.tokens]

    told = bench.create()

    assert told.token["state"] == "created"
    [new] = made(bench)
    assert kept(bench) == new.token
    assert (bench.folder / "stores" / "new").stat().st_mode & 0o777 == 0o600
    assert [token.token for token in bench.acme.tokens if token is not new] == before
    assert told.token["token_id"] == new.id
    assert told.token["gap_seconds"] is None
    assert bench.posts == {"create": 1}
    assert list(bench.emergency.iterdir()) == []


def test_its_permissions_are_judged_and_said_at_once(bench: Bench) -> None:
    """Credly gives a new token every permission, and the policy approves of none."""
    told = bench.create()

    assert (told.code, told.token["state"]) == (1, "created")
    assert [finding["rule_id"] for finding in told.token["findings"] if finding["fails"]] == ["PRM001"]
    told = bench.create("--store", "file:stores/second", shape="text")
    assert "high: PRM001: " in told.out


@pytest.mark.parametrize(
    ("gate", "code"), [("never", 0), ("critical", 0), ("high", 1), ("PRM", 1), ("PRM001", 1), ("DOC", 0)]
)
def test_the_gate_decides_what_fails(bench: Bench, gate: str, code: int) -> None:
    assert bench.create("--fail-on", gate).code == code


def test_a_purpose_of_the_policy_approves_of_the_new_token(bench: Bench) -> None:
    purpose = '[[policy.purposes]]\npattern = "CRM"\nallow = ["read", "write", "delete"]'
    with (bench.folder / "credly-audit.toml").open("a") as file:
        file.write(f"\n{purpose}\n")

    told = bench.create()

    assert (told.code, told.token["findings"]) == (0, [])


def test_a_gate_that_names_nothing_is_refused(bench: Bench) -> None:
    told = bench.create("--fail-on", "hihg")

    assert (told.code, bench.sandbox.requests) == (2, [])
    assert "did you mean high?" in told.err


@pytest.mark.parametrize("fault", NOT_DONE)
def test_where_nothing_was_made_that_is_said(bench: Bench, fault: str) -> None:
    bench.sandbox.faults = [fault]

    told = bench.create()

    assert (told.code, told.token["state"]) == (1, "unchanged")
    assert "no token was created" in told.words
    assert made(bench) == []
    assert bench.posts == {"create": 1}
    assert list(bench.emergency.iterdir()) == []


@pytest.mark.parametrize("fault", DONE_NOT_TOLD)
def test_a_value_that_did_not_come_is_found_in_the_listing(bench: Bench, fault: str) -> None:
    bench.sandbox.faults = [fault]

    told = bench.create("--fail-on", "never")

    assert (told.code, told.token["state"]) == (0, "created")
    assert kept(bench) == made(bench)[0].token
    assert bench.posts == {"create": 1}


def test_an_earlier_token_of_the_same_description_is_not_taken_for_the_new_one(bench: Bench) -> None:
    bench.acme.tokens.append(made_up_token("earlier", now=datetime.now(UTC), description=WHAT))
    bench.sandbox.faults = ["lost-after@create"]

    told = bench.create("--fail-on", "never")

    assert (told.code, told.token["state"]) == (0, "created")
    assert kept(bench) == made(bench)[1].token


@pytest.mark.parametrize("fault", ["lost-after@create", "no-token-in-answer"])
def test_a_listing_that_withholds_values_means_that_it_is_lost(bench: Bench, fault: str) -> None:
    bench.acme.masked = True
    bench.sandbox.faults = [fault]

    told = bench.create()

    assert (told.code, told.token["state"]) == (3, "lost")
    [new] = made(bench)
    assert f"delete token {new.id} in Credly's web page" in told.words
    assert bench.posts == {"create": 1}


@pytest.mark.parametrize("fault", ["lost-after@create", "no-token-in-answer"])
def test_where_nobody_answers_afterwards_it_is_unknown_and_said_how_to_find_out(bench: Bench, fault: str) -> None:
    bench.sandbox.faults = [fault, "status=503@list+2"]

    told = bench.create()

    assert (told.code, told.token["state"]) == (3, "unknown")
    assert "look in Credly's web page" in told.words
    assert bench.posts == {"create": 1}


def test_a_value_that_nobody_proves_is_stored_and_kept(bench: Bench) -> None:
    bench.sandbox.faults = ["status=503@list+2"]

    told = bench.create()

    assert (told.code, told.token["state"]) == (3, "unknown")
    assert kept(bench) == made(bench)[0].token
    assert bench.copies == [made(bench)[0].token]


def test_two_new_tokens_of_one_description_are_both_named(bench: Bench) -> None:
    """Somebody else makes one of the same description at the same time, and the answer is lost."""
    twin = made_up_token("twin", now=datetime.now(UTC), description=WHAT)
    bench.sandbox.faults = ["lost-after@create"]
    bench.sandbox.latency = 0.2
    runs = Runs(bench)
    process = runs.start("create", "--organization", bench.acme.id, "--store", "file:stores/new", "--description", WHAT,
                         "--format", "json")  # fmt: skip
    eventually(lambda: len(bench.sandbox.requests) == 2)
    bench.acme.tokens.append(twin)
    out, err = process.communicate(timeout=30)
    bench.said += [out, err]

    told = Told(process.returncode, out, err)
    assert (told.code, told.token["state"]) == (3, "unknown")
    assert all(token.id in told.words for token in made(bench))


def test_a_credential_without_write_permission_is_said_to_lack_it(bench: Bench) -> None:
    bench.acme.tokens[0].write_enabled = False

    told = bench.create()

    assert (told.code, told.token["state"]) == (1, "unchanged")
    assert "is not permitted to create tokens" in told.words


def test_another_credential_of_the_organization_may_be_named(bench: Bench) -> None:
    bench.acme.tokens[0].write_enabled = False

    assert bench.create("--credential", "file:secrets/Acme-1", "--fail-on", "never").code == 0


def test_an_oauth_application_can_make_a_token(bench: Bench) -> None:
    bench.acme.oauth_applications.append(OAuthApplication(1, "Audit", "MADE-UP-uid", "MADE-UP-secret"))
    for name in ("uid", "secret"):
        (bench.folder / "secrets" / name).write_text(f"MADE-UP-{name}")
    config = bench.folder / "credly-audit.toml"
    oauth = 'oauth = { client_id = "file:secrets/uid", client_secret = "file:secrets/secret" }'
    config.write_text(config.read_text().replace('token = "file:secrets/Acme-0"', oauth))

    told = bench.create("--fail-on", "never")

    assert (told.code, told.token["state"]) == (0, "created")
    assert kept(bench) == made(bench)[0].token


def test_the_trial_leaves_what_a_file_holds(bench: Bench) -> None:
    """A refused POST: what was in the store before is there still."""
    (bench.folder / "stores" / "new").write_text("MADE-UP-what-the-CRM-uses-until-now")
    bench.sandbox.faults = ["status=503@create"]

    bench.create()

    assert kept(bench) == "MADE-UP-what-the-CRM-uses-until-now"
    assert [path.name for path in (bench.folder / "stores").iterdir()] == ["new"]


def test_a_file_that_holds_anything_but_a_value_is_not_overwritten(bench: Bench) -> None:
    settings = bench.folder / "stores" / "new"
    settings.write_text("CREDLY_TOKEN=MADE-UP-value-of-somebody\nOTHER=1\n")

    told = bench.create()

    assert (told.code, bench.sandbox.requests) == (2, [])
    assert "contains something other than a token's value" in told.err
    assert settings.read_text().endswith("OTHER=1\n")


def test_a_program_is_read_back_from_where_it_is_said_to_be_readable(bench: Bench) -> None:
    store = bench.failing()
    told = bench.create("--store", store)
    assert told.code == 2
    assert "--read-back" in told.err
    assert bench.sandbox.requests == []

    told = bench.create("--store", store, "--read-back", "file:stores/kept")
    assert told.token["state"] == "created"
    assert kept(bench, "kept") == made(bench)[0].token


def test_a_store_that_fails_leaves_the_value_in_a_file_which_later_runs_tell_of(bench: Bench) -> None:
    told = bench.create("--store", bench.failing(1, 2, 3), "--read-back", "file:stores/kept")

    assert (told.code, told.token["state"]) == (3, "emergency")
    file = Path(told.token["emergency_file"])
    assert file.read_text() == made(bench)[0].token
    assert str(file) in told.words
    assert bench.posts == {"create": 1}
    again = bench.create("--store", "file:stores/second", shape="text")
    assert f"left over  {file} contains the value of a token that was created for Acme" in again.out


def test_killed_before_the_answer_the_next_run_says_what_to_look_for(bench: Bench) -> None:
    bench.configure(timeout=30)
    bench.sandbox.faults = ["stall-after@create"]
    runs = Runs(bench)
    process = runs.start("create", "--organization", bench.acme.id, "--store", "file:stores/new", "--description", WHAT)
    eventually(lambda: bool(made(bench)))
    process.kill()
    assert runs.end(process) == -signal.SIGKILL
    bench.sandbox.faults = []

    told = bench.create("--description", "Badge sync of team sales", shape="text")

    assert f"an unused token “{WHAT}” and delete it" in told.out


def test_killed_while_the_store_took_it_the_value_is_in_a_file(bench: Bench) -> None:
    runs = Runs(bench)
    store = bench.program("keep", "cat > /dev/null; kill -9 $PPID")
    command = (
        "create",
        "--organization",
        bench.acme.id,
        "--store",
        store,
        "--read-back",
        "none",
        "--description",
        WHAT,
    )
    assert runs.end(runs.start(*command)) == -signal.SIGKILL

    assert bench.copies == [made(bench)[0].token]


def test_a_description_that_holds_a_value_is_refused_and_not_repeated(bench: Bench) -> None:
    told = bench.create("--description", f"Badge sync {bench.token.token}")

    assert told.code == 2
    assert "looks like a token's value" in told.err
    assert bench.sandbox.requests == []


def test_only_gets_are_asked_and_nothing_is_written_by_a_dry_run(bench: Bench) -> None:
    told = bench.create("--dry-run")

    assert told.code == 0
    assert "would be created" in told.words
    assert bench.posts == {}
    assert list((bench.folder / "stores").iterdir()) == []
    assert not bench.emergency.exists()
    assert not (bench.folder / "state").exists()
