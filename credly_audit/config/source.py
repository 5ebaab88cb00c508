"""A TOML file as a person wrote it, so that every mistake in it can be told with its line."""

import tomllib
from pathlib import Path
from typing import Any

from credly_audit.config.lines import lines, nearest
from credly_audit.config.mistakes import Location
from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.places import BadPath, local_path


class Source:
    """The file as it stands, for its values and for the places of its mistakes."""

    def __init__(self, path: Path, hint: str = "name the configuration file with -c") -> None:
        """UsageError, with the hint, where there is no such file; ConfigurationError where it is no TOML."""
        self.path = path
        self.mistakes: list[str] = []
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            raise ConfigurationError([f"{path}: is not UTF-8; save it as UTF-8"]) from None
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
