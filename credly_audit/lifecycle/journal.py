"""The journal of a token, and the copy of its new value, on the disk before anything else is tried.

Before the request that changes something goes out, two files are made in the emergency folder (mode 0600):

    NAME.json     which token it is about, by fingerprint and id; never a value
    NAME.token    room for the value, already taken up on the disk, so that a full one cannot refuse it

The value is written into the second as soon as the answer is read, and both are removed once the store is proved to
hold it. So whatever ends the program in between, even SIGKILL, leaves them behind, and the next run finds them.
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
from credly_audit.files.writing import written_whole
from credly_audit.lifecycle.api import read_time
from credly_audit.lifecycle.outcome import Action
from credly_audit.secrets import Secret

ROOM = 4096
"""Bytes kept for a value: a block of most file systems."""


NOWHERE = Path("/nonexistent/credly-audit")
"""A folder that is not there; by custom nobody makes it."""


@dataclass(frozen=True, slots=True)
class Journal:
    """What is about to be done to one token, as it is written down beforehand, and the file for its new value.

    The journal itself holds no value, and nothing to find one by.
    """

    action: Action
    organization_id: str
    organization_name: str
    credential: str
    """The lock's name of the credential that asks."""
    fingerprint: str | None
    """Of the value in force before."""
    token_id: str | None
    description: str | None
    started_at: str
    known_ids: tuple[str, ...] = ()
    """For create: the tokens that were there before."""
    replaces: str | None = None
    """For create: the token that the new one is to replace."""
    path: Path = NOWHERE
    """Where the journal lies; not written into it."""

    @property
    def age(self) -> timedelta:
        """For how long it has been under way; none where its beginning cannot be read."""
        began = read_time(self.started_at)
        return timedelta() if began is None else datetime.now(UTC) - began

    @property
    def file(self) -> Path:
        """Where the value is, or will be."""
        return self.path.with_suffix(".token")

    @property
    def value(self) -> Secret | None:
        """The value that was kept; None where none was yet."""
        try:
            text = self.file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None
        return Secret(text) if text else None

    def keep(self, value: Secret) -> None:
        """Write the value into the room that was reserved; it is on the disk when this returns. OSError."""
        content = value.reveal().encode()
        descriptor = os.open(self.file, os.O_WRONLY)
        try:
            os.write(descriptor, content)
            os.ftruncate(descriptor, len(content))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Remove both files, the value first. OSError."""
        self.file.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def settle(self) -> None:
        """Remove both files where they hold nothing that is needed; what stays is removed by a later run."""
        with suppress(OSError):
            self.discard()


FIELDS = tuple(each.name for each in fields(Journal) if each.name != "path")
"""What a journal's file holds, by these keys."""


def find_emergency_folder(named: Path | None, environ: Any, *, dry_run: bool) -> Path:
    """Return where emergency copies go; UsageError where CI has to name a place, or where none can be found.

    A CI runner's own state directory is gone with the runner. A dry run that has none goes on: nothing was left there.
    """
    if named is None and environ.get("CI", "").lower() not in {"", "0", "false"}:
        raise UsageError(
            "--emergency-dir: this is a CI run (CI is set), whose own folders do not stay: name a folder that does, "
            "for a new value that the store does not take"
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
    """Make the folder; UsageError where no copy could be written."""
    try:
        make_folder(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror}); name another with --emergency-dir") from None
    must_be_writable(folder)
    _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove what was cut short while the two files were made or removed: it is empty, and a day old."""
    for path in [*folder.glob("*.token"), *folder.glob("*.json"), *folder.glob(".rotate-*"), *folder.glob(".create-*")]:
        pair = path.with_suffix(".json" if path.suffix == ".token" else ".token")
        with suppress(OSError):
            is_old = path.stat().st_mtime < time() - 86_400
            if is_old and not pair.exists() and (path.suffix == ".json" or not path.read_bytes().strip()):
                path.unlink()


def reserve(folder: Path, journal: Journal) -> Journal:
    """Write down what is about to be done, and take up room for the value; both outlive a power cut.

    CannotWrite or OSError.
    """
    name = f"{journal.action}-{journal.organization_id}-{journal.credential[:8]}-{_stamp()}"
    reserved = replace(journal, path=folder / f"{name}.json")
    with written_whole(reserved.file, draft_name=f".{name}.token") as file:
        file.write(b" " * ROOM)
    content = {name: getattr(journal, name) for name in FIELDS}
    with written_whole(reserved.path, draft_name=f".{name}.json") as file:
        file.write(json.dumps(content, indent=1).encode())
    sync_folder(folder)
    return reserved


def find_journals(folder: Path) -> Iterator[Journal]:
    """Yield what earlier runs left, oldest first; a run that goes on right now has its own here too (see `locks`)."""
    for path in sorted(folder.glob("*.json"), key=lambda path: path.name[-25:]):
        try:
            content = json.loads(path.read_bytes())
            journal = Journal(**content | {"known_ids": tuple(content.get("known_ids", ())), "path": path})
        except (OSError, ValueError, TypeError, AttributeError):
            continue
        if journal.file.exists():  # else it was settled, and only cut short while it was removed
            yield journal


def _stamp() -> str:
    return re.sub(r"\D", "", datetime.now(UTC).isoformat(timespec="microseconds"))[:20]
