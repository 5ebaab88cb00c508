"""The chain of signed manifests: each names the one before it, so that a missing one is noticed."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from credly_audit.audit.prior import PriorManifest
from credly_audit.errors import UsageError
from credly_audit.manifest.contents import SUFFIX, list_differences
from credly_audit.manifest.envelope import ManifestFile
from credly_audit.manifest.statement import ChainLink

if TYPE_CHECKING:
    from securesystemslib.signer import Key

log = logging.getLogger(__name__)


def find_manifests(folder: Path) -> list[Path]:
    """Return the manifests in a folder and the folders in it, sorted; UsageError where it cannot be read."""
    if not folder.is_dir():
        raise UsageError(f"--chain {folder}: is not a folder; create it, or correct the path")
    return sorted(folder.rglob(f"*{SUFFIX}"))


def find_last_manifest(folder: Path, series: str) -> PriorManifest | None:
    """Return the last signed manifest of a series in a folder, by its number; None where there is none.

    Signatures are not checked: `verify --chain` finds what is wrong with the one that is named.
    """
    last = None
    for path in find_manifests(folder):
        try:
            file = ManifestFile.read(path)
            chain = file.statement and file.statement.predicate.chain
        except UsageError as error:
            log.warning("%s; the chain continues without it", error)
            continue
        if chain and chain.series == series and (last is None or chain.number > last.number):
            last = PriorManifest(chain.number, file.name, file.sha256)
    return last


@dataclass(frozen=True, slots=True)
class ChainedManifest:
    """A manifest whose signature is verified, and its place in the chain."""

    file: ManifestFile
    link: ChainLink

    @property
    def number(self) -> int:
        """The number of its audit."""
        return self.link.number

    def __str__(self) -> str:
        return f"audit {self.number} ({self.file.name})"


@dataclass(slots=True)
class ChainCheck:
    """What the manifests of a folder prove; `faults` holds a sentence for each thing that is wrong.

    `chained` are the manifests in a chain, `unchained` counts those of audits that are in none.
    """

    keys: Sequence["Key"]
    chained: list[ChainedManifest] = field(default_factory=list)
    unchained: int = 0
    digests: set[str] = field(default_factory=set)
    """The SHA-256 of each manifest whose signature is verified."""
    faults: list[str] = field(default_factory=list)
    _altered: set[str] = field(default_factory=set)
    """The names of the files that are themselves at fault."""

    @classmethod
    def of(cls, folder: Path, keys: Sequence["Key"]) -> "ChainCheck":
        """Check every manifest in a folder, its files where they are there, and every chain."""
        check = cls(keys)
        for path in find_manifests(folder):
            check._take_in(path)
        check._check_links()
        return check

    def _take_in(self, path: Path) -> None:
        try:
            file = ManifestFile.read(path)
            fault = file.find_fault(self.keys)
        except UsageError as error:
            self._report(path, str(error).removeprefix(f"{path}: "))
            return
        if fault is not None or file.statement is None:
            self._report(path, f"{fault}")
            return
        self.faults += [
            f"{path.name}: {difference}"
            for difference in list_differences(file.statement.manifest, path.parent, missing=False)
        ]
        if file.sha256 in self.digests:
            return
        self.digests.add(file.sha256)
        link = file.statement.predicate.chain
        if link is None:
            self.unchained += 1
        else:
            self.chained.append(ChainedManifest(file, link))

    def _report(self, path: Path, fault: str) -> None:
        self.faults.append(f"{path.name}: {fault}")
        self._altered.add(path.name)

    def _check_links(self) -> None:
        """Follow each chain from its last audit back to its first."""
        left = {id(each): each for each in self.chained}
        while left:
            for each in self._follow(max(left.values(), key=lambda each: each.number), list(left.values())):
                left.pop(id(each), None)

    def _follow(self, last: ChainedManifest, candidates: Sequence[ChainedManifest]) -> Iterator[ChainedManifest]:
        """Yield the manifests that have their place in the chain of `last`, or claim it wrongly, and report those."""
        at: dict[tuple[str, int], list[ChainedManifest]] = defaultdict(list)
        for each in candidates:
            at[each.link.series, each.number].append(each)
        by_digest = {each.file.sha256: each for each in candidates}
        series, expected = last.link.series, None
        after: ChainedManifest | None = None
        for number in range(last.number, 0, -1):
            named = None if expected is None else by_digest.get(expected.sha256)
            series = series if named is None else named.link.series
            claimed = at[series, number]
            yield from claimed
            genuine = self._choose(claimed, expected, named, after)
            if genuine is not None:
                after = genuine
            elif expected is not None or not claimed:
                self._report_missing(number, expected, after)
            expected = None if genuine is None else genuine.link.previous

    def _choose(
        self,
        claimed: Sequence[ChainedManifest],
        expected: PriorManifest | None,
        named: ChainedManifest | None,
        after: ChainedManifest | None,
    ) -> ChainedManifest | None:
        """Return the manifest that has a place in a chain, of those that claim it; report the others."""
        if expected is None:
            if len(claimed) > 1:
                names = " and ".join(each.file.name for each in claimed)
                self.faults.append(
                    f"{names}: each is audit {claimed[0].number} of {claimed[0].link.series}; one was inserted, or two "
                    "runs signed at the same time"
                )
            return claimed[0] if claimed else None
        for each in claimed:
            if each is named:
                continue
            if each.file.name == expected.name and named is None:
                self._altered.add(each.file.name)
                self.faults.append(f"{each}: was altered and signed again; {after} follows another version of it")
            else:
                self.faults.append(f"{each}: was inserted; {after} follows {expected.name}")
        return named

    def _report_missing(self, number: int, expected: PriorManifest | None, after: ChainedManifest | None) -> None:
        if expected is None:
            self.faults.append(f"audit {number}: was removed; only the manifest of audit {number + 1} held its name")
        elif expected.name not in self._altered:
            self.faults.append(f"audit {number} ({expected.name}): was removed; {after} follows it")
