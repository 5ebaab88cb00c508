"""The options of an audit, as `run`, `check` and `demo` take them."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """What a person typed; a field that a command does not offer has its default."""

    config: Path | None = None
    snapshots: tuple[Path, ...] = ()
    organizations: tuple[str, ...] = ()
    """Ids, or names that are unique; without any, all."""

    workers: int | None = None
    formats: tuple[str, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    output_dir: Path = Path("reports")
    split_by: str | None = None
    overwrite: bool = False
    manifest: bool = False
    sign: str | None = None
    """The path of a private key, or a signer URI of securesystemslib."""

    sign_public_key: Path | None = None
    sign_passphrase: str | None = None
    """A reference to the passphrase."""

    chain: Path | None = None
    """Where earlier signed manifests are; None: the history names the last one."""

    fail_on: tuple[str, ...] = ()
    allow_partial: bool = False
    as_of: datetime | None = None
    skip_broken_rules: bool = False
    new_only: bool = False
    baseline: Path | None = None
    no_history: bool = False
    record: bool = False
    """Whether the audit is recorded in the history."""

    sarif_without_waived: bool = False
    notify: bool = False
    """Whether the notices of `[notify]` are sent."""

    untrusted: bool = False
    against: Path | None = None
    break_lock: bool = False
    parallel: bool = False
    """Whether another run of the configuration may go on at the same time."""

    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    log_format: str = "text"
