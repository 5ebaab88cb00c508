"""Audit the authorization tokens of Credly organizations.

The public names (docs/api.md) are loaded when they are first used, so that importing the package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from credly_audit.library import (
        Audit,
        AuditError,
        ConfigurationError,
        Settings,
        Snapshot,
        UsageError,
        collect,
        evaluate,
        open_snapshot,
        read_settings,
        render,
        save_snapshot,
    )

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "AuditError",
    "ConfigurationError",
    "Settings",
    "Snapshot",
    "UsageError",
    "collect",
    "evaluate",
    "open_snapshot",
    "read_settings",
    "render",
    "save_snapshot",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'credly_audit' has no attribute {name!r}")
    from credly_audit import library  # noqa: PLC0415 - loads pandas

    return getattr(library, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
