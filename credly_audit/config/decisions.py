"""The decisions of a configuration, written in it or in a file of their own, held against what the policy asks."""

from pathlib import Path

from pydantic import ValidationError

from credly_audit.config.decision_models import Decision, Plan, Waiver
from credly_audit.config.mistakes import describe_mistakes
from credly_audit.config.settings import Model, PolicySettings, Settings
from credly_audit.config.source import Source
from credly_audit.errors import ConfigurationError
from credly_audit.text import fold

Placed = tuple[Decision, Source, str, int]
"""A decision, the file and the list that it stands in, and its position there."""


class DecisionsFile(Model):
    """The file that `[policy] waivers_file` names."""

    waivers: tuple[Waiver, ...] = ()
    plans: tuple[Plan, ...] = ()


def read_configured_decisions(
    source: Source, settings: Settings | None, *, file_needed: bool = True
) -> tuple[tuple[Waiver, ...], tuple[Plan, ...], dict[str, str]]:
    """All waivers and plans, and where each stands; mistakes are noted in `source`, those of their own file anyway."""
    path = source.named_file("policy", "waivers_file")
    theirs: list[Placed] = []
    if path is not None and path.is_file():
        theirs = _read_file(source, path)
    elif path is not None and file_needed:
        source.mistake(("policy", "waivers_file"), f"policy.waivers_file: file {path} does not exist")
    if settings is None:
        return (), (), {}
    placed = [*_add_places(source, settings), *theirs]
    waivers, plans = _list_valid(placed, source, settings.policy)
    return waivers, plans, {decision.id: _place(of, name, position) for decision, of, name, position in placed}


def read_decisions(path: Path, policy: PolicySettings) -> tuple[tuple[Waiver, ...], tuple[Plan, ...]]:
    """A decisions file alone; ConfigurationError with every mistake in it."""
    source = Source(path, "name the file with the decisions")
    placed = _read_file(source, path)
    waivers, plans = _list_valid(placed, source, policy)
    if source.mistakes:
        raise ConfigurationError(source.mistakes)
    return waivers, plans


def _list_valid(
    placed: list[Placed], source: Source, policy: PolicySettings
) -> tuple[tuple[Waiver, ...], tuple[Plan, ...]]:
    """The decisions as waivers and plans; what the policy has against them is noted in `source`."""
    source.mistakes += [f"{place}: {sentence}" for place, sentence in faults(placed, policy)]
    decisions = [decision for decision, *_ in placed]
    return (
        tuple(each for each in decisions if isinstance(each, Waiver)),
        tuple(each for each in decisions if isinstance(each, Plan)),
    )


def _read_file(source: Source, path: Path) -> list[Placed]:
    """What a file of their own holds; its mistakes are noted in `source`."""
    try:
        own = Source(path)
    except ConfigurationError as error:
        source.mistakes += error.mistakes
        return []
    try:
        return _add_places(own, DecisionsFile.model_validate(own.raw))
    except ValidationError as error:
        for location, sentence in describe_mistakes(error, DecisionsFile):
            own.mistake(location, sentence)
        source.mistakes += own.mistakes
        return []


def _add_places(source: Source, settings: Settings | DecisionsFile) -> list[Placed]:
    lists: dict[str, tuple[Decision, ...]] = {"waivers": settings.waivers, "plans": settings.plans}
    return [
        (decision, source, name, position)
        for name, decisions in lists.items()
        for position, decision in enumerate(decisions)
    ]


def faults(placed: list[Placed], policy: PolicySettings) -> list[tuple[str, str]]:
    """Where and what is wrong with decisions that are well written: who approved, how long they hold, one twice."""
    found = []
    seen: dict[str, str] = {}
    approvers = {fold(approver) for approver in policy.approvers}
    for decision, source, name, position in placed:
        place = _place(source, name, position)
        called = f"{name}[{position + 1}]"
        if isinstance(decision, Waiver):
            found += [(place, f"{called}.{fault}") for fault in find_waiver_faults(decision, approvers, policy)]
        if decision.id in seen:
            found.append(
                (
                    place,
                    f"{called}: the same id as {seen[decision.id]}; change that decision, or give this one another id",
                )
            )
        seen.setdefault(decision.id, place)
    return found


def _place(source: Source, name: str, position: int) -> str:
    return f"{source.path}:{source.line((name, position))}"


def find_waiver_faults(waiver: Waiver, approvers: set[str], policy: PolicySettings) -> list[str]:
    """What the policy has against a waiver; `approvers` are folded, none: anybody may approve."""
    found = []
    if approvers and fold(waiver.approved_by) not in approvers:
        found.append(
            f"approved_by: {waiver.approved_by} is not one of [policy] approvers: {', '.join(policy.approvers)}"
        )
    days = (waiver.expires - waiver.approved_on).days
    if days > policy.max_waiver_days:
        found.append(
            f"expires: {days} days after it was approved; [policy] max_waiver_days allows {policy.max_waiver_days}"
        )
    return found
