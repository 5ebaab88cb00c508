"""`--sign` and `verify --key --chain` as people use them: keys, chains over several runs, signers that fail."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, configure
from tests.manifest.signed import write_keys

SIGNED = ("--format", "json", "--manifest", "--sign")
MADE_UP = "MADE-UP-passphrase"


def statement(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))
    return found


@pytest.fixture
def key(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    return write_keys(tmp_path / "keys")


@pytest.fixture
def public(key: Path) -> Path:
    return key.with_suffix(".pub")


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path, sandbox: Sandbox) -> None:
    configure(tmp_path, sandbox)


def test_the_audits_of_a_series_are_chained_by_the_history(
    credly_audit: Command, tmp_path: Path, key: Path, public: Path
) -> None:
    for day in (21, 22, 23):
        assert credly_audit("run", "--as-of", f"2026-11-{day}", *SIGNED, key).code == 0
    reports = tmp_path / "reports"

    last = statement(reports / "credly-audit-2026-11-23.manifest.json")
    previous = last["predicate"]["chain"]["previous"]
    assert (previous["number"], previous["name"]) == (2, "credly-audit-2026-11-22.manifest.json")
    assert last["predicate"]["verdict"]["outcome"] == "pass"
    assert {each["name"] for each in last["subject"]} == {
        "credly-audit-2026-11-23.json",
        "credly-audit-2026-11-23.snapshot",
    }
    done = credly_audit("verify", "--key", public, "--chain", "reports")
    assert (done.code, done.out) == (0, "3 signed manifests form 1 chain without a gap.\n")
    done = credly_audit(
        "verify", "reports/credly-audit-2026-11-23.manifest.json", "--key", public, "--chain", "reports"
    )
    assert done.code == 0
    assert "2 files and 1 policy file unchanged since " in done.out
    assert "; signature valid.\n3 signed manifests form 1 chain without a gap.\n" in done.out

    (reports / "credly-audit-2026-11-22.manifest.json").unlink()
    done = credly_audit("verify", "--key", public, "--chain", "reports")
    assert done.code == 1
    assert done.out == (
        "audit 2 (credly-audit-2026-11-22.manifest.json): was removed; audit 3 (credly-audit-2026-11-23.manifest.json) "
        "follows it\n"
    )
    (reports / "credly-audit-2026-11-21.json").write_text("{}")
    assert "credly-audit-2026-11-21.json: was changed (SHA-256 " in (
        credly_audit("verify", "--key", public, "--chain", "reports").out
    )


def test_without_a_key_the_signature_is_not_checked_and_that_is_said(
    credly_audit: Command, key: Path, public: Path
) -> None:
    credly_audit("run", "--as-of", "2026-11-23", *SIGNED, key)
    credly_audit("run", "--as-of", "2026-11-22", "--format", "json", "--manifest")
    signed, plain = (f"reports/credly-audit-2026-11-{day}.manifest.json" for day in (23, 22))

    assert credly_audit("verify", signed).out.endswith("; signature not checked.\n")
    assert "signature" not in credly_audit("verify", plain).out
    done = credly_audit("verify", plain, "--key", public)
    assert (done.code, done.out) == (1, "credly-audit-2026-11-22.manifest.json: is not signed\n")
    other = write_keys(public.parent, name="other").with_suffix(".pub")
    done = credly_audit("verify", signed, "--key", other)
    assert done.code == 1
    assert done.out.startswith("credly-audit-2026-11-23.manifest.json: is signed with another key (")
    assert credly_audit("verify", signed, "--key", other, "--key", public).code == 0
    done = credly_audit("verify", signed, "--key", public, "--chain", "keys")
    assert (done.code, done.out) == (1, "credly-audit-2026-11-23.manifest.json: is not in keys\n")


def test_an_envelope_of_something_else_cannot_be_read(credly_audit: Command, tmp_path: Path, public: Path) -> None:
    envelope = {"payload": "e30=", "payloadType": "text/plain", "signatures": []}
    (tmp_path / "other.json").write_text(json.dumps(envelope))

    done = credly_audit("verify", "other.json")

    assert done.code == 2
    assert done.err.startswith("credly-audit: other.json: the payload type 'text/plain' is unknown")
    assert credly_audit("verify", "other.json", "--key", public).code == 1


def test_only_audits_of_everything_that_are_recorded_are_chained(
    credly_audit: Command, tmp_path: Path, key: Path, public: Path
) -> None:
    credly_audit("run", "--as-of", "2026-11-20", *SIGNED, key)
    credly_audit("run", "--as-of", "2026-11-21", *SIGNED, key, "--organization", "Acme")
    credly_audit("run", "--as-of", "2026-11-22", *SIGNED, key, "--no-history")
    credly_audit("run", "--as-of", "2026-11-23", *SIGNED, key)

    numbers = {
        path.name[len("credly-audit-2026-11-") :].split(".")[0]: (link := statement(path)["predicate"]["chain"])
        and (link["previous"] or {"number": 0})["number"] + 1
        for path in (tmp_path / "reports").glob("*.manifest.json")
    }
    assert numbers == {"20": 1, "21-subset": None, "22": None, "23": 2}
    done = credly_audit("verify", "--key", public, "--chain", "reports")
    assert (done.code, done.out) == (0, "2 signed manifests form 1 chain without a gap; 2 audits are in no chain.\n")


def test_a_folder_names_the_last_audit_where_there_is_no_history(
    credly_audit: Command, tmp_path: Path, key: Path, public: Path
) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "credly-audit.toml").write_text(
        '[history]\nname = "monthly"\n' + (tmp_path / "credly-audit.toml").read_text()
    )
    for day in (22, 23):
        done = credly_audit("run", "--as-of", f"2026-11-{day}", *SIGNED, key, "--no-history", "--chain", "reports")
        assert done.code == 0, done.err

    last = statement(tmp_path / "reports" / "credly-audit-2026-11-23.manifest.json")["predicate"]["chain"]
    assert (last["series"], last["previous"]["number"]) == ("monthly", 1)
    assert credly_audit("verify", "--key", public, "--chain", "reports").code == 0


def test_a_passphrase_comes_from_a_reference_and_is_nowhere(
    credly_audit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = write_keys(tmp_path, name="locked", passphrase=MADE_UP)
    monkeypatch.setenv("PASSPHRASE", MADE_UP)

    done = credly_audit(
        "run", "--as-of", "2026-11-23", *SIGNED, key, "--sign-passphrase", "env:PASSPHRASE", "--verbose"
    )

    assert done.code == 0, done.err
    assert credly_audit("verify", "--key", key.with_suffix(".pub"), "--chain", "reports").code == 0
    assert MADE_UP not in done.out + done.err
    assert all(MADE_UP.encode() not in path.read_bytes() for path in (tmp_path / "reports").iterdir())
    typed = credly_audit("run", *SIGNED, key, "--sign-passphrase", MADE_UP)
    assert typed.code == 2
    assert typed.err.startswith("credly-audit: --sign-passphrase: is not a reference to a secret; write env:NAME")
    assert MADE_UP not in typed.err


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--manifest", "--sign", "none.pem"), "--sign none.pem: cannot be read (No such file or directory)"),
        (("--sign", "keys/key.pem"), "--sign: means nothing without --manifest; add it"),
        (("--manifest", "--chain", "keys"), "--chain: means nothing without --sign; add it, or leave --chain out"),
        (
            ("--manifest", "--sign", "keys/key.pem", "--chain", "nowhere"),
            "--chain nowhere: is not a folder; create it, or correct the path",
        ),
        (
            ("--manifest", "--sign", "keys/key.pem", "--sign-passphrase", "env:NOPE"),
            "environment variable NOPE is not set",
        ),
    ],
)
def test_a_mistake_is_said_before_anything_is_collected(
    credly_audit: Command, sandbox: Sandbox, words: tuple[str, ...], line: str
) -> None:
    done = credly_audit("run", *words)

    assert (done.code, done.out) == (2, "")
    assert line in done.err
    assert done.err.count("\n") == 1
    assert sandbox.requests == []


def test_what_verify_needs_is_said(credly_audit: Command, public: Path) -> None:
    for words, line in (
        ((), "verify: name a MANIFEST, or the folder of several with --chain"),
        (("--chain", "keys"), "--chain: only signed manifests can be checked; name the public key with --key"),
        (("--chain", "nowhere", "--key", public), "--chain nowhere: is not a folder; create it, or correct the path"),
        (("--chain", "keys", "--key", "none.pub"), "--key none.pub: cannot be read (No such file or directory)"),
    ):
        done = credly_audit("verify", *words)
        assert (done.code, done.err) == (2, f"credly-audit: {line}\n")


def test_a_private_key_that_others_can_read_is_warned_of(credly_audit: Command, key: Path) -> None:
    key.chmod(0o644)

    done = credly_audit("run", "--as-of", "2026-11-23", *SIGNED, key)

    assert done.code == 0
    assert f"other users of this machine can read the private key {key}; run chmod 600" in done.err


@contextmanager
def vault(private: Ed25519PrivateKey | None) -> Iterator[str]:
    """A Vault whose transit engine signs; without a key it is sealed."""

    class Transit(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if private is None:
                self.answer(503, {"errors": ["Vault is sealed"]})
                return
            signature = private.sign(base64.b64decode(asked["input"]))
            self.answer(200, {"data": {"signature": f"vault:v1:{base64.b64encode(signature).decode()}"}})

        def answer(self, status: int, content: dict[str, Any]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Transit)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def _vault_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "MADE-UP-vault-token")


@pytest.mark.usefixtures("_vault_token")
def test_a_key_that_never_leaves_its_server_signs(
    credly_audit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = Ed25519PrivateKey.generate()
    public = write_keys(tmp_path, private, name="vault").with_suffix(".pub")
    with vault(private) as address:
        monkeypatch.setenv("VAULT_ADDR", address)
        done = credly_audit("run", "--as-of", "2026-11-23", *SIGNED, "hv:audit/1", "--sign-public-key", public)

    assert done.code == 0, done.err
    assert credly_audit("verify", "--key", public, "--chain", "reports").code == 0


@pytest.mark.parametrize("signs", ["nothing", "with another key"])
@pytest.mark.usefixtures("_vault_token")
def test_a_signer_that_fails_costs_the_manifest_and_nothing_else(
    credly_audit: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    public: Path,
    signs: str,
) -> None:
    with vault(None if signs == "nothing" else Ed25519PrivateKey.generate()) as address:
        monkeypatch.setenv("VAULT_ADDR", address)
        done = credly_audit("run", "--as-of", "2026-11-22", *SIGNED, "hv:audit/1", "--sign-public-key", public)

    assert done.code == 4
    lost = "reports/credly-audit-2026-11-22.manifest.json"
    assert f"{lost}: not signed and not written (" in done.err
    assert "MADE-UP-vault-token" not in done.err + done.out
    assert f"Wrote {lost}" not in done.out
    written = {path.name for path in (tmp_path / "reports").iterdir()}
    assert written == {"credly-audit-2026-11-22.json", "credly-audit-2026-11-22.snapshot"}
    assert "2026-11-22" in credly_audit("history", "list").out
