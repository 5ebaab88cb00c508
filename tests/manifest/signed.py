"""Signed manifests of made-up audits, without a command."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from credly_audit.audit.prior import PriorManifest
from credly_audit.manifest.chain import ChainCheck, find_last_manifest
from credly_audit.manifest.contents import Sources, collect_contents
from credly_audit.manifest.envelope import ManifestFile, write_signed
from credly_audit.manifest.signing_keys import load_public_key, load_signer
from credly_audit.manifest.statement import AuditOrigin, ChainLink, Statement
from tests.build import AS_OF, audited, snapshot, token

AUDIT = audited(snapshot([token(1)]))
SERIES = "acme"


def write_keys(folder: Path, private: Any = None, *, name: str = "key", passphrase: str | None = None) -> Path:
    """Write a private key to `name`.pem and its public one to `name`.pub; return the path of the first."""
    private = private or Ed25519PrivateKey.generate()
    how: KeySerializationEncryption = (
        NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    path.chmod(0o600)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_suffix(".pub").write_bytes(public)
    return path


def sign(folder: Path, number: int, key: Path, previous: PriorManifest | None, series: str = SERIES) -> ManifestFile:
    """Write a report of one audit and its signed manifest."""
    day = (AS_OF + timedelta(days=number)).date()
    report = folder / f"credly-audit-{day}.json"
    report.write_text(json.dumps({"audit": number}))
    path = folder / f"credly-audit-{day}.manifest.json"
    contents = collect_contents(path, AUDIT, Sources(), [report])
    statement = Statement.of(path, contents, AUDIT, AuditOrigin(host="auditor", user="ci"), ChainLink(series, previous))
    return write_signed(path, statement, load_signer(str(key), None, None))


def sign_chain(folder: Path, key: Path, many: int, series: str = SERIES) -> list[ManifestFile]:
    """Write the manifests of audits that follow each other."""
    return [sign(folder, number, key, find_last_manifest(folder, series), series) for number in range(1, many + 1)]


def faults(folder: Path, *keys: Path) -> Sequence[str]:
    """What is wrong in a folder by the public keys beside these private ones."""
    return ChainCheck.of(folder, [load_public_key(key.with_suffix(".pub"), "--key") for key in keys]).faults
