"""A TOML file as a person wrote it, so that every mistake in it can be told with its line."""

import codecs
import tomllib
from pathlib import Path
from typing import Any

from credly_audit.config.lines import lines, nearest
from credly_audit.config.mistakes import Location
from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.files.paths import BadPath, local_path

DEFAULT_CONFIG = Path("credly-audit.toml")
"""The configuration file where a command names none."""

OTHERS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # begins as that of UTF-16 does
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""The byte order marks of other encodings than UTF-8."""


class Source:
    """The file as it stands, for its values and for the places of its mistakes."""

    def __init__(self, path: Path, hint: str = "name the configuration file with -c") -> None:
        """UsageError, with the hint, where there is no such file; ConfigurationError where it is no TOML."""
        self.path = path
        self.mistakes: list[str] = []
        try:
            text = _decode(path.read_bytes())
        except UnicodeDecodeError as error:
            raise ConfigurationError([f"{path}: is {error.reason}; save it as UTF-8"]) from None
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror}); {hint}") from None
        try:
            self.raw: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            what, _, place = str(error).partition(" (at line ")
            line = f":{place.split(',')[0]}" if place else ""
            raise ConfigurationError([f"{path}{line}: not TOML: {what}"]) from None
        self._lines = lines(text)

    def line(self, location: Location) -> int | None:
        """The line where a key stands."""
        return nearest(self._lines, location)

    def named_file(self, *keys: str) -> Path | None:
        """The file that a key names, whatever else is wrong here; None where it names none that can be."""
        value: Any = self.raw
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        try:
            return local_path(value, self.path.parent) if isinstance(value, str) else None
        except BadPath:
            return None  # the settings say so

    def mistake(self, location: Location, sentence: str) -> None:
        """Note what is wrong, with its place."""
        line = self.line(location)
        self.mistakes.append(f"{self.path}{f':{line}' if line else ''}: {sentence}")


def _decode(content: bytes) -> str:
    """The text of UTF-8, with or without the byte order mark that Windows programs put first.

    UnicodeDecodeError, with the encoding as far as it can be told, for any other.
    """
    for mark, name in OTHERS.items():
        if content.startswith(mark):
            raise UnicodeDecodeError("utf-8", content, 0, len(mark), f"{name} and not UTF-8")
    if b"\0" in content[:4]:
        raise UnicodeDecodeError("utf-8", content, 0, 4, "UTF-16 and not UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnicodeDecodeError("utf-8", content, error.start, error.end, "not UTF-8") from None
