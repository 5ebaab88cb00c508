"""The signature of a manifest: by each kind of key, verified by another implementation, refused if it is not ours."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from credly_audit.errors import UsageError
from credly_audit.manifest.envelope import ManifestFile
from credly_audit.manifest.signing_keys import load_public_key, load_signer
from credly_audit.manifest.statement import AuditOrigin
from credly_audit.secrets import Secret
from tests.manifest.signed import AUDIT, sign, write_keys

RSA = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH), hashes.SHA256()

KINDS = {
    "Ed25519": (ed25519.Ed25519PrivateKey.generate, ()),
    "P-256": (lambda: ec.generate_private_key(ec.SECP256R1()), (ec.ECDSA(hashes.SHA256()),)),
    "P-384": (lambda: ec.generate_private_key(ec.SECP384R1()), (ec.ECDSA(hashes.SHA384()),)),
    "P-521": (lambda: ec.generate_private_key(ec.SECP521R1()), (ec.ECDSA(hashes.SHA512()),)),
    "RSA": (lambda: rsa.generate_private_key(65537, 2048), RSA),
}


def encode_for_signature(payload_type: bytes, payload: bytes) -> bytes:
    """The pre-authentication encoding of DSSE, as its specification says."""
    parts = [b"DSSEv1", b"%d" % len(payload_type), payload_type, b"%d" % len(payload), payload]
    return b" ".join(parts)


def verify_elsewhere(path: Path, public: Path, how: tuple[Any, ...]) -> dict[str, Any]:
    """The statement in an envelope, verified without securesystemslib and without our own code."""
    envelope = json.loads(path.read_text())
    [signature] = envelope["signatures"]
    payload = base64.b64decode(envelope["payload"], validate=True)
    key: Any = load_pem_public_key(public.read_bytes())
    encoded = encode_for_signature(envelope["payloadType"].encode(), payload)
    key.verify(base64.b64decode(signature["sig"], validate=True), encoded, *how)
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(signature["sig"]), encoded + b" ", *how)
    found: dict[str, Any] = json.loads(payload)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_another_implementation_verifies_the_envelope(tmp_path: Path, kind: str) -> None:
    generate, how = KINDS[kind]
    key = write_keys(tmp_path, generate())

    file = sign(tmp_path, 1, key, None)

    statement = verify_elsewhere(file.path, key.with_suffix(".pub"), how)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    [subject] = statement["subject"]
    assert subject["digest"] == {"sha256": hashlib.sha256((tmp_path / subject["name"]).read_bytes()).hexdigest()}
    assert statement["predicate"]["coverage"]["by_status"]["complete"] == len(AUDIT.organizations)
    assert file.find_fault([load_public_key(key.with_suffix(".pub"), "--key")]) is None
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_the_same_audit_is_signed_by_the_same_bytes_with_ed25519(tmp_path: Path) -> None:
    key = write_keys(tmp_path)

    assert sign(tmp_path, 1, key, None).content == sign(tmp_path, 1, key, None).content


def change(path: Path, **fields: Any) -> ManifestFile:
    """The manifest with other fields of the envelope, written as it was."""
    envelope = json.loads(path.read_text()) | fields
    path.write_text(json.dumps(envelope, indent=1) + "\n")
    return ManifestFile.read(path)


def test_what_is_not_signed_by_the_key_is_refused_with_the_reason(tmp_path: Path) -> None:
    key, other = write_keys(tmp_path), write_keys(tmp_path, name="other")
    trusted = [load_public_key(key.with_suffix(".pub"), "--key")]
    path = sign(tmp_path, 1, key, None).path
    envelope = json.loads(path.read_text())
    [signature] = envelope["signatures"]

    assert change(path).find_fault(trusted) is None
    assert change(path, signatures=[]).find_fault(trusted) == "is not signed"
    assert change(path, signatures=[signature] * 2).find_fault(trusted) == (
        "was altered: it is not as credly-audit wrote it"
    )
    assert change(path, signatures=[signature], payloadType="text/plain").find_fault(trusted) == (
        "the payload type 'text/plain' is unknown; a manifest has 'application/vnd.in-toto+json'"
    )
    stranger = signature | {"keyid": "0" * 64}
    assert change(path, payloadType=envelope["payloadType"], signatures=[stranger]).find_fault(trusted) == (
        "is signed with another key (0000000000000000)"
    )
    untrusted = sign(tmp_path, 1, other, None)
    assert str(untrusted.find_fault(trusted)).startswith("is signed with another key (")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert ManifestFile.read(path).find_fault([load_public_key(other.with_suffix(".pub"), "--key")]) == (
        "was altered: it is not as credly-audit wrote it"
    )


@pytest.mark.parametrize(
    ("payload_type", "payload", "fault"),
    [
        (
            "text/plain",
            b"{}",
            "the payload type 'text/plain' is unknown; a manifest has 'application/vnd.in-toto+json'",
        ),
        ("application/vnd.in-toto+json", b"{}", "the payload is not a statement of credly-audit ("),
        ("application/vnd.in-toto+json", b"\xff", "the payload is not a statement of credly-audit ("),
        ("application/vnd.in-toto+json", None, "the payload is a 'https://slsa.dev/provenance/v1' in a "),
    ],
)
def test_what_the_key_signed_for_another_purpose_is_no_manifest(
    tmp_path: Path, payload_type: str, payload: bytes | None, fault: str
) -> None:
    key = write_keys(tmp_path)
    path = sign(tmp_path, 1, key, None).path
    if payload is None:
        statement = json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))
        payload = json.dumps(statement | {"predicateType": "https://slsa.dev/provenance/v1"}).encode()
    signature = load_signer(str(key), None, None).sign(encode_for_signature(payload_type.encode(), payload))
    signed = {"keyid": signature.keyid, "sig": base64.b64encode(bytes.fromhex(signature.signature)).decode()}
    fields = {"payload": base64.b64encode(payload).decode(), "payloadType": payload_type, "signatures": [signed]}

    found = change(path, **fields).find_fault([load_public_key(key.with_suffix(".pub"), "--key")])

    assert found is not None
    assert found.startswith(fault)


def test_keys_that_cannot_sign_are_refused_in_one_line(tmp_path: Path) -> None:
    key = write_keys(tmp_path)
    secret = write_keys(tmp_path, name="secret", passphrase="MADE-UP-passphrase")
    exchange = write_keys(tmp_path, x25519.X25519PrivateKey.generate(), name="exchange")
    curve = write_keys(tmp_path, ec.generate_private_key(ec.SECP256K1()), name="curve")
    (tmp_path / "damaged.pem").write_text("-----BEGIN PRIVATE KEY-----\nMADE-UP\n-----END PRIVATE KEY-----\n")
    right, wrong = Secret("MADE-UP-passphrase"), Secret("MADE-UP-other")

    load_signer(str(secret), None, right)
    load_signer(str(key), key.with_suffix(".pub"), None)
    refused: list[tuple[str, Path | None, Secret | None, str]] = [
        (str(tmp_path / "none.pem"), None, None, "none.pem: cannot be read (No such file or directory)"),
        (str(tmp_path), None, None, f"{tmp_path}: cannot be read (Is a directory)"),
        (str(key.with_suffix(".pub")), None, None, "key.pub: is not a private key in PEM; name one, or a signer URI"),
        (str(tmp_path / "damaged.pem"), None, None, "damaged.pem: is damaged or of an unknown kind"),
        (str(secret), None, None, "needs a passphrase; name a reference to it with --sign-passphrase"),
        (str(secret), None, wrong, "is damaged or of an unknown kind, or the passphrase is wrong"),
        (str(key), None, right, "is not encrypted; omit --sign-passphrase"),
        (str(exchange), None, None, "a key of this kind cannot sign; use Ed25519, ECDSA (P-256, P-384, P-521) or RSA"),
        (str(curve), None, None, "a key of this kind cannot sign; use Ed25519, ECDSA (P-256, P-384, P-521) or RSA"),
        (str(key), secret.with_suffix(".pub"), None, "key.pem: is not the private key of --sign-public-key"),
        (str(key), key, None, "--sign-public-key"),
        ("hv:audit/1", None, None, "--sign hv:audit/1: the public key of a signer URI is needed"),
        ("hsm:2?label=audit", key.with_suffix(".pub"), None, "--sign hsm:2?label=audit: cannot be used ("),
        (key.read_text(), None, None, "--sign: the value is a key; name the path of its file instead"),
    ]
    for text, public, passphrase, line in refused:
        with pytest.raises(UsageError) as caught:
            load_signer(text, public, passphrase)
        said = str(caught.value)
        assert line in said
        assert "\n" not in said
        assert "MADE-UP" not in said


def test_public_keys_that_cannot_verify_are_refused_in_one_line(tmp_path: Path) -> None:
    key = write_keys(tmp_path)
    exchange = write_keys(tmp_path, x25519.X25519PrivateKey.generate(), name="exchange")
    (tmp_path / "damaged.pub").write_text("-----BEGIN PUBLIC KEY-----\nMADE-UP\n-----END PUBLIC KEY-----\n")
    for path, line in (
        (key, "is a private key; name the public one (openssl pkey -in key.pem -pubout)"),
        (tmp_path / "none.pub", "cannot be read (No such file or directory)"),
        (tmp_path / "damaged.pub", "is not a public key in PEM, or damaged"),
        (
            exchange.with_suffix(".pub"),
            "a key of this kind cannot sign; use Ed25519, ECDSA (P-256, P-384, P-521) or RSA",
        ),
    ):
        with pytest.raises(UsageError) as caught:
            load_public_key(path, "--key")
        assert str(caught.value) == f"--key {path}: {line}"


GITHUB = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "acme/audit",
    "GITHUB_RUN_ID": "77",
}


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        (GITHUB, "https://github.example/acme/audit/actions/runs/77"),
        ({"CI_JOB_URL": "https://gitlab.example/acme/-/jobs/5"}, "https://gitlab.example/acme/-/jobs/5"),
        ({"BUILD_URL": "https://jenkins.example/job/audit/9/"}, "https://jenkins.example/job/audit/9/"),
        (GITHUB | {"GITHUB_RUN_ID": ""}, None),
        ({}, None),
    ],
)
def test_the_origin_is_the_run_in_ci_else_host_and_user(environ: dict[str, str], url: str | None) -> None:
    origin = AuditOrigin.find(environ)

    assert origin.url == url
    assert bool(origin.host and origin.user) == (url is None)
