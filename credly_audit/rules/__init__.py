"""The catalogue: every rule declared in a module of this package, and those of other packages.

Another package adds rules by an entry point of the group `credly_audit.rules` that names a module, or one rule:

    [project.entry-points."credly_audit.rules"]
    acme = "acme_rules"
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType
from typing import Any

from credly_audit.errors import BrokenRule, UsageError
from credly_audit.rules.declare import FAMILIES, Rule
from credly_audit.rules.guard import Failure, contain

GROUP = "credly_audit.rules"


def catalogue() -> Mapping[str, Rule]:
    """Return every rule by its id, family by family, other packages' families last; nothing can be changed in it.

    What could not be loaded is not in it: `find_unloadable` says why, and `require_all_rules` insists on it.
    """
    return _loaded()[0]


def unloadable() -> Mapping[str, str]:
    """Return why other packages' rules could not be loaded, by what offers them; empty where all is well."""
    return _loaded()[1]


def may_be_unloadable(name: str) -> bool:
    """Whether an unknown rule or family may be one of those that could not be loaded."""
    return bool(unloadable()) and re.fullmatch(r"[A-Z]{3}([0-9]{3})?", name) is not None


def require_all_rules(advice: str = "") -> None:
    """Raise BrokenRule, with the advice, where another package's rules could not be loaded."""
    if unloadable():
        reasons = "; ".join(f"{called} {reason}" for called, reason in unloadable().items())
        raise BrokenRule(f"{reasons}; fix or uninstall it{advice}")


def refuse_packages() -> None:
    """Raise UsageError where other packages add rules; none of their code is run to find out."""
    if called := ", ".join(sorted(_called(point) for point in entry_points(group=GROUP))):
        raise UsageError(
            f"--untrusted: rules of other packages are installed ({called}), whose code would run; use an environment "
            "without them"
        )


def built_in() -> list[Rule]:
    """The rules of this package."""
    return list(_built_in().values())


def is_built_in(rule: Rule) -> bool:
    """Whether a rule is one of this package, as it is declared there."""
    return _built_in().get(rule.id) is rule


@cache
def _built_in() -> dict[str, Rule]:
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {rule.id: rule for module in modules for rule in _rules_in(module)}


@cache
def _loaded() -> tuple[Mapping[str, Rule], Mapping[str, str]]:
    found = dict(_built_in())
    reasons: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            with contain():
                rules = list(_rules_in(point.load()))
        except Failure as failure:
            reasons[_called(point)] = f"cannot be loaded: {failure}"
            continue
        added = {rule.id: rule for rule in rules}
        taken = next((rule.id for rule in rules if (added | found)[rule.id] is not rule), None)
        if taken:
            reasons[_called(point)] = f"has a rule {taken}, but that id is taken; give it another"
        elif not rules:
            reasons[_called(point)] = "names no rule; it has to name a module with rules, or one rule"
        found |= {} if _called(point) in reasons else added
    families = {family: place for place, family in enumerate(FAMILIES)}
    ordered = sorted(found.values(), key=lambda rule: (families.get(rule.family, len(families)), rule.id))
    return MappingProxyType({rule.id: rule for rule in ordered}), MappingProxyType(reasons)


def _rules_in(loaded: Any) -> Iterator[Rule]:
    values = vars(loaded).values() if isinstance(loaded, ModuleType) else [loaded]
    return (value for value in values if isinstance(value, Rule))


def _called(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unknown package"
    return f"entry point {point.name} of {package}"
