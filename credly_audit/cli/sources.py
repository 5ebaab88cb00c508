"""What an audit is judged from, as files: copied for the manifest, pointed at by the formats that point."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from credly_audit.audit import Places
from credly_audit.config.settings import Settings
from credly_audit.manifest import PolicyRole, Sources


def sources(config: Path | None, settings: Settings, snapshots: Sequence[Path] = ()) -> Sources:
    """Copies of the policy's files, and the snapshots that are read; UsageError for a file that cannot be read."""
    return Sources.taken(policy_files(config, settings), snapshots)


def policy_files(config: Path | None, settings: Settings) -> Iterator[tuple[PolicyRole, Path]]:
    """The files that a policy is made of."""
    if config is None:
        return
    yield "configuration", config
    if settings.organizations_file is not None:
        yield "organizations", settings.organizations_file
    if settings.policy.waivers_file is not None:
        yield "waivers", settings.policy.waivers_file
    if settings.policy.register_file is not None:
        yield "register", settings.policy.register_file


def places(settings: Settings, snapshots: Sequence[Path] = ()) -> Places:
    """Where each organization is configured; for the others the first snapshot."""
    lines = {each.id: (str(each.file), each.line or 1) for each in settings.organizations if each.file is not None}
    return Places(lines, str(snapshots[0])) if snapshots else Places(lines)
