"""The sources of secrets: one class each, listed once here; other packages add theirs as entry points."""

import re
from collections import Counter
from functools import cache
from importlib.metadata import entry_points

from credly_audit.errors import UsageError
from credly_audit.secrets.sources.environment import EnvironmentSource
from credly_audit.secrets.sources.file import FileSource
from credly_audit.secrets.sources.interface import SecretSource
from credly_audit.secrets.sources.keyring import KeyringSource
from credly_audit.secrets.sources.package import PackageSource, name_package
from credly_audit.secrets.sources.program import ProgramSource
from credly_audit.secrets.sources.systemd import SystemdSource

GROUP = "credly_audit.secret_sources"

_SOURCES = (EnvironmentSource(), FileSource(), ProgramSource(), KeyringSource(), SystemdSource())

BUILT_IN: dict[str, SecretSource] = {source.prefix: source for source in _SOURCES}
"""The sources of this package by prefix, in the order in which help and documentation name them."""

PREFIX = re.compile(r"[a-z][a-z0-9-]*")


def find_source(prefix: str) -> SecretSource | None:
    """Return the source of a prefix; None where neither this package nor another has it.

    UsageError where another package offers a prefix that is taken. Nothing of another package is imported.
    """
    added = load_package_sources()
    return BUILT_IN.get(prefix) or added.get(prefix)


@cache
def load_package_sources() -> dict[str, PackageSource]:
    """Return the sources of other packages by prefix, none of them imported yet.

    UsageError, naming package and prefix, where two would have one prefix, or where a prefix can be none.
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name, name_package(point)))
    names = Counter(point.name for point in points)
    for point in points:
        package = name_package(point)
        if point.name in BUILT_IN:
            raise UsageError(
                f"package {package} offers the prefix {point.name}: for secrets, which is built in and cannot be "
                "replaced; uninstall that package, or change its prefix"
            )
        if names[point.name] > 1:
            both = " and ".join(name_package(each) for each in points if each.name == point.name)
            raise UsageError(f"packages {both} offer the same prefix {point.name}: for secrets; uninstall one of them")
        if not PREFIX.fullmatch(point.name):
            raise UsageError(
                f"package {package} offers the prefix {point.name!r} for secrets, which is not valid (a lowercase "
                "letter, then lowercase letters, digits and hyphens); uninstall that package, or change its prefix"
            )
    return {point.name: PackageSource(point) for point in points}
