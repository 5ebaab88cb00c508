"""The catalogue: every rule declared in a module of this package."""

import importlib
import pkgutil
from functools import cache

from credly_audit.rules.declare import FAMILIES, Rule


@cache
def catalogue() -> dict[str, Rule]:
    """Every rule by its id, family by family."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    rules = [value for module in modules for value in vars(module).values() if isinstance(value, Rule)]
    families = list(FAMILIES)
    return {rule.id: rule for rule in sorted(rules, key=lambda rule: (families.index(rule.family), rule.id))}
