"""The optional extras: what needs one that is not installed says so before anything is asked of Credly."""

import importlib.util

from credly_audit.errors import UsageError

MODULES = {"keyring": "keyring", "notify": "apprise", "postgresql": "psycopg", "sign": "securesystemslib"}
"""The extras of pyproject.toml, and the module that each brings."""


class MissingExtra(UsageError):  # noqa: N818 - named as it is told
    """An extra is needed and not installed."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(f"{what} needs the extra: pip install 'credly-audit[{extra}]'")


def must_have(extra: str, what: str) -> None:
    """MissingExtra, which names the extra and `what` needs it, where it is not installed."""
    if importlib.util.find_spec(MODULES[extra]) is None:
        raise MissingExtra(extra, what)
