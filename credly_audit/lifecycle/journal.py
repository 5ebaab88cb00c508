"""The copy of a new value that lies on the disk before anything else is tried with it.

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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

from credly_audit.errors import UsageError
from credly_audit.files.destinations import must_be_writable
from credly_audit.files.paths import NoStateFolder, make_folder, state_folder, sync_folder
from credly_audit.files.writing import written_whole
from credly_audit.lifecycle.api import instant
from credly_audit.lifecycle.outcome import Action
from credly_audit.secrets import Secret

ROOM = 4096
"""Bytes kept for a value: a block of most file systems."""


@dataclass(frozen=True, slots=True)
class Undertaking:
    """What is about to be done, as it is written down beforehand; no value, and nothing to find one by."""

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

    @property
    def age(self) -> timedelta:
        """For how long it has been under way; none where its beginning cannot be read."""
        began = instant(self.started_at)
        return timedelta() if began is None else datetime.now(UTC) - began


@dataclass(frozen=True, slots=True)
class EmergencyCopy:
    """The two files of one undertaking."""

    undertaking: Undertaking
    journal: Path

    @property
    def file(self) -> Path:
        """Where the value is, or will be."""
        return self.journal.with_suffix(".token")

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
        """Remove both, the value first. OSError."""
        self.file.unlink(missing_ok=True)
        self.journal.unlink(missing_ok=True)
        sync_folder(self.journal.parent)

    def settle(self) -> None:
        """Remove both where they hold nothing that is needed; what stays is removed by a later run."""
        with suppress(OSError):
            self.discard()


NOWHERE = Path("/nonexistent/credly-audit")
"""A folder that is not there; by custom nobody makes it."""


def emergency_folder(named: Path | None, environ: Any, *, dry_run: bool) -> Path:
    """Where emergency copies go; UsageError where CI has to name a place, or where nothing says which one that is.

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


def must_hold_copies(folder: Path) -> None:
    """UsageError where no copy could be written."""
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


def reserve(folder: Path, undertaking: Undertaking) -> EmergencyCopy:
    """Write down what is about to be done, and take up room for the value; both outlive a power cut.

    CannotWrite or OSError.
    """
    name = f"{undertaking.action}-{undertaking.organization_id}-{undertaking.credential[:8]}-{_stamp()}"
    copy = EmergencyCopy(undertaking, folder / f"{name}.json")
    with written_whole(copy.file, draft_name=f".{name}.token") as file:
        file.write(b" " * ROOM)
    fields = {name: getattr(undertaking, name) for name in Undertaking.__slots__}
    with written_whole(copy.journal, draft_name=f".{name}.json") as file:
        file.write(json.dumps(fields, indent=1).encode())
    sync_folder(folder)
    return copy


def left_behind(folder: Path) -> Iterator[EmergencyCopy]:
    """What earlier runs left, oldest first; a run that goes on right now has its own here too (see `locks`)."""
    for journal in sorted(folder.glob("*.json"), key=lambda path: path.name[-25:]):
        try:
            said = json.loads(journal.read_bytes())
            fields = said | {"known_ids": tuple(said.get("known_ids", ()))}
            copy = EmergencyCopy(Undertaking(**fields), journal)
        except (OSError, ValueError, TypeError, AttributeError):
            continue
        if copy.file.exists():  # else it was settled, and only cut short while it was removed
            yield copy


def _stamp() -> str:
    return re.sub(r"\D", "", datetime.now(UTC).isoformat(timespec="microseconds"))[:20]
