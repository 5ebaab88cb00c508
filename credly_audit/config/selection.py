"""Select organizations by what a person types: an id, or a name that only one organization has."""

import difflib
from collections.abc import Sequence

from credly_audit.errors import UsageError
from credly_audit.secrets.shape import mask_shapes
from credly_audit.text import fold, one_line

Names = Sequence[tuple[str, str | None]]
"""Organizations, each by its id and name; an organization may stand there by several names."""


def select_by_id(wanted: Sequence[str], known: Names, *, lacking: str) -> list[str]:
    """Return the ids that were typed, in any case; UsageError for another word, with the id of a name."""
    ids = {organization_id for organization_id, _ in known}
    for each in wanted:
        if each.lower() not in ids:
            owners = _find_by_name(each, known)
            hint = f"; write the id: {_list(owners, known)}" if owners else _suggest_name(each, known)
            raise UsageError(f"--organization {one_line(each)}: {lacking}{hint}")
    return list(dict.fromkeys(each.lower() for each in wanted))


def select_by_id_or_name(wanted: Sequence[str], known: Names, *, lacking: str) -> list[str]:
    """Return the id of each organization that was typed; UsageError for a name that none or several have."""
    ids = {organization_id for organization_id, _ in known}
    found = (each.lower() if each.lower() in ids else _select_by_name(each, known, lacking) for each in wanted)
    return list(dict.fromkeys(found))


def _select_by_name(name: str, known: Names, lacking: str) -> str:
    found = _find_by_name(name, known)
    if not found:
        raise UsageError(f"--organization {one_line(name)}: {lacking}{_suggest_name(name, known)}")
    if len(found) > 1:
        raise UsageError(
            f"--organization {one_line(name)}: {len(found)} organizations have this name; write the id: "
            f"{', '.join(found)}"
        )
    return found[0]


def _find_by_name(name: str, known: Names) -> list[str]:
    """Return the ids of the organizations that have this name exactly, else of those that have it in another case."""
    exact = [organization_id for organization_id, theirs in known if theirs == name]
    folded = [organization_id for organization_id, theirs in known if theirs and fold(theirs) == fold(name.strip())]
    return list(dict.fromkeys(exact or folded))


def _suggest_name(typed: str, known: Names) -> str:
    """Return the nearest id or name as a question, or nothing where none is near."""
    owners = {word: each for each in known for word in (each[0], fold(each[1] or "")) if word}
    near = difflib.get_close_matches(fold(typed), owners, 1)
    return f"; did you mean {_list([owners[near[0]][0]], known)}?" if near else ""


def _list(ids: Sequence[str], known: Names) -> str:
    """Return ids with their names: `ID (Acme)`."""
    names = {organization_id: name for organization_id, name in reversed(known) if name}
    return ", ".join(f"{each} ({one_line(mask_shapes(names.get(each, each)), 60)})" for each in ids)
