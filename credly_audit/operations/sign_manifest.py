"""Sign the manifest of an audit and chain it to the one before it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from credly_audit.audit.model import Audit
from credly_audit.audit.prior import PriorManifest
from credly_audit.config.settings import Settings
from credly_audit.errors import UsageError
from credly_audit.manifest.chain import find_last_manifest, find_manifests
from credly_audit.manifest.contents import Manifest
from credly_audit.manifest.envelope import write_signed
from credly_audit.manifest.signing_keys import load_signer
from credly_audit.manifest.statement import AuditOrigin, ChainLink, Statement
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.prior_audits import PriorAudits
from credly_audit.secrets import Secret, find_exposed, is_reference, list_forms, mask_reference, read_secret

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ManifestSigner:
    """Signs manifests for one configuration; made, and its key so checked, before the first request to Credly."""

    signer: "Signer"
    series: str
    origin: AuditOrigin
    folder: Path | None
    """Where the earlier manifests are; None: the history names the last one."""
    prior_audits: PriorAudits

    @classmethod
    def from_options(
        cls, options: AuditOptions, settings: Settings, prior_audits: PriorAudits, environ: Mapping[str, str]
    ) -> "ManifestSigner | None":
        """Make what the options say; None where nothing is to be signed. UsageError for a key that cannot be used."""
        key = options.sign
        _require_consistent(options)
        if key is None:
            return None
        passphrase = None if options.sign_passphrase is None else _read_passphrase(options.sign_passphrase, environ)
        signer = load_signer(key, options.sign_public_key, passphrase)
        if Path(key).is_file() and find_exposed([f"file:{key}"], Path()):
            log.warning("--sign: other users of this machine can read the private key %s; run chmod 600", key)
        if options.chain is not None:
            find_manifests(options.chain)
        series = settings.history.name or str(settings.file.resolve())
        return cls(signer, series, AuditOrigin.find(environ), options.chain, prior_audits)

    def write(self, path: Path, manifest: Manifest, audit: Audit) -> PriorManifest | None:
        """Write the manifest of an audit, signed; return it as the one that the next audit names.

        None where it is in no chain. CannotWrite where the signer fails: nothing is written.
        """
        link = self._find_link(audit)
        file = write_signed(path, Statement.of(path, manifest, audit, self.origin, link), self.signer)
        return None if link is None else PriorManifest(link.number, file.name, file.sha256)

    def _find_link(self, audit: Audit) -> ChainLink | None:
        """Return the place in the chain: a complete audit has one if the next audit can find it."""
        header = audit.snapshot.header
        if header.part is not None or header.shard is not None:
            return None
        if self.folder is not None:
            return ChainLink(self.series, find_last_manifest(self.folder, self.series))
        return ChainLink(self.series, self.prior_audits.find_last_manifest()) if self.prior_audits.record else None


def _read_passphrase(reference: str, environ: Mapping[str, str]) -> Secret:
    """Read the passphrase of the key; UsageError where the reference is none, which is not repeated: it may be one."""
    if not is_reference(reference):
        raise UsageError(f"--sign-passphrase: is not a reference to a secret; write {list_forms()}")
    if find_exposed([reference], Path()):
        log.warning("--sign-passphrase: other users of this machine can read %s", mask_reference(reference))
    return read_secret(reference, Path(), environ)


def _require_consistent(options: AuditOptions) -> None:
    """Raise UsageError for an option that means nothing without another one."""
    for name, value in (
        ("--sign-public-key", options.sign_public_key),
        ("--sign-passphrase", options.sign_passphrase),
        ("--chain", options.chain),
    ):
        if value is not None and options.sign is None:
            raise UsageError(f"{name}: means nothing without --sign; add it, or leave {name} out")
    if options.sign is not None and not options.manifest:
        raise UsageError("--sign: means nothing without --manifest; add it")
