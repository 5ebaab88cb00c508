"""`PREFIX:PLACE` of another package: a source that an entry point offers."""

from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

from credly_audit.errors import UsageError
from credly_audit.secrets.plugin import SourceError, SourcePlugin
from credly_audit.secrets.sources.interface import SecretStore
from credly_audit.secrets.sources.isolated import CallFailed, IsolatedSource, describe_reason


class PackageSource(IsolatedSource):
    """A source of another package; only the other process imports the package."""

    form = "…"
    can_store = True  # whether it really can is known when it is checked
    runs_code = True

    def __init__(self, point: EntryPoint) -> None:
        self.prefix = point.name
        self.origin = f"the package {name_package(point)}"
        self._point = point
        self._is_store: bool | None = None

    def find_mistake(self, place: str) -> str | None:
        """Refuse what is an address (`PREFIX://…`) and no reference."""
        return "is an address, not a reference to a secret" if place.startswith("//") else None

    def check(self, places: Collection[str], folder: Path) -> None:
        """Let the plug-in check places; UsageError where it cannot be loaded, or says that one is wrong."""
        stripped = [place.strip() for place in places]
        try:
            answer = self.call("check", {"places": stripped}, folder)
        except CallFailed as error:
            raise UsageError(f"the source {self.prefix}: of {self.origin} {error}; correct or uninstall it") from None
        self._is_store = answer["can_store"]
        mistakes = [f"{self.mask(place)} {describe_reason(text)}" for place, text in answer["mistakes"].items()]
        if mistakes:
            raise UsageError("; ".join(mistakes))

    def store(self, place: str, folder: Path, environ: Mapping[str, str]) -> SecretStore | None:
        """Return the place as a store; None where the plug-in can only read."""
        if self._is_store is None:
            self.check([place], folder)
        return super().store(place, folder, environ) if self._is_store else None

    def load(self) -> SourcePlugin:
        """Import the package and return its plug-in; SourceError where it is none."""
        loaded = self._point.load()
        plugin = loaded() if isinstance(loaded, type) else loaded
        if not isinstance(plugin, SourcePlugin):
            raise SourceError("it has no functions check(place) and read(place)")
        return plugin


def name_package(point: EntryPoint) -> str:
    """Return the name of the package that an entry point belongs to."""
    return point.dist.name if point.dist else "without a name"
