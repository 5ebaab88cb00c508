"""References to secrets, `PREFIX:PLACE`: what one is, and how it is shown, checked, read and stored to."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from credly_audit.errors import UsageError
from credly_audit.secrets.secret import Secret, SecretError
from credly_audit.secrets.shape import mask_shapes
from credly_audit.secrets.sources import BUILT_IN, find_source, load_package_sources
from credly_audit.secrets.sources.interface import Reader, SecretSource, SecretStore

Use = Literal["read", "store", "read back"]

FITS: dict[Use, Callable[[SecretSource], bool]] = {
    "read": lambda _: True,
    "store": lambda source: source.can_store,
    "read back": lambda source: not source.is_fixed,
}
"""Which sources a reference may name for each use."""


def is_reference(text: str, use: Use = "read") -> bool:
    """Return whether a text says where a secret is, rather than being one, and can be of that use."""
    source, place = _split(text)
    return source is not None and FITS[use](source) and bool(place.strip()) and source.find_mistake(place) is None


def find_mistake(text: str) -> str | None:
    """Return why a place cannot be one of the source that it names, as the end of a sentence; None where it can."""
    source, place = _split(text)
    return None if source is None else source.find_mistake(place)


def list_prefixes(use: Use = "read") -> list[str]:
    """Return the prefixes of the sources of a use, those of other packages last."""
    return [source.prefix for source in _list_sources(use)]


def list_forms(use: Use = "read", *more: str) -> str:
    """Return how references of a use are written, for a refusal: `env:NAME, file:PATH or …`."""
    return _join_forms(_list_sources(use), more)


def list_built_in_forms(use: Use = "read") -> str:
    """Return the same without sources of other packages, for help and documentation."""
    return _join_forms(filter(FITS[use], BUILT_IN.values()), ())


def mask_reference(reference: str) -> str:
    """Return the reference as it may be shown: of a command the program only, nothing that looks like a value."""
    source, place = _split(reference)
    return f"{reference.partition(':')[0]}:{mask_shapes(place)}" if source is None else source.mask(place)


def check_sources(references: Iterable[str], folder: Path) -> None:
    """Raise UsageError for what is wrong with sources or places and can be seen before anything is read."""
    places: dict[SecretSource, list[str]] = {}
    for reference in references:
        source, place = _split_prefix(reference)
        places.setdefault(source, []).append(place)
    for source, each in places.items():
        source.check(each, folder)


def read_secret(reference: str, folder: Path, environ: Mapping[str, str]) -> Secret:
    """Return the secret that a reference names; relative paths begin at `folder`.

    SecretError, naming the reference's source and place, where there is none; MissingExtra where it needs one.
    """
    source, place = _split_prefix(reference)
    return source.read(place, folder, environ)


def find_store(reference: str, folder: Path, environ: Mapping[str, str]) -> SecretStore | None:
    """Return the place of a reference as a store for a new value; None where it can only be read. UsageError."""
    source, place = _split_prefix(reference)
    return source.store(place, folder, environ)


def read_stored(reader: Reader) -> Secret | None:
    """Return what is stored; None where there is nothing, or nothing that can be read."""
    with suppress(SecretError):
        return reader()
    return None


def has_own_failures(reference: str) -> bool:
    """Return whether a failure to read is the source's, and no mistake of the configuration."""
    return _split_prefix(reference)[0].has_own_failures


def runs_code(text: str) -> bool:
    """Return whether a text is a reference that a program, or code of another package, is run for."""
    source, place = _split(text)
    return source is not None and source.runs_code and bool(place.strip())


def find_exposed(references: Collection[str], folder: Path) -> list[str]:
    """Return the references to secrets that other users of this machine may read."""
    named = {reference: _split_prefix(reference) for reference in references}
    return [reference for reference, (source, place) in named.items() if source.is_exposed(place, folder)]


def _split(reference: str) -> tuple[SecretSource | None, str]:
    prefix, colon, place = reference.partition(":")
    return find_source(prefix) if colon else None, place


def _split_prefix(reference: str) -> tuple[SecretSource, str]:
    source, place = _split(reference)
    if source is None:
        raise UsageError(f"{mask_reference(reference)} is not a reference to a secret; write {list_forms()}")
    return source, place


def _list_sources(use: Use) -> list[SecretSource]:
    return [source for source in (*BUILT_IN.values(), *load_package_sources().values()) if FITS[use](source)]


def _join_forms(sources: Iterable[SecretSource], more: tuple[str, ...]) -> str:
    *first, last = [*(f"{source.prefix}:{source.form}" for source in sources), *more]
    return f"{', '.join(first)} or {last}"
