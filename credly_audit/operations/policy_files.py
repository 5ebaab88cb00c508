"""The files that an audit is evaluated from: copied for the manifest, referenced by some formats."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from credly_audit.audit.model import Places
from credly_audit.config.settings import Settings
from credly_audit.files.paths import working_folder
from credly_audit.manifest.contents import PolicyRole, Sources

WORKSPACES = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Environment variables in which GitHub Actions and GitLab CI name the folder of the checkout."""


def copy_sources(config: Path | None, settings: Settings, snapshots: Sequence[Path] = ()) -> Sources:
    """Copy the policy's files, and the snapshots that are read; UsageError for a file that cannot be read."""
    return Sources.taken(list_policy_files(config, settings), snapshots)


def list_policy_files(config: Path | None, settings: Settings) -> Iterator[tuple[PolicyRole, Path]]:
    """Yield the files that a policy consists of."""
    if config is None:
        return
    yield "configuration", config
    if settings.organizations_file is not None:
        yield "organizations", settings.organizations_file
    if settings.policy.waivers_file is not None:
        yield "waivers", settings.policy.waivers_file
    if settings.policy.register_file is not None:
        yield "register", settings.policy.register_file


def find_places(settings: Settings, environ: Mapping[str, str], snapshots: Sequence[Path] = ()) -> Places:
    """Find where each organization is configured; for the others the first snapshot."""
    files = {each.file: find_path_in_repository(each.file, environ) for each in settings.organizations if each.file}
    lines = {each.id: (files[each.file], each.line or 1) for each in settings.organizations if each.file}
    return Places(lines, find_path_in_repository(snapshots[0], environ)) if snapshots else Places(lines)


def find_path_in_repository(path: Path, environ: Mapping[str, str]) -> str:
    """Return a file's path as code hosts know it: relative to the checkout that holds it, with `/` between its parts.

    The checkout is what GitHub or GitLab name, else the closest folder with `.git`, else the working directory. The
    path is absolute where none of them holds the file.
    """
    file = path.resolve()
    named = [Path(environ[name]).resolve() for name in WORKSPACES if environ.get(name)]
    cloned = [folder for folder in file.parents if (folder / ".git").exists()]
    root = next((each for each in [*named, *cloned[:1], working_folder()] if file.is_relative_to(each)), None)
    return file.as_posix() if root is None else file.relative_to(root).as_posix()
