"""Record successions in the history, and in a file each until the history contains it."""

import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from credly_audit.audit.succession_model import Succession
from credly_audit.config.settings import Settings
from credly_audit.errors import AuditError, CannotWrite
from credly_audit.files.paths import make_folder, sync_folder
from credly_audit.files.writing import replace_file

if TYPE_CHECKING:
    from credly_audit.history.store import History

log = logging.getLogger(__name__)

SUFFIX = ".succession"


def succession_lock(organization_id: str, old_token_id: str) -> str:
    """Return the name of the lock that protects the succession of a token."""
    return hashlib.sha256(f"succession\0{organization_id}\0{old_token_id.lower()}".encode()).hexdigest()[:32]


def name_of(settings: Settings) -> str:
    """Return the name of a configuration: its `[history] name`, else the path of its file."""
    return settings.history.name or str(settings.file.resolve())


@dataclass(frozen=True, slots=True)
class Entry:
    """The content of a file."""

    configuration: str
    succession: Succession


@dataclass(frozen=True, slots=True)
class SuccessionRecords:
    """The successions of a configuration: those in its history, and those in the folder, the newer of each counts."""

    folder: Path
    configuration: str
    """Whose successions they are: several configurations may share the folder."""
    history: "History | None"

    @classmethod
    def open(cls, settings: Settings, folder: Path, environ: Mapping[str, str]) -> Self:
        """Open the records; a history that cannot be used is reported, and the files are the record."""
        from credly_audit.history.store import History  # noqa: PLC0415 - loads SQLAlchemy

        url, name = settings.history.url, settings.history.name
        try:
            history = History.opened(url, settings.file, environ, name=name, create=False)
        except AuditError as error:
            log.warning("%s; successions are recorded in %s until it can be used", error, folder)
            history = None
        return cls(folder, name_of(settings), history)

    def load(self) -> list[Succession]:
        """Return all successions, oldest first."""
        newest: dict[str, Succession] = {}
        for each in [*self._load_recorded(), *self._load_files()]:
            if each.id not in newest or newest[each.id].updated_at <= each.updated_at:
                newest[each.id] = each
        return sorted(newest.values(), key=lambda each: (each.opened_at, each.id))

    def find(self, organization_id: str, old_token_id: str) -> Succession | None:
        """Return the unfinished succession of a token."""
        return next(
            (
                each
                for each in self.load()
                if each.is_unfinished
                and (each.organization_id, each.old_token_id.lower()) == (organization_id, old_token_id.lower())
            ),
            None,
        )

    def save(self, succession: Succession) -> None:
        """Write a file that outlives a power cut, then move it into the history; CannotWrite where neither took it."""
        trouble = self._write(succession)
        if not self._move(succession) and trouble:
            raise CannotWrite(trouble)

    def move_to_history(self) -> None:
        """Move the files that an earlier command could not move into the history."""
        for each in self._load_files():
            self._move(each)

    def _write(self, succession: Succession) -> str | None:
        """Write the file of a succession; return why that failed, None where it did not."""
        file = self._file(succession)
        try:
            make_folder(self.folder)
            with replace_file(file, draft_name=f".{file.name}") as draft:
                draft.write(msgspec.json.encode(Entry(self.configuration, succession)))
            sync_folder(self.folder)
        except (CannotWrite, OSError) as error:
            return str(error)
        return None

    def _move(self, succession: Succession) -> bool:
        """Save a succession in the history and remove its file; return whether the history has it."""
        if self.history is None:
            return False
        try:
            self.history.save_succession(succession)
        except AuditError as error:
            log.warning("%s; succession %s is recorded in %s", error, succession.id, self._file(succession))
            return False
        with suppress(OSError):
            self._file(succession).unlink(missing_ok=True)
        return True

    def _load_recorded(self) -> list[Succession]:
        if self.history is None:
            return []
        try:
            return self.history.successions()
        except AuditError as error:
            log.warning("%s; only the successions in %s are known", error, self.folder)
            return []

    def _load_files(self) -> list[Succession]:
        loaded: list[Succession] = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            try:
                entry = msgspec.json.decode(path.read_bytes(), type=Entry)
            except (OSError, msgspec.MsgspecError) as error:
                log.warning("%s: is no record of a succession and is ignored (%s)", path, type(error).__name__)
            else:
                loaded += [entry.succession] if entry.configuration == self.configuration else []
        return loaded

    def _file(self, succession: Succession) -> Path:
        return self.folder / f"{succession.id}{SUFFIX}"
