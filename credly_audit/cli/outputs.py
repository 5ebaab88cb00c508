"""Where the reports of an audit go, decided and tried before anything is asked of Credly."""

import hashlib
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from credly_audit.audit import Audit
from credly_audit.errors import UsageError
from credly_audit.files import file_can_be_written, must_be_writable, written_whole
from credly_audit.manifest import STANDARD_OUTPUT, SUFFIX, Sources, write_manifest
from credly_audit.parts import parts
from credly_audit.redaction import Redactor
from credly_audit.renderers.base import Render, renderer

DEFAULT_FORMATS = ("html", "xlsx", "json")


@dataclass(slots=True)
class Written:
    """What was written: `paths`, in the order of asking, and by format the report of the whole audit."""

    paths: list[Path] = field(default_factory=list)
    reports: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The reports asked for: `formats` in `folder`, `elsewhere` at paths of their own.

    With `manifest`, what the audit is judged from, a manifest of them all is written beside those in `folder`.
    """

    formats: tuple[str, ...]
    elsewhere: tuple[tuple[str, str], ...]
    folder: Path
    overwrite: bool
    with_snapshot: bool
    manifest: Sources | None = None
    split_by: str | None = None

    @classmethod
    def asked(
        cls,
        formats: Sequence[str],
        outputs: Sequence[tuple[str, str]],
        folder: Path,
        *,
        overwrite: bool,
        with_snapshot: bool,
        manifest: Sources | None = None,
        split_by: str | None = None,
    ) -> "Outputs":
        """What the options say; UsageError where two reports have one place or a place cannot be written."""
        chosen = tuple(dict.fromkeys(formats)) or (() if outputs else DEFAULT_FORMATS)
        spoken = tuple((name, STANDARD_OUTPUT) for name in chosen if renderer(name).speaks)
        chosen = tuple(name for name in chosen if not renderer(name).speaks)
        outputs = (*outputs, *spoken)
        places = [path for _, path in outputs]
        for path in places:
            if places.count(path) > 1:
                place = "standard output" if path == STANDARD_OUTPUT else path
                raise UsageError(f"--output: two reports go to {place}; give each a place of its own")
        for path in places:
            if path != STANDARD_OUTPUT:
                file_can_be_written(Path(path), "--output")
        if chosen or manifest is not None:
            must_be_writable(folder)
        if split_by and not chosen:
            raise UsageError("--split-by: there is nothing to split; name a --format that goes to --output-dir")
        return cls(chosen, outputs, folder, overwrite, with_snapshot and bool(chosen), manifest, split_by)

    @property
    def to_standard_output(self) -> bool:
        """Whether a report goes to standard output, so that nothing else may."""
        return any(path == STANDARD_OUTPUT for _, path in self.elsewhere)

    def write(self, audit: Audit, redactor: Redactor) -> Written:
        """Write every report, each whole or not at all; the redactor is for what the manifest copies."""
        written = Written()
        told = []
        stem = self._stem(audit)
        if self.with_snapshot:
            written.paths.append(self.folder / f"{stem}.snapshot")
            audit.snapshot.write(written.paths[-1])
        for name in self.formats:
            written.reports[name] = self._path(name, stem, audit)
            _write(audit, name, written.reports[name], written.paths)
        for part in parts(audit, self.split_by) if self.split_by else ():
            for name in self.formats:
                _write(part.audit, name, self._path(name, stem, part.audit), written.paths)
        for name, place in self.elsewhere:
            if place == STANDARD_OUTPUT:
                told.append(_tell(audit, renderer(name).render))
                continue
            written.reports.setdefault(name, Path(place))
            _write(audit, name, Path(place), written.paths)
        if self.manifest is not None:
            path = self.folder / f"{stem}{SUFFIX}"
            write_manifest(path, audit, self.manifest.redacted(redactor), written.paths, told)
            written.paths.append(path)
        return written

    def _path(self, name: str, stem: str, audit: Audit) -> Path:
        """Return where a report goes. Only the complete audit's may have a name without a date, which others poll."""
        chosen, part = renderer(name), audit.part
        if part is None:
            base = stem if chosen.dated else "credly-audit"
        else:
            base = stem if part.kind == "subset" else f"{stem}-{part.name}"
        return self.folder / f"{base}{chosen.suffix}"

    def _stem(self, audit: Audit) -> str:
        """The name that no earlier audit's file has, unless those may be replaced."""
        stem = f"credly-audit-{audit.as_of:%Y-%m-%d}{'' if audit.part is None else '-subset'}"
        if self.overwrite or not self._taken(stem, audit):
            return stem
        stem = f"{stem}-{audit.generated_at:%H%M%S}"
        later = [stem, *(f"{stem}-{number}" for number in range(2, 1_000))]
        return next(name for name in later if not self._taken(name, audit))

    def _taken(self, stem: str, audit: Audit) -> bool:
        paths = [
            path
            for name in self.formats
            if renderer(name).dated or audit.part
            for path, _ in _with_those_beside(name, self._path(name, stem, audit))
        ]
        kept = [self.folder / f"{stem}{suffix}" for suffix in (".snapshot", SUFFIX)]
        return any(path.exists() for path in [*paths, *kept])


class _Digesting(io.RawIOBase):
    """Passes on what is written, and digests it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._out.write(data)


def _tell(audit: Audit, render: Render) -> str:
    """Write a report to standard output; its SHA-256."""
    out = _Digesting(sys.stdout.buffer)
    render(audit, cast("BinaryIO", out))
    sys.stdout.buffer.flush()
    return out.digest.hexdigest()


def _write(audit: Audit, name: str, path: Path, written: list[Path]) -> None:
    for target, render in _with_those_beside(name, path):
        with written_whole(target) as file:
            render(audit, file)
        written.append(target)


def _with_those_beside(name: str, path: Path) -> Iterator[tuple[Path, Render]]:
    chosen = renderer(name)
    yield path, chosen.render
    for suffix, render in chosen.beside.items():
        yield path.with_name(path.name.removesuffix(path.suffix) + suffix), render
