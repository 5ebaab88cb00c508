"""`doctor` and `orgs`: what each credential is good for, and what it sees."""

import csv
import json
import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from credly_audit.cli.doctor import HEADS
from credly_audit.collection.credential_check import diagnosed
from credly_audit.collection.credential_check import environment as environment_of
from credly_audit.config.load import load
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.shapes import Reply
from credly_audit.sandbox.world import World, made_up_organization
from tests.build import ACME, AS_OF, organization, snapshot
from tests.journeys.conftest import Command, Outcome, by_oauth, configure


def told(done: Outcome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.out)["credentials"]
    return found


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_doctor_finds_sound_credentials_sound(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit("doctor", "--format", "json")

    assert done.code == 0
    acme, beta = told(done)
    expected = {
        "organization": "Acme",
        "credential": "file:secret-0",
        "purpose": "audit",
        "kind": "token",
        "answer": "accepted",
        "status": "complete",
        "sees": "everything",
        "tokens": 3,
        "may": ["read", "write"],
        "next_step": None,
    }
    assert {name: acme[name] for name in expected} == expected
    expires = sandbox.world.organizations[0].auditor.expires_at
    assert expires is not None
    assert datetime.fromisoformat(acme["expires_at"]) == expires
    assert acme["days_left"] == (expires - datetime.now(UTC)).days
    assert beta["status"] == "complete"


def test_doctor_shows_a_table_with_a_line_a_credential(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)

    lines = credly_audit("doctor").out.splitlines()

    assert lines[0] == f"API           {sandbox.base_url} (neither Credly's production nor its sandbox)"
    assert lines[1] == "Fingerprints  without a fingerprint_key"
    assert lines[2].startswith("History       none yet; `run` creates it: ")
    heads, acme, beta = lines[4:7]
    at = heads.index("Response")
    assert [line[at:].split()[0] for line in (acme, beta)] == ["accepted", "accepted"]
    assert "read, write" in acme


def test_doctor_tells_why_a_credential_does_not_see_everything(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    acme, beta = sandbox.world.organizations
    (tmp_path / "secret-0").write_text(acme.tokens[1].token)
    beta.faults = ["status=401"]

    done = credly_audit("doctor")

    assert done.code == 3
    assert re.search("Acme +file:secret-0 +accepted +read-only tokens only +read ", done.out)
    assert re.search("Beta +file:secret-1 +refused +none +– +–", done.out)
    assert "401: the credential of Beta was refused: expired, revoked, or of the other environment" in done.out
    assert "create a new one in Credly (Organization Management > Developers > Authorization Tokens)" in done.out
    assert "2 of 2 credentials do not have complete access." in done.out
    assert all(token.token not in done.out + done.err for token in acme.tokens + beta.tokens)


@pytest.mark.parametrize(
    ("fault", "answer", "step"),
    [
        ("status=401", "refused", "create a new one in Credly"),
        ("status=403", "refused", None),
        ("forbidden-html", "refused", None),
        ("status=404", "accepted", "`credly-audit orgs --credential file:secret-0` shows its organization."),
        ("status=500", "not known", None),
        ("reset", "not known", None),
        ("html", "not known", None),
        ("status=500@page2", "accepted", None),
    ],
)
def test_doctor_tells_accepted_from_refused_and_from_what_is_not_known(
    credly_audit: Command, tmp_path: Path, fault: str, answer: str, step: str | None
) -> None:
    faulty = made_up_organization("acme", now=AS_OF, tokens=60, name="Acme", faults=[fault])
    with Sandbox(World([faulty]), now=AS_OF) as sandbox:
        configure(tmp_path, sandbox, extra="max_retries = 0")
        done = credly_audit("doctor", "--format", "json")

    [found] = told(done)
    assert done.code == 3
    assert found["answer"] == answer
    assert found["reason"]
    if step is None:
        assert found["next_step"] is None
    else:
        assert step in found["next_step"]


@pytest.mark.parametrize(
    ("address", "environment", "other"),
    [
        ("https://api.credly.com/v1", "production", "Credly's sandbox (https://sandbox-api.credly.com/v1)"),
        ("https://sandbox-api.credly.com/v1", "sandbox", "Credly's production (https://api.credly.com/v1)"),
    ],
)
def test_doctor_names_the_other_environment_and_asks_only_the_configured_one(
    address: str, environment: str, other: str
) -> None:
    refused = organization(ACME, status="failed", pages=0, reason_code="http-401")
    collected = snapshot([], [refused])
    collected = replace(collected, header=replace(collected.header, base_url=address))

    found = diagnosed(collected, 0, "env:A", purpose="audit", now=AS_OF, due=timedelta(35))

    assert environment_of(address) == environment
    assert found.next_step is not None
    assert found.next_step.startswith(f"If it belongs to {other}, set [api] base_url.")


def test_no_decision_is_taken_on_the_text_of_a_reason() -> None:
    refused = organization(ACME, status="failed", pages=0, reason="401: refused. 404: not known.", reason_code=None)

    found = diagnosed(snapshot([], [refused]), 0, "env:A", purpose="audit", now=AS_OF, due=timedelta(35))

    assert (found.answer, found.next_step, found.reason_code) == ("not known", None, None)


@pytest.mark.parametrize(
    ("ends", "likely"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), "to expire on 1 Nov 2026: it has expired."),
        (datetime(2099, 1, 1, tzinfo=UTC), "to expire on 1 Jan 2099: it was deleted, or its value has changed."),
        (None, "without an expiry: it was deleted, or its value has changed."),
    ],
)
def test_doctor_knows_from_the_history_why_a_credential_is_refused(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, ends: datetime | None, likely: str
) -> None:
    acme = sandbox.world.organizations[0]
    with Sandbox(World([acme]), now=datetime(2026, 10, 1, tzinfo=UTC)) as earlier:
        acme.auditor.expires_at = ends
        configure(tmp_path, earlier, [acme])
        assert credly_audit("run", "--as-of", "2026-10-01", "--format", "json", "--fail-on", "never").code == 0
        acme.faults = ["status=401"]
        done = credly_audit("doctor", "--format", "json")
        text = credly_audit("doctor").out

    [found] = told(done)
    assert json.loads(done.out)["history"]["audits"] == 1
    assert found["likely"] == f"The audit of 1 Oct 2026 saw it, {likely}"
    assert found["next_step"].startswith("Create a new one in Credly")
    assert likely in text
    assert "History       1 audit, the last as of 1 Oct 2026: " in text


def test_doctor_says_what_is_wrong_with_the_history(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    path = configure(tmp_path, sandbox)
    (tmp_path / "history.sqlite").write_text("no database")
    path.write_text(path.read_text() + '[history]\nurl = "sqlite:///history.sqlite"\n')

    done = credly_audit("doctor", "--format", "json")

    history = json.loads(done.out)["history"]
    assert done.code == 3
    assert (history["place"], history["audits"]) == ("history.sqlite", None)
    assert "file is not a database" in history["problem"]
    assert "file is not a database" in credly_audit("doctor").out


def test_doctor_says_of_a_secret_that_is_missing_which_and_looks_at_the_others(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    (tmp_path / "secret-0").unlink()

    done = credly_audit("doctor", "--format", "json")

    acme, beta = told(done)
    assert done.code == 3
    assert (acme["answer"], acme["kind"], acme["sees"]) == ("not known", None, "nothing")
    assert "file:secret-0 cannot be read (No such file or directory)" in acme["reason"]
    assert beta["status"] == "complete"


@pytest.mark.parametrize(("days", "due"), [(34, True), (36, False)])
def test_doctor_says_when_to_rotate(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, days: int, due: bool
) -> None:
    acme = sandbox.world.organizations[0]
    acme.auditor.expires_at = datetime.now(UTC) + timedelta(days=days, hours=1)
    configure(tmp_path, sandbox, [acme])

    [found] = told(credly_audit("doctor", "--format", "json"))

    assert found["days_left"] == days
    step = f"Rotate it before it expires: `credly-audit rotate --organization {acme.id}`."
    assert found["next_step"] == (step if due else None)


def test_doctor_says_that_less_power_would_do(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    acme = sandbox.world.organizations[0]
    acme.auditor.delete_enabled = True
    configure(tmp_path, sandbox, [acme])

    done = credly_audit("doctor")

    assert done.code == 0
    assert "read, write, delete" in done.out
    assert "A token with only write permission would see everything too" in done.out


def test_doctor_looks_at_the_second_credential_too(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    path = configure(tmp_path, sandbox)
    acme = sandbox.world.organizations[0]
    (tmp_path / "second").write_text(acme.tokens[2].token)
    (tmp_path / "second").chmod(0o600)
    text = path.read_text().replace(
        'token = "file:secret-0"', 'token = "file:secret-0"\nfallback_token = "file:second"'
    )
    path.write_text(text)

    done = credly_audit("doctor", "--format", "json")

    found = [(each["organization"], each["purpose"], each["credential"], each["status"]) for each in told(done)]
    assert found == [
        ("Acme", "audit", "file:secret-0", "complete"),
        ("Beta", "audit", "file:secret-1", "complete"),
        ("Acme", "fallback", "file:second", "truncated"),
    ]
    assert done.code == 3
    assert "file:second (fallback)" in credly_audit("doctor").out


def test_doctor_under_oauth(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    by_oauth(tmp_path, sandbox, sandbox.world.organizations[0])

    done = credly_audit("doctor", "--format", "json")

    [found] = told(done)
    assert done.code == 0
    assert (found["kind"], found["credential"], found["answer"]) == ("oauth", "oauth file:uid", "accepted")
    assert (found["may"], found["expires_at"], found["days_left"]) == (None, None, None)
    assert "scope authorization_tokens" in credly_audit("doctor").out


def test_doctor_tells_a_refused_application(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    by_oauth(tmp_path, sandbox, sandbox.world.organizations[0], secret="MADE-UP-another-secret-000000000000")

    done = credly_audit("doctor", "--format", "json")

    [found] = told(done)
    assert (done.code, found["answer"]) == (3, "refused")
    assert "client id and secret were refused" in found["reason"]
    assert "MADE-UP" not in done.out + done.err


def lifetimes(done: Outcome) -> dict[str, str]:
    """Return whether each credential is verified, by its reference and purpose."""
    return {f"{each['credential']} ({each['purpose']})": each["lifetime"]["state"] for each in told(done)}


def with_second(tmp_path: Path, sandbox: Sandbox) -> Path:
    """A configuration in which Acme has a second, read-only token, and Beta's is stored in another place too."""
    path = configure(tmp_path, sandbox)
    acme, beta = sandbox.world.organizations
    for name, value in (("second", acme.tokens[2].token), ("stored", beta.auditor.token)):
        (tmp_path / name).write_text(value)
        (tmp_path / name).chmod(0o600)
    text = path.read_text().replace('"file:secret-0"', '"file:secret-0"\nfallback_token = "file:second"')
    path.write_text(text.replace('"file:secret-1"', '"file:secret-1"\nstore = "file:stored"'))
    return path


def test_doctor_verifies_every_token_that_the_configuration_refers_to(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    with_second(tmp_path, sandbox)

    done = credly_audit("doctor", "--within", "7d", "--format", "json")

    every = ("file:secret-0 (audit)", "file:secret-1 (audit)", "file:second (fallback)", "file:stored (store)")
    assert lifetimes(done) == dict.fromkeys(every, "ok")
    assert (done.code, json.loads(done.out)["within_days"]) == (0, 7)
    assert all("lifetime" not in each for each in told(credly_audit("doctor", "--format", "json")))


@pytest.mark.parametrize(("days", "code", "state"), [(6.9, 1, "expires"), (7.1, 0, "ok")])
def test_doctor_fails_softly_where_only_a_life_is_too_short(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, days: float, code: int, state: str
) -> None:
    with_second(tmp_path, sandbox)
    sandbox.world.organizations[0].tokens[2].expires_at = datetime.now(UTC) + timedelta(days=days)

    done = credly_audit("doctor", "--within", "7d", "--format", "json")

    assert (done.code, lifetimes(done)["file:second (fallback)"]) == (code, state)


def lose(folder: Path, _: Sandbox) -> None:
    """Remove the file of a token."""
    (folder / "stored").unlink()


def refuse(folder: Path, _: Sandbox) -> None:
    """Store a value that Credly does not know."""
    (folder / "stored").write_text("MADE-UP-value-that-is-not-known-0001")


def hide(_: Path, sandbox: Sandbox) -> None:
    """Let Credly withhold values."""
    sandbox.world.organizations[1].masked = True


def spoil(_: Path, sandbox: Sandbox) -> None:
    """Let Credly list a date that is none."""
    sandbox.world.organizations[1].auditor.raw = {"expires_at": "soon"}


def silence(_: Path, sandbox: Sandbox) -> None:
    """Let Credly not answer."""
    sandbox.world.organizations[1].faults = ["status=503"]


@pytest.mark.parametrize("spoils", [lose, refuse, hide, spoil, silence])
def test_doctor_fails_where_a_token_cannot_be_verified(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, spoils: Callable[[Path, Sandbox], None]
) -> None:
    path = with_second(tmp_path, sandbox)
    path.write_text(path.read_text().replace("timeout = 2", "timeout = 2\nmax_retries = 0"))
    sandbox.world.organizations[0].auditor.expires_at = datetime.now(UTC) + timedelta(days=2)
    spoils(tmp_path, sandbox)

    done = credly_audit("doctor", "--within", "7d", "--format", "json")
    text = credly_audit("doctor", "--within", "7d")

    states = lifetimes(done)
    assert (done.code, text.code) == (3, 3)
    assert (states["file:stored (store)"], states["file:secret-0 (audit)"]) == ("failed", "expires")
    assert "1 expires within 7 days" in text.out


def test_doctor_lets_oauth_pass_and_verifies_the_token_that_it_renews(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    acme = sandbox.world.organizations[0]
    by_oauth(tmp_path, sandbox, acme)
    (tmp_path / "stored").write_text(acme.auditor.token)
    (tmp_path / "stored").chmod(0o600)
    with (tmp_path / "credly-audit.toml").open("a") as file:
        file.write('store = "file:stored"\n')

    assert lifetimes(credly_audit("doctor", "--within", "7d", "--format", "json")) == {
        "oauth file:uid (audit)": "ok",
        "file:stored (store)": "ok",
    }
    acme.auditor.expires_at = datetime.now(UTC) + timedelta(days=1)
    assert credly_audit("doctor", "--within", "7d").code == 1


def test_doctor_names_the_fingerprint_key_and_not_its_value(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configure(tmp_path, sandbox)
    monkeypatch.setenv("AUDIT_KEY", "MADE-UP-key-of-the-fingerprints")
    path.write_text(path.read_text() + '[privacy]\nfingerprint_key = "env:AUDIT_KEY"\n')

    done = credly_audit("doctor", "--format", "json")

    key = json.loads(done.out)["fingerprint_key"]
    assert re.fullmatch("[0-9a-f]{16}", key)
    assert f"Fingerprints  under the key {key}" in credly_audit("doctor").out
    assert "MADE-UP" not in done.out


def test_hostile_names_are_harmless_on_a_terminal(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    acme = sandbox.world.organizations[0]
    acme.name = "A\x1b[31m\u202e\n=cmd()"
    path = configure(tmp_path, sandbox, [acme])
    path.write_text(re.sub("name = .*", "", path.read_text().replace("\n=cmd", "=cmd")))
    for token in acme.tokens:
        token.owner_name = acme.name

    for done in (credly_audit("doctor"), credly_audit("orgs"), credly_audit("orgs", "--format", "csv")):
        assert "\x1b" not in done.out + done.err
        assert "\u202e" not in done.out + done.err
        assert "A" in done.out


@pytest.mark.parametrize("shape", ["toml", "csv"])
def test_orgs_needs_no_configuration_and_what_it_prints_is_one(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    acme = sandbox.world.organizations[0]
    monkeypatch.setenv("ACME", acme.auditor.token)
    monkeypatch.setenv("CREDLY_API_URL", sandbox.base_url)

    done = credly_audit("orgs", "--credential", "env:ACME", "--format", shape)

    assert done.code == 0, done.err
    if shape == "toml":
        [row] = tomllib.loads(done.out)["organizations"]
    else:
        [row] = csv.DictReader(done.out.splitlines())
    assert (row["id"], row["name"], row["token"]) == (acme.id, "Acme", "env:ACME")
    (tmp_path / "credly-audit.toml").write_text(done.out if shape == "toml" else 'organizations_file = "orgs.csv"')
    (tmp_path / "orgs.csv").write_text(done.out)
    assert credly_audit("run", "--as-of", "2026-11-23", "--format", "json").code == 0


def test_orgs_tells_of_an_id_that_its_credential_does_not_see(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    acme, beta = sandbox.world.organizations
    (tmp_path / "secret-0").write_text(beta.auditor.token)

    done = credly_audit("orgs")

    assert done.code == 3
    assert f"file:secret-0 is configured for organization {acme.id}, but belongs to Beta ({beta.id})" in done.err


def test_orgs_says_which_credential_was_refused(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    (tmp_path / "secret-1").write_text("MADE-UP-value-that-nobody-issued-00")

    done = credly_audit("orgs")

    assert done.code == 3
    assert "file:secret-1: 401: the credential of the organization was refused" in done.err
    assert "MADE-UP-value" not in done.err


def test_orgs_refuses_a_value_in_place_of_a_reference(credly_audit: Command) -> None:
    done = credly_audit("orgs", "--credential", "MADE-UP-value-that-nobody-issued-00")

    assert done.code == 2
    assert "--credential: no reference; write env:NAME" in done.err
    assert "MADE-UP" not in done.err


PAGE = (Path(__file__).parents[2] / "docs" / "credentials.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("sample", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_the_samples_of_the_page_on_credentials_are_configuration(tmp_path: Path, sample: str) -> None:
    (tmp_path / "sample.toml").write_text(sample)

    load(tmp_path / "sample.toml", {}, for_collecting="organizations" in sample)


def test_the_page_shows_the_table_of_doctor_as_it_is() -> None:
    heads = " +".join(HEADS)

    assert re.search(rf"^    {heads}$", PAGE, re.MULTILINE)


def reads_back(folder: Path, shape: str, text: str) -> Callable[[], list[tuple[str, str | None, str | None]]]:
    """What a configuration that holds the pasted text says."""
    path = folder / "pasted.toml"
    path.write_text(text if shape == "toml" else 'organizations_file = "orgs.csv"\n')
    (folder / "orgs.csv").write_text(text)

    def said() -> list[tuple[str, str | None, str | None]]:
        return [(each.id, each.name, each.token) for each in load(path, {}).organizations]

    return said


@pytest.mark.parametrize("shape", ["toml", "csv"])
@pytest.mark.parametrize("name", ["Acme", 'Quill & Quoin "Open" <Academy>', "a, b; c", "Löwen's #1 = [x]", "徽章"])
def test_whatever_an_organization_is_called_what_is_pasted_is_read(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, shape: str, name: str
) -> None:
    acme = sandbox.world.organizations[0]
    path = configure(tmp_path, sandbox, [acme])
    path.write_text(path.read_text().replace('name = "Acme"', ""))
    acme.name = name

    done = credly_audit("orgs", "--format", shape)

    assert reads_back(tmp_path, shape, done.out)() == [(acme.id, name, "file:secret-0")]


def test_every_page_of_organizations_is_read_and_each_is_named_once(
    credly_audit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = made_up_organization("first", now=AS_OF).auditor
    many = [made_up_organization(number, now=AS_OF) for number in range(120)]
    for each in many:
        each.tokens.insert(0, shared)
    with Sandbox(World(many), now=AS_OF) as sandbox:
        monkeypatch.setenv("CREDLY_API_URL", sandbox.base_url)
        for name in ("ONE", "TWO"):
            monkeypatch.setenv(name, shared.token)
        done = credly_audit("orgs", "--credential", "env:ONE", "--credential", "env:TWO")

    assert done.code == 0
    rows = tomllib.loads(done.out)["organizations"]
    assert [row["id"] for row in rows] == [each.id for each in many]
    assert {row["token"] for row in rows} == {"env:ONE"}
    assert done.err.count("env:TWO can access ") == 120
    assert "env:ONE is kept" in done.err


def served(sandbox: Sandbox, totals: list[int | None], rows: list[list[str]]) -> None:
    """Let the sandbox list these organizations, a list of ids a page, and claim these totals one after the other."""
    claims = iter(totals)

    def page_of(request: Any) -> Reply:
        number = int(request.query["page"])
        total = next(claims)
        content = [{"id": each, "name": each[:1]} for each in (rows[number - 1] if number <= len(rows) else [])]
        return Reply(200, {"data": content, "metadata": {} if total is None else {"total_count": total}})

    sandbox.api._organizations = page_of  # type: ignore[method-assign]  # a list that no world has


A, B = "aaaaaaaa-e4ca-4a17-b938-a72bf2b9c273", "bbbbbbbb-e4ca-4a17-b938-a72bf2b9c273"


@pytest.mark.parametrize(
    ("totals", "requests"), [([2, 2, 2], 3), ([None] * 6, 6), ([3, 3, 2, 2, 2, 2], 6), ([None, 2, 2, 2, 2, 2], 6)]
)
def test_orgs_reads_on_until_a_reading_is_confirmed(
    credly_audit: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, totals: list[int | None], requests: int
) -> None:
    monkeypatch.setenv("CREDLY_API_URL", sandbox.base_url)
    monkeypatch.setenv("ONE", sandbox.world.organizations[0].auditor.token)
    served(sandbox, totals, [[A], [B.upper()]])

    done = credly_audit("orgs", "--credential", "env:ONE")

    assert done.code == 0, done.err
    assert [row["id"] for row in tomllib.loads(done.out)["organizations"]] == [A, B]
    assert sandbox.counts["organizations"] == requests


def test_orgs_whose_list_is_never_as_long_as_it_says_gives_up(
    credly_audit: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDLY_API_URL", sandbox.base_url)
    monkeypatch.setenv("ONE", sandbox.world.organizations[0].auditor.token)
    served(sandbox, [3] * 9, [[A], [B]])

    done = credly_audit("orgs", "--credential", "env:ONE")

    assert (done.code, done.out) == (3, "")
    assert "list of organizations was inconsistent in several readings: run it again" in done.err


def test_a_listing_without_an_end_is_given_up_on(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credly_audit.credly.organizations.MOST_PAGES", 1)
    configure(tmp_path, sandbox)

    done = credly_audit("orgs")

    assert done.code == 3
    assert "more than 1 pages without an end" in done.err


def test_orgs_under_oauth_asks_the_tokens_whose_they_are_and_writes_both_references(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    acme = sandbox.world.organizations[0]
    by_oauth(tmp_path, sandbox, acme)

    done = credly_audit("orgs")

    assert done.code == 0, done.err
    assert tomllib.loads(done.out)["organizations"] == [
        {"id": acme.id, "name": "Acme", "oauth": {"client_id": "file:uid", "client_secret": "file:secret"}}
    ]
    (tmp_path / "pasted.toml").write_text(done.out)
    assert load(tmp_path / "pasted.toml", {}).organizations[0].oauth is not None
    as_csv = credly_audit("orgs", "--format", "csv")
    assert as_csv.code == 3
    assert f"{acme.id},Acme,,," in as_csv.out
    assert "no column for `oauth`; use --format toml for Acme" in as_csv.err


def test_orgs_under_oauth_tells_an_application_of_another_organization(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    acme, beta = sandbox.world.organizations
    by_oauth(tmp_path, sandbox, acme)
    path = tmp_path / "credly-audit.toml"
    path.write_text(path.read_text().replace(acme.id, beta.id))

    done = credly_audit("orgs")

    assert (done.code, done.out) == (3, "")
    assert f"oauth file:uid is configured for organization {beta.id}, but belongs to none that is known" in done.err


def test_orgs_under_oauth_tells_whose_tokens_are_listed_in_place_of_the_organization_s(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    acme, beta = sandbox.world.organizations
    by_oauth(tmp_path, sandbox, acme)
    acme.faults = [f"listing-of={beta.id}"]

    done = credly_audit("orgs")

    assert done.code == 3
    assert f"oauth file:uid is configured for organization {acme.id}, but belongs to Beta ({beta.id})" in done.err
    assert [each["id"] for each in tomllib.loads(done.out)["organizations"]] == [beta.id]


def test_doctor_tells_whose_tokens_are_listed_in_place_of_the_organization_s(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    acme, beta = sandbox.world.organizations
    configure(tmp_path, sandbox, [acme])
    acme.faults = [f"listing-of={beta.id}"]

    done = credly_audit("doctor", "--format", "json")

    [found] = told(done)
    assert (done.code, found["status"], found["sees"]) == (3, "mismatch", "an inconsistent list")
    assert f"belong to organization {beta.id}, none to this organization" in found["reason"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("html", "the answer is not a list of organizations: check [api] base_url"),
        ("status=429", "429"),
        ("stall", "did not answer in time"),
        (
            "redirect=https://elsewhere.example/",
            "not followed, because the credential is sent only to the configured host",
        ),
    ],
)
def test_orgs_says_what_went_wrong_in_one_line(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, fault: str, said: str
) -> None:
    extra = "max_retries = 0\nmax_throttled_seconds = 0.5\n"
    configure(tmp_path, sandbox, sandbox.world.organizations[:1], extra=extra)
    sandbox.faults = [f"{fault}@organizations"]

    done = credly_audit("orgs")

    assert (done.code, done.out) == (3, "")
    [line] = done.err.splitlines()
    assert line.startswith("credly-audit: file:secret-0: ")
    assert said in line


def test_a_command_is_pasted_whole_and_shown_by_its_program_alone(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = sandbox.world.organizations[0]
    (tmp_path / "a value").write_text(acme.auditor.token)
    monkeypatch.setenv("CREDLY_API_URL", sandbox.base_url)
    assert os.environ["PATH"]

    done = credly_audit("orgs", "--credential", "exec:cat 'a value'")
    sandbox.faults = ["status=401"]
    refused = credly_audit("orgs", "--credential", "exec:cat 'a value'")

    assert tomllib.loads(done.out)["organizations"][0]["token"] == "exec:cat 'a value'"
    assert refused.err.startswith("credly-audit: exec:cat: 401")
    assert "a value" not in refused.err


@pytest.mark.parametrize("command", [["run", "--format", "json"], ["doctor"], ["rotate", "--yes", "--organization"]])
def test_what_is_odd_about_a_value_is_told_beside_its_refusal_and_never_shown(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, command: list[str]
) -> None:
    configure(tmp_path, sandbox)
    acme, _ = sandbox.world.organizations
    (tmp_path / "secret-0").write_text(f'CREDLY_TOKEN="{acme.auditor.token}"\n')

    done = credly_audit(*command, *([acme.id] if command[0] == "rotate" else []))

    said = " ".join((done.out + done.err).split())
    assert "401: the credential of Acme was refused" in said
    assert "the value of file:secret-0 contains quotes" in said
    assert (acme.auditor.token or "") not in said
    assert "lost" not in said


@pytest.mark.parametrize("mark", ["\ufeff", "\u200b", "\u2060", "\u200e", "\u00ad"])
def test_a_mark_that_nobody_sees_costs_no_credential(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, mark: str
) -> None:
    configure(tmp_path, sandbox)
    secret = tmp_path / "secret-0"
    secret.write_text(f"{mark}{secret.read_text()}{mark}\n")

    assert credly_audit("doctor").code == 0
