"""Packages with sources of secrets, as pip leaves them: a module, and the metadata that names its entry points."""

from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from credly_audit.secrets.sources import GROUP, load_package_sources

READS = """
class Source:
    def check(self, place):
        if "/" in place:
            raise SourceError("must be a name without a slash")

    def read(self, place):
        path = Path(FOLDER, place)
        return path.read_text() if path.exists() else None
"""

STORES = """
    def write(self, place, value):
        Path(FOLDER, place).write_text(value)

    def try_write(self, place):
        Path(FOLDER, "trial").write_text("a trial")
"""


class Install(Protocol):
    """Installs a package whose class `Source` is the source of a prefix; returns the file that importing it leaves."""

    def __call__(self, code: str, *, package: str = "acme-secrets", prefix: str = "acme") -> Path: ...


def installer(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Install:
    """Return what installs packages for one test; the sources write to the folder."""
    return partial(_install, monkeypatch, folder)


def _install(
    monkeypatch: pytest.MonkeyPatch, folder: Path, code: str, *, package: str = "acme-secrets", prefix: str = "acme"
) -> Path:
    site, module = folder / package, package.replace("-", "_")
    trace = folder / f"{package}-was-imported"
    metadata = site / f"{module}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{prefix} = {module}:Source\n")
    head = (
        "import os, sys, time\nfrom pathlib import Path\nfrom credly_audit.secrets.plugin import SourceError\n"
        f"FOLDER = {str(folder)!r}\nopen({str(trace)!r}, 'w').close()\n"
    )
    (site / f"{module}.py").write_text(head + code)
    monkeypatch.syspath_prepend(site)
    load_package_sources.cache_clear()
    return trace
