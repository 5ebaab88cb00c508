"""Write the journal of a token and the copy of its new value to disk before anything else is tried.

Before the request that changes something is sent, two files are created in the emergency folder (mode 0600):

    NAME.json     which token it is about, by fingerprint and id; never a value
    NAME.token    space for the value, already allocated, so that a full disk cannot refuse it

The value is written into the second file as soon as the answer is read, and both are removed once the store is proved
to contain it. If anything ends the program in between, even SIGKILL, both files remain, and the next run finds them.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

from credly_audit.errors import UsageError
from credly_audit.files.destinations import must_be_writable
from credly_audit.files.paths import NoStateFolder, make_folder, state_folder, sync_folder
from credly_audit.files.writing import replace_file
from credly_audit.lifecycle.outcome import Action
from credly_audit.lifecycle.token_endpoints import read_time
from credly_audit.secrets import Secret

ROOM = 4096
"""Bytes reserved for a value: one block of most file systems."""


NOWHERE = Path("/nonexistent/credly-audit")
"""A folder that does not exist; by convention it is never created."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The record of what is about to be done to one token, and the file for its new value.

    The journal itself contains no value, and nothing from which one could be derived.
    """

    action: Action
    organization_id: str
    organization_name: str
    credential: str
    """The name of the lock of the credential in use."""
    fingerprint: str | None
    """The fingerprint of the value before."""
    token_id: str | None
    description: str | None
    started_at: str
    known_ids: tuple[str, ...] = ()
    """For create: the ids of the tokens that existed before."""
    replaces: str | None = None
    """For create: the id of the token that the new one replaces."""
    path: Path = NOWHERE
    """The path of the journal; it is not part of its content."""

    @property
    def age(self) -> timedelta:
        """The time since it began; zero where its beginning cannot be read."""
        began = read_time(self.started_at)
        return timedelta() if began is None else datetime.now(UTC) - began

    @property
    def file(self) -> Path:
        """The file that contains the value, or will."""
        return self.path.with_suffix(".token")

    @property
    def value(self) -> Secret | None:
        """The value in the copy; None where none was written yet."""
        try:
            text = self.file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None
        return Secret(text) if text else None

    def keep(self, value: Secret) -> None:
        """Write the value into the reserved space; it is on the disk when this returns. Raises OSError."""
        content = value.reveal().encode()
        descriptor = os.open(self.file, os.O_WRONLY)
        try:
            os.write(descriptor, content)
            os.ftruncate(descriptor, len(content))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Remove both files, the value first. Raises OSError."""
        self.file.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def settle(self) -> None:
        """Remove both files, which are no longer needed; a later run removes what could not be removed."""
        with suppress(OSError):
            self.discard()


FIELDS = tuple(each.name for each in fields(Journal) if each.name != "path")
"""The keys of a journal's file."""


def find_emergency_folder(named: Path | None, environ: Any, *, dry_run: bool) -> Path:
    """Return the folder of emergency copies; UsageError where a CI job has to name one, or where none can be found.

    The state directory of a CI runner is deleted with the runner. A dry run continues without a folder: it writes none.
    """
    if named is None and environ.get("CI", "").lower() not in {"", "0", "false"}:
        raise UsageError(
            "--emergency-dir: this is a CI job (CI is set), whose own folders are deleted when it ends; name a "
            "persistent folder for a new value that the store does not accept"
        )
    if named is not None:
        return named
    try:
        return state_folder() / "emergency"
    except NoStateFolder as error:
        if dry_run:
            return NOWHERE
        raise UsageError(f"{error}, which locks and emergency copies need") from None


def require_room_for_copies(folder: Path) -> None:
    """Create the folder; UsageError where no copy could be written."""
    try:
        make_folder(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be created ({error.strerror}); name another with --emergency-dir") from None
    must_be_writable(folder)
    _remove_remains(folder)


def _remove_remains(folder: Path) -> None:
    """Remove files that an interrupted run created or did not finish removing: empty, and older than a day."""
    for path in [*folder.glob("*.token"), *folder.glob("*.json"), *folder.glob(".rotate-*"), *folder.glob(".create-*")]:
        pair = path.with_suffix(".json" if path.suffix == ".token" else ".token")
        with suppress(OSError):
            is_old = path.stat().st_mtime < time() - 86_400
            if is_old and not pair.exists() and (path.suffix == ".json" or not path.read_bytes().strip()):
                path.unlink()


def reserve(folder: Path, journal: Journal) -> Journal:
    """Write the journal and reserve space for the value; both survive a power failure.

    Raises CannotWrite or OSError.
    """
    name = f"{journal.action}-{journal.organization_id}-{journal.credential[:8]}-{_make_stamp()}"
    reserved = replace(journal, path=folder / f"{name}.json")
    with replace_file(reserved.file, draft_name=f".{name}.token") as file:
        file.write(b" " * ROOM)
    content = {name: getattr(journal, name) for name in FIELDS}
    with replace_file(reserved.path, draft_name=f".{name}.json") as file:
        file.write(json.dumps(content, indent=1).encode())
    sync_folder(folder)
    return reserved


def find_journals(folder: Path) -> Iterator[Journal]:
    """Yield the journals of earlier runs, oldest first, and those of runs in progress (see `locks`)."""
    for path in sorted(folder.glob("*.json"), key=lambda path: path.name[-25:]):
        try:
            content = json.loads(path.read_bytes())
            journal = Journal(**content | {"known_ids": tuple(content.get("known_ids", ())), "path": path})
        except (OSError, ValueError, TypeError, AttributeError):
            continue
        if journal.file.exists():  # otherwise it is settled, and its removal was interrupted
            yield journal


def _make_stamp() -> str:
    return re.sub(r"\D", "", datetime.now(UTC).isoformat(timespec="microseconds"))[:20]
