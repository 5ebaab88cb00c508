"""Read stored snapshots, and make the fingerprints under which their values are known."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from credly_audit.audit.redact_texts import make_redactor, redact_snapshot
from credly_audit.config.credentials import make_fingerprints
from credly_audit.config.settings import Settings
from credly_audit.errors import UsageError
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.snapshot import Snapshot, merged

log = logging.getLogger(__name__)

BY_SHAPE = "the texts of the configuration, the register and the decisions were searched only by the shape of values"


def read_snapshots(
    paths: Sequence[Path], settings: Settings, environ: Mapping[str, str]
) -> tuple[Snapshot, Fingerprints | None]:
    """Return snapshots as one, and fingerprints under their key; None, and a warning, where that is not at hand.

    Texts are redacted anew where a collector did not know the values of another, or no lengths of them.
    """
    snapshot = _merge(paths)
    fingerprints = find_fingerprints(snapshot, settings, environ)
    return _redact_anew(snapshot, fingerprints, paths), fingerprints


def read_snapshots_with_key(
    paths: Sequence[Path], settings: Settings, environ: Mapping[str, str]
) -> tuple[Snapshot, Fingerprints]:
    """Return snapshots as one, redacted as `read_snapshots` does, and fingerprints under their key; UsageError."""
    snapshot = _merge(paths)
    fingerprints = _make_fingerprints(snapshot, settings, environ)
    return _redact_anew(snapshot, fingerprints, paths), fingerprints


def _merge(paths: Sequence[Path]) -> Snapshot:
    return merged({str(path): Snapshot.read(path) for path in dict.fromkeys(paths)})


def _redact_anew(snapshot: Snapshot, fingerprints: Fingerprints | None, paths: Sequence[Path]) -> Snapshot:
    if len(paths) > 1 or not snapshot.header.value_lengths:
        return redact_snapshot(snapshot, make_redactor(snapshot, fingerprints))
    return snapshot


def find_fingerprints(snapshot: Snapshot, settings: Settings, environ: Mapping[str, str]) -> Fingerprints | None:
    """Return fingerprints under the key of a snapshot; None, and a warning, where that key is not at hand."""
    try:
        return _make_fingerprints(snapshot, settings, environ)
    except UsageError as error:
        log.warning("%s; %s", error, BY_SHAPE)
        return None


def _make_fingerprints(snapshot: Snapshot, settings: Settings, environ: Mapping[str, str]) -> Fingerprints:
    """Return fingerprints under the snapshot's key; UsageError where the configuration has another one, or none."""
    if snapshot.header.fingerprint_key is None:
        return Fingerprints()
    fingerprints = make_fingerprints(settings, environ)
    if fingerprints.key_fingerprint != snapshot.header.fingerprint_key:
        raise UsageError("[privacy] fingerprint_key is not the key of the snapshot")
    return fingerprints
