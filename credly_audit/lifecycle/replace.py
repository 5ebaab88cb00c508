"""Replace one token by another: open a succession, and switch its consumers to the successor, one after another.

The old token stays valid throughout, so a consumer whose switch fails goes on with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

from credly_audit.audit.succession_model import Succession, Switch, SwitchState
from credly_audit.config.settings import Consumer
from credly_audit.config.types import ALL_CONSUMERS
from credly_audit.credly.wire import TokenRow
from credly_audit.errors import CannotWrite, UsageError
from credly_audit.lifecycle.create_token import create, resume_create
from credly_audit.lifecycle.outcome import Ending, Outcome, State
from credly_audit.lifecycle.succession_records import SuccessionRecords
from credly_audit.lifecycle.tasks import Task
from credly_audit.lifecycle.token_endpoints import Access
from credly_audit.rules.facts import PERMISSIONS
from credly_audit.secrets import Secret, read_stored
from credly_audit.secrets.redaction import looks_like_a_value
from credly_audit.secrets.sources.interface import StoreFailed
from credly_audit.secrets.sources.program import ProgramSource, run_to_end
from credly_audit.text import count


@dataclass(slots=True)
class Replacement:
    """The work of a task besides creating a token: which token it replaces, and which consumers switch to it."""

    old_token_id: str
    due: timedelta
    consumers: Sequence[Consumer]
    """Those that use the old token, in the order in which they are switched."""
    records: SuccessionRecords
    folder: Path
    """Where the paths of consumers' programs begin."""
    environ: Mapping[str, str] = field(repr=False)
    old: TokenRow | None = None
    succession: Succession | None = None

    def check(self) -> None:
        """Raise UsageError where a program of a consumer does not exist."""
        for consumer in self.consumers:
            for reference in filter(None, (consumer.deploy, consumer.verify)):
                try:
                    ProgramSource().store(reference.partition(":")[2], self.folder, self.environ).check()
                except UsageError as error:
                    raise UsageError(f"consumer {consumer.name}: {error}") from None


def find_old_token(task: Task, replacement: Replacement) -> None:
    """Find the token to replace and the succession that an earlier run opened; UsageError where it is not listed."""
    organization = task.organization
    rows = {} if task.before is None else task.before.rows
    old = next((row for row in rows.values() if row.id.lower() == replacement.old_token_id.lower()), None)
    if old is None:
        raise UsageError(
            f"--replaces {replacement.old_token_id}: Credly lists no such token of {organization.called} for this "
            "credential; check the id, and that the credential has write permission"
        )
    replacement.old = old
    replacement.succession = replacement.records.find(organization.id, old.id)
    if task.description is None:
        if not (old.description or "").strip() or looks_like_a_value(old.description or ""):
            raise UsageError(
                f"--replaces {old.id}: that token has no description that the new one could take; add --description"
            )
        task.description = old.description


def require_another_place(task: Task, replacement: Replacement) -> None:
    """Raise UsageError where the successor's value would overwrite the old token's value."""
    values = {} if task.before is None else task.before.values
    old = values.get(replacement.old.id) if replacement.old else None
    for place in task.readers:
        held = read_stored(place.read)
        if held is not None and old is not None and held == old:
            raise UsageError(
                f"{task.organization.called}: {place.name} contains the value of the token to replace, which its "
                "consumers need until they have switched; name another place with --store"
            )


def replace_token(task: Task) -> Outcome:
    """Create the successor, unless it exists already, and switch the consumers to it."""
    replacement = task.replacement
    assert replacement is not None  # noqa: S101 - the request names a token to replace
    if replacement.succession is not None:
        outcome = adopt_successor(task, replacement.succession)
    else:
        task.on_proved = lambda proved: open_succession(task, replacement, proved)
        outcome = resume_create(task) if task.resumes else create(task)
    if outcome.state is not State.CREATED or replacement.succession is None:
        return outcome
    return switch_consumers(task, replacement, replacement.succession, outcome)


def adopt_successor(task: Task, succession: Succession) -> Outcome:
    """Return the outcome of a successor that an earlier run created: its value must be in the store."""
    facts = {"old": succession.old_token_id, "token": succession.new_token_id, "succession": succession.id}
    base = replace(task.draft_outcome(), token_id=succession.new_token_id, succession=succession)
    reason = "it contains no value"
    for place in task.readers:
        value = read_stored(place.read)
        if value is None:
            continue
        fingerprint = task.api.compute_fingerprint(value)
        look = task.api.list_tokens(task.api.make_credential(value))
        row = look.find_row(fingerprint)
        if row is not None and row.id == succession.new_token_id:
            base = replace(base, row=row, fingerprint=fingerprint, stored_in=task.store.name)
            return base.end(Ending.SUCCESSOR_EXISTS, **facts)
        reason = look.reason if look.access is not Access.WORKS else f"{place.name} contains another token's value"
    return base.end(Ending.SUCCESSOR_ELSEWHERE, store=task.store.name, reason=reason, **facts)


def open_succession(task: Task, replacement: Replacement, proved: Outcome) -> None:
    """Record the succession of a successor that works and is stored; CannotWrite where it cannot be recorded."""
    if proved.token_id is None or replacement.old is None:
        raise CannotWrite("Credly does not show the id of the new token")
    now = datetime.now(UTC)
    named = tuple(Switch(each.name, each.contact) for each in replacement.consumers)
    succession = Succession(
        token_hex(4),
        task.organization.id,
        task.organization.called,
        replacement.old.id,
        proved.token_id,
        task.description or "",
        task.store.name,
        now,
        now + replacement.due,
        now,
        named or (Switch(ALL_CONSUMERS, task.organization.contact),),
    )
    replacement.records.save(succession)
    replacement.succession = succession


def switch_consumers(task: Task, replacement: Replacement, succession: Succession, outcome: Outcome) -> Outcome:
    """Switch the consumers in their order, unless the successor may do less than the old token."""
    outcome = replace(outcome, succession=succession)
    lacking = list_lacking(replacement.old, outcome.row)
    if lacking:
        return outcome.end(Ending.SUCCESSOR_NARROWER, lacking=" and ".join(lacking), token=succession.new_token_id)
    value = next((held for place in task.readers if (held := read_stored(place.read)) is not None), None)
    consumers = {each.name: each for each in replacement.consumers}
    for switch in succession.waiting:
        consumer = consumers.get(switch.consumer)
        if consumer is None or value is None:
            continue
        for state, reason in switch_consumer(replacement, succession, consumer, switch, value):
            succession = succession.set_switch(consumer.name, state, datetime.now(UTC), reason)
            try:
                replacement.records.save(succession)
            except CannotWrite as error:
                return replace(outcome, succession=succession).end(Ending.STATE_NOT_RECORDED, reason=error)
    return end_switching(replace(outcome, succession=succession), succession)


def list_lacking(old: TokenRow | None, new: TokenRow | None) -> list[str]:
    """Return the permissions that the old token is known to have and the new one is not."""
    if old is None:
        return []
    return [
        name
        for name in PERMISSIONS
        if getattr(old, f"{name}_enabled") and not (new is not None and getattr(new, f"{name}_enabled"))
    ]


def switch_consumer(
    replacement: Replacement, succession: Succession, consumer: Consumer, switch: Switch, value: Secret
) -> Iterator[tuple[SwitchState, str | None]]:
    """Deploy the value to one consumer and verify it; yield each state that it reaches, and why it failed."""
    if consumer.deploy is None:
        return  # a person switches it, and confirms it
    if switch.state is not SwitchState.DEPLOYED:
        deploy = ProgramSource().store(consumer.deploy.partition(":")[2], replacement.folder, replacement.environ)
        try:
            deploy.write(value)
        except StoreFailed as error:
            yield SwitchState.FAILED, f"deploy: {error}"
            return
        yield SwitchState.DEPLOYED, None
    if consumer.verify is not None:
        trouble = verify_consumer(consumer, succession, replacement.folder, replacement.environ)
        yield (SwitchState.CONFIRMED, None) if trouble is None else (SwitchState.FAILED, f"verify: {trouble}")


def verify_consumer(consumer: Consumer, succession: Succession, folder: Path, environ: Mapping[str, str]) -> str | None:
    """Run the program that shows whether a consumer works with the new token; return why it does not."""
    if consumer.verify is None:
        return None
    command = ProgramSource().store(consumer.verify.partition(":")[2], folder, environ)
    facts = {
        "CREDLY_AUDIT_ORGANIZATION": succession.organization_id,
        "CREDLY_AUDIT_TOKEN_ID": succession.new_token_id,
        "CREDLY_AUDIT_OLD_TOKEN_ID": succession.old_token_id,
        "CREDLY_AUDIT_CONSUMER": consumer.name,
    }
    try:
        run_to_end(command.words, command.folder, {**environ, **facts})
    except StoreFailed as error:
        return str(error)
    return None


def end_switching(outcome: Outcome, succession: Succession) -> Outcome:
    """Return the outcome of a succession whose consumers are switched as far as they could be."""
    failed = [each for each in succession.waiting if each.state is SwitchState.FAILED]
    if failed:
        reasons = "; ".join(f"{each.consumer} was not switched: {each.reason}" for each in failed)
        return outcome.end(Ending.SWITCH_FAILED, failed=reasons)
    old = succession.old_token_id
    if succession.waiting:
        waiting = ", ".join(each.consumer for each in succession.waiting)
        many = count(len(succession.waiting), "consumer is", "consumers are")
        return outcome.end(Ending.SWITCH_OPEN, many=many, waiting=waiting, old=old)
    return outcome.end(Ending.REPLACED, old=old)
