"""The destinations of an audit's reports, chosen and tried before the first request to Credly."""

import hashlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from credly_audit.audit.model import Audit
from credly_audit.audit.prior import PriorManifest
from credly_audit.audit.split import split_audit
from credly_audit.errors import AuditError, CannotWrite, HistoryLost, UsageError, without_values
from credly_audit.files.destinations import file_can_be_written, must_be_writable, place_of
from credly_audit.files.streams import trouble_of
from credly_audit.files.writing import OWNER_ONLY, replace_file, write_file
from credly_audit.instants import iso_day
from credly_audit.manifest.contents import STANDARD_OUTPUT, SUFFIX, Sources, collect_contents, write_document
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.sign_manifest import ManifestSigner
from credly_audit.renderers.base import Render, renderer
from credly_audit.secrets.redaction import Redactor

DEFAULT_FORMATS = ("html", "xlsx", "json")


@dataclass(slots=True)
class Written:
    """The reports that were written and those that could not be.

    `paths` are files, in the order of asking; `reports` are those of the whole audit by format; `digests` are of what
    went to standard output, a pipe or a device; `failed` holds a sentence for each report that is missing; `chained` is
    the signed manifest that the next audit's is to name, where there is one.
    """

    paths: list[Path] = field(default_factory=list)
    reports: dict[str, Path] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    chained: PriorManifest | None = None

    @contextmanager
    def attempt(self, what: object) -> Iterator[None]:
        """Record the failure of one report, which must not affect the others."""
        try:
            yield
        except (CannotWrite, HistoryLost) as error:
            self.failed.append(str(error))
        except AuditError as error:
            self.failed.append(f"{what}: could not be written ({error})")
        except MemoryError:
            self.failed.append(f"{what}: could not be written (there is not enough memory)")
        except Exception as error:  # noqa: BLE001 - whatever a renderer raises
            said = f"unexpected error: {without_values(error)}; please report it"
            self.failed.append(f"{what}: could not be written ({said})")


@dataclass(frozen=True, slots=True)
class Outputs:
    """The reports to write: `formats` in `folder`, `elsewhere` at paths of their own.

    With `manifest`, the files that the audit is evaluated from, a manifest is written beside the reports in `folder`.
    """

    formats: tuple[str, ...]
    elsewhere: tuple[tuple[str, str], ...]
    folder: Path
    overwrite: bool
    with_snapshot: bool
    manifest: Sources | None = None
    split_by: str | None = None
    mode: int = OWNER_ONLY
    """The permissions of reports that hold counts only."""

    @classmethod
    def from_options(cls, options: AuditOptions, *, mode: str, manifest: Sources | None) -> "Outputs":
        """Make what the options say; UsageError where two reports have one place or a place cannot be written."""
        formats = tuple(dict.fromkeys(options.formats)) or (() if options.outputs else DEFAULT_FORMATS)
        spoken = tuple((name, STANDARD_OUTPUT) for name in formats if renderer(name).speaks)
        formats = tuple(name for name in formats if not renderer(name).speaks)
        outputs = tuple((name, _check_path(path)) for name, path in (*options.outputs, *spoken))
        places = [path if path == STANDARD_OUTPUT else place_of(Path(path)) for _, path in outputs]
        for (_, path), place in zip(outputs, places, strict=True):
            if places.count(place) > 1:
                named = "standard output" if path == STANDARD_OUTPUT else path
                raise UsageError(f"--output: two reports go to {named}; give each a place of its own")
        if formats or manifest is not None:
            must_be_writable(options.output_dir)
        if options.split_by and not formats:
            raise UsageError("--split-by: there is nothing to split; name a --format that goes to --output-dir")
        return cls(
            formats,
            outputs,
            options.output_dir,
            options.overwrite,
            bool(formats) and not options.snapshots,
            manifest,
            options.split_by,
            int(mode, 8),
        )

    @property
    def to_standard_output(self) -> bool:
        """Return whether a report goes to standard output, so that nothing else may."""
        return any(path == STANDARD_OUTPUT for _, path in self.elsewhere)

    def write(self, audit: Audit, redactor: Redactor, signer: ManifestSigner | None = None) -> Written:
        """Write every report, each completely or not at all; one that fails does not stop the others.

        The redactor is for what the manifest copies; with a signer the manifest is signed.
        """
        written = Written()
        stem = self._choose_stem(audit)
        if self.with_snapshot:
            path = self.folder / f"{stem}.snapshot"
            _write(audit, path, _save_snapshot, written)
        for name in self.formats:
            path = self._place_report(name, stem, audit)
            if _write_format(audit, name, path, written, self._choose_mode(name)):
                written.reports[name] = path
        with written.attempt("--split-by"):
            for part in split_audit(audit, self.split_by) if self.split_by else ():
                for name in self.formats:
                    _write_format(
                        part.audit, name, self._place_report(name, stem, part.audit), written, self._choose_mode(name)
                    )
        for name, place in self.elsewhere:
            if place == STANDARD_OUTPUT:
                _print(audit, name, written)
            elif _write_as_named(audit, name, Path(place), written, self._choose_mode(name)):
                written.reports.setdefault(name, Path(place))
        if self.manifest is not None:
            self._write_manifest(
                self.manifest.redacted(redactor), self.folder / f"{stem}{SUFFIX}", audit, signer, written
            )
        return written

    def _write_manifest(
        self, sources: Sources, path: Path, audit: Audit, signer: ManifestSigner | None, written: Written
    ) -> None:
        with written.attempt(path):
            contents = collect_contents(path, audit, sources, written.paths, written.digests)
            if signer is None:
                write_document(path, contents)
            else:
                written.chained = signer.write(path, contents, audit)
            written.paths.append(path)

    def _choose_mode(self, name: str) -> int:
        return self.mode if renderer(name).counts_only else OWNER_ONLY

    def _place_report(self, name: str, stem: str, audit: Audit) -> Path:
        """Return where a report goes. Only the complete audit's may have a name without a date, which others poll."""
        chosen, part = renderer(name), audit.part
        if part is None:
            base = stem if chosen.dated else "credly-audit"
        else:
            base = stem if part.kind == "subset" else f"{stem}-{part.name}"
        return self.folder / f"{base}{chosen.suffix}"

    def _choose_stem(self, audit: Audit) -> str:
        """Return a name that no earlier audit's file has, unless those may be replaced."""
        stem = f"credly-audit-{iso_day(audit.as_of)}{'' if audit.part is None else '-subset'}"
        if self.overwrite or not self._is_taken(stem, audit):
            return stem
        stem = f"{stem}-{audit.generated_at:%H%M%S}"
        later = [stem, *(f"{stem}-{number}" for number in range(2, 1_000))]
        return next(name for name in later if not self._is_taken(name, audit))

    def _is_taken(self, stem: str, audit: Audit) -> bool:
        paths = [
            path
            for name in self.formats
            if renderer(name).dated or audit.part
            for path, _ in list_files_of_format(name, self._place_report(name, stem, audit))
        ]
        kept = [self.folder / f"{stem}{suffix}" for suffix in (".snapshot", SUFFIX)]
        return any(path.exists() for path in [*paths, *kept])


class _Digesting(io.RawIOBase):
    """A stream that passes on what is written and computes its digest."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._out.write(data)


def _check_path(path: str) -> str:
    """Return a path of `--output`, `-` for any name of standard output; UsageError where it cannot be written to."""
    if path == STANDARD_OUTPUT:
        return path
    return STANDARD_OUTPUT if file_can_be_written(Path(path), "--output").is_standard_output else path


def _print(audit: Audit, name: str, written: Written) -> None:
    """Write a report to standard output."""
    with written.attempt("standard output"):
        out = _Digesting(sys.stdout.buffer)
        renderer(name).render(audit, cast("BinaryIO", out))
        sys.stdout.buffer.flush()
        trouble = trouble_of(sys.stdout)
        if trouble is not None:
            raise CannotWrite(f"standard output: the {name} report could not be written ({trouble.strerror})")
        written.digests.append(out.digest.hexdigest())


def _write_as_named(audit: Audit, name: str, path: Path, written: Written, mode: int) -> bool:
    """Write a report to a path, a file with those beside it; return whether its file was written."""
    is_file = False
    with written.attempt(path):
        is_file = place_of(path).is_file
        with write_file(path) as file:
            out = file if is_file else cast("BinaryIO", _Digesting(file))
            if is_file and mode != OWNER_ONLY:
                os.fchmod(file.fileno(), mode)
            renderer(name).render(audit, out)
        if isinstance(out, _Digesting):
            written.digests.append(out.digest.hexdigest())
        else:
            written.paths.append(path)
    _, *beside = list_files_of_format(name, path)
    for target, render in beside if is_file else ():
        _write(audit, target, render, written)
    return path in written.paths


def _write_format(audit: Audit, name: str, path: Path, written: Written, mode: int) -> bool:
    """Write the files of a format under generated names; return whether its report was written."""
    for target, render in list_files_of_format(name, path):
        _write(audit, target, render, written, mode)
    return path in written.paths


def _write(audit: Audit, path: Path, render: Render, written: Written, mode: int = OWNER_ONLY) -> None:
    with written.attempt(path):
        with replace_file(path) as file:
            if mode != OWNER_ONLY:
                os.fchmod(file.fileno(), mode)
            render(audit, file)
        written.paths.append(path)


def _save_snapshot(audit: Audit, file: BinaryIO) -> None:
    audit.snapshot.save(file)


def list_files_of_format(name: str, path: Path) -> Iterator[tuple[Path, Render]]:
    """Yield the files of a format, the report first, each with what writes it."""
    chosen = renderer(name)
    yield path, chosen.render
    for suffix, render in chosen.beside.items():
        yield path.with_name(path.name.removesuffix(path.suffix) + suffix), render
