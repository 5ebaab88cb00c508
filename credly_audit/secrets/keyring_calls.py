"""Asks the system's keyring in a process of its own: one that waits, prints or exits costs a look-up, not the audit."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from credly_audit import programs

WAY_OUT = "is the keyring unlocked?"

FAILED = {"get": "cannot be read", "set": "could not be written", "delete": "could not be removed"}


class KeyringTrouble(Exception):  # noqa: N818 - named as it is told
    """A call to the keyring came to nothing; the message is the end of a sentence, and holds no value."""


def get(service: str, user: str, *, patience: float, most: int) -> str | None:
    """Return the entry; None where there is none."""
    value = _call({"action": "get", "service": service, "user": user}, patience, most)
    if value is not None and len(value.encode("utf-8", "surrogatepass")) > most:
        raise KeyringTrouble(_too_much(most))
    return value


def put(service: str, user: str, value: str, *, patience: float) -> None:
    """Make or replace the entry."""
    _call({"action": "set", "service": service, "user": user, "value": value}, patience)


def remove(service: str, user: str, *, patience: float) -> None:
    """Remove the entry."""
    _call({"action": "delete", "service": service, "user": user}, patience)


def _call(request: Mapping[str, str], patience: float, most: int = 1 << 10) -> str | None:
    try:
        done = programs.run(
            [sys.executable, "-P", "-m", "credly_audit.secrets.keyring_process"],
            Path(os.sep),
            _environment(),
            patience=patience,
            given=json.dumps(request).encode(),
            most=most * len("\\u0000") + 100,
        )
    except programs.TooMuch:
        raise KeyringTrouble(_too_much(most)) from None
    except subprocess.TimeoutExpired:
        raise KeyringTrouble(f"did not answer within {patience:.0f} seconds; {WAY_OUT}") from None
    except OSError as error:
        raise KeyringTrouble(f"cannot be asked ({error.strerror})") from None
    return _understood(done, request["action"])


def _environment() -> dict[str, str]:
    """What the keyring needs of this process: where it is (D-Bus, HOME), and where Python finds the same packages."""
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(str(Path(each).absolute()) for each in sys.path)}


def _understood(done: programs.Done, action: str) -> str | None:
    try:
        answer: dict[str, Any] = json.loads(done.output)
    except ValueError:
        raise KeyringTrouble(f"{FAILED[action]} (it ended with exit status {done.status}); {WAY_OUT}") from None
    if error := answer.get("error"):
        raise KeyringTrouble(f"{FAILED[action]} ({error}); {WAY_OUT}")
    value = answer["value"]
    if value is not None and not isinstance(value, str):
        raise KeyringTrouble("gave something other than text")
    return value


def _too_much(most: int) -> str:
    return f"gave more than {most >> 10} KiB, which is no secret"
