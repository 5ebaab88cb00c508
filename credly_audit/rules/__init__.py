"""The catalogue: every rule declared in a module of this package, and those of other packages.

Another package adds rules by an entry point of the group `credly_audit.rules` that names a module, or one rule:

    [project.entry-points."credly_audit.rules"]
    acme = "acme_rules"
"""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from credly_audit.errors import BrokenRule
from credly_audit.rules.declare import FAMILIES, Rule

GROUP = "credly_audit.rules"


@cache
def catalogue() -> dict[str, Rule]:
    """Every rule by its id, family by family, those of other packages' families last.

    BrokenRule where another package's rules cannot be loaded, or take an id that is taken.
    """
    found = {rule.id: rule for rule in built_in()}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        for rule in _of_package(point):
            if found.get(rule.id, rule) is not rule:
                raise BrokenRule(f"{_called(point)} has a rule {rule.id}, but that id is taken; give it another")
            found[rule.id] = rule
    families = {family: place for place, family in enumerate(FAMILIES)}
    return {rule.id: rule for rule in sorted(found.values(), key=lambda rule: (families.get(rule.family, 99), rule.id))}


def built_in() -> list[Rule]:
    """The rules of this package."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return [rule for module in modules for rule in _rules_in(module)]


def _of_package(point: EntryPoint) -> list[Rule]:
    try:
        loaded = point.load()
    except Exception as error:  # another package's code: whatever it raises, its rules are not to be had
        raise BrokenRule(
            f"{_called(point)} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall it"
        ) from error
    rules = list(_rules_in(loaded))
    if not rules:
        raise BrokenRule(f"{_called(point)} names no rule; it has to name a module with rules, or one rule")
    return rules


def _rules_in(loaded: Any) -> Iterator[Rule]:
    values = vars(loaded).values() if isinstance(loaded, ModuleType) else [loaded]
    return (value for value in values if isinstance(value, Rule))


def _called(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unknown package"
    return f"entry point {point.name} of {package}"
