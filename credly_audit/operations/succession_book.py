"""Look successions up, and confirm their consumers."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from credly_audit.audit.succession_model import Succession, SwitchState
from credly_audit.config.load import load
from credly_audit.config.settings import Settings
from credly_audit.config.types import ALL_CONSUMERS
from credly_audit.errors import UsageError
from credly_audit.lifecycle.journal import find_emergency_folder
from credly_audit.lifecycle.replace import verify_consumer
from credly_audit.lifecycle.succession_records import SuccessionRecords
from credly_audit.text import one_line


@dataclass(frozen=True, slots=True)
class SuccessionBook:
    """The successions of a configuration, as the commands look them up."""

    settings: Settings
    records: SuccessionRecords

    @classmethod
    def open(cls, config: Path, emergency_dir: Path | None) -> "SuccessionBook":
        """Open the records of a configuration."""
        settings = load(config, os.environ, for_collecting=False)
        folder = find_emergency_folder(emergency_dir, os.environ, dry_run=True)
        return cls(settings, SuccessionRecords.open(settings, folder, os.environ))

    def find(self, succession_id: str) -> Succession:
        """Return the succession of this id; UsageError, naming those there are, where there is none."""
        known = self.records.load()
        found = next((each for each in known if each.id == succession_id.lower()), None)
        if found is None:
            unfinished = ", ".join(each.id for each in known if each.is_unfinished)
            raise UsageError(
                f"{one_line(succession_id, 60)}: no succession has this id; "
                + (f"unfinished are {unfinished}" if unfinished else "none is unfinished")
            )
        return found

    def require_unfinished(self, found: Succession) -> None:
        """UsageError where the succession has ended."""
        if not found.is_unfinished:
            raise UsageError(f"{found.id}: this succession is {found.state.value} already")

    def find_with_consumer(self, succession_id: str | None, consumer: str) -> Succession:
        """Return the succession named, else the only unfinished one with this consumer; UsageError where none is."""
        if succession_id is not None:
            candidates = [self.find(succession_id)]
            self.require_unfinished(candidates[0])
        else:
            candidates = [each for each in self.records.load() if each.is_unfinished]
        names = {each.consumer for candidate in candidates for each in candidate.switches}
        found = [each for each in candidates if consumer in {ALL_CONSUMERS, *(s.consumer for s in each.switches)}]
        if not found:
            there = f"there are {', '.join(sorted(names))}" if names else "no succession is unfinished"
            raise UsageError(f"--consumer {one_line(consumer, 60)}: no such consumer; {there}")
        if len(found) > 1:
            raise UsageError(
                f"--consumer {one_line(consumer, 60)}: {len(found)} successions have it; name one: "
                + ", ".join(f"{each.id} ({one_line(each.organization_name, 40)})" for each in found)
            )
        return found[0]

    def confirm(self, found: Succession, consumer: str) -> tuple[Succession, dict[str, str]]:
        """Confirm one consumer, or all that wait; return why some could not be confirmed, by name."""
        self.require_unfinished(found)
        configured = {each.name: each for each in self.settings.consumers}
        troubles: dict[str, str] = {}
        for switch in found.waiting:
            if consumer not in {ALL_CONSUMERS, switch.consumer}:
                continue
            its = configured.get(switch.consumer)
            trouble = None if its is None else verify_consumer(its, found, self.settings.folder, os.environ)
            if trouble is not None:
                troubles[switch.consumer] = trouble
                found = found.set_switch(switch.consumer, SwitchState.FAILED, datetime.now(UTC), f"verify: {trouble}")
            else:
                found = found.set_switch(switch.consumer, SwitchState.CONFIRMED, datetime.now(UTC))
            self.records.save(found)
        return found, troubles
