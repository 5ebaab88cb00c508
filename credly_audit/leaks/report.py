"""What a search for leaked values found, as text, JSON and SARIF; no value is in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

from credly_audit import __version__
from credly_audit.errors import ExitCode
from credly_audit.leaks.folders import HISTORIES, IGNORED, LINKS, SPECIAL
from credly_audit.leaks.owners import Owner
from credly_audit.leaks.scan import Leak, Scan
from credly_audit.renderers.json import encode
from credly_audit.renderers.sarif import MOST_RESULTS, SCHEMA, uri
from credly_audit.secrets.redaction import Redactor
from credly_audit.snapshot import Snapshot
from credly_audit.text import count, instant, number, one_line, sarif, spoken_day

FORMAT, FORMAT_VERSION = "credly-audit-leaks", 1

RULE = "credly-token-leaked"
REMEDIATION = (
    "Rotate the token, then remove the value from every place where it is, the history of a repository included. A "
    "person who has read the value can use it until the token is rotated."
)

SEARCHED = ("files", "archives", "members", "repositories", "objects", "bytes")

SKIPPED = {
    LINKS: ("symbolic link", "symbolic links"),
    SPECIAL: ("device, pipe or socket", "devices, pipes and sockets"),
    IGNORED: ("path that git ignores", "paths that git ignores"),
    HISTORIES: ("git history (--git searches it)", "git histories (--git searches them)"),
}

MOST_SHOWN = 3
"""Owners of one value that a line names."""

UNITS = (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "bytes")


@dataclass(frozen=True, slots=True)
class LeakReport:
    """A finished search with what it searched for; names of places are redacted."""

    snapshot: Snapshot
    owners: Mapping[str, Sequence[Owner]]
    """The owners of each value by its fingerprint."""
    scan: Scan
    names: Mapping[str, str]
    """Each name of a place as it is shown."""
    generated_at: datetime

    @classmethod
    def of(
        cls, snapshot: Snapshot, owners: Mapping[str, Sequence[Owner]], scan: Scan, redactor: Redactor, at: datetime
    ) -> "LeakReport":
        """Return the report of a search; the redactor knows the values, which could be in the name of a file."""
        texts = dict.fromkeys(text for leak in scan.leaks for text in _list_names(leak))
        texts |= dict.fromkeys(gap.name for gap in scan.gaps)
        shown, _ = redactor.redact_column(list(texts), by_shape=False)
        return cls(snapshot, owners, scan, dict(zip(texts, map(str, shown), strict=True)), at)

    @property
    def exit_code(self) -> ExitCode:
        """Incomplete where something could not be read, whatever was found."""
        if self.scan.gaps:
            return ExitCode.INCOMPLETE
        return ExitCode.VIOLATIONS if self.scan.leaks else ExitCode.OK

    @property
    def limitations(self) -> Iterator[str]:
        """A sentence for each reason why a value could be there and not be found."""
        skipped = [count(self.scan.skipped[kind], *nouns) for kind, nouns in SKIPPED.items() if self.scan.skipped[kind]]
        if skipped:
            yield f"Skipped: {', '.join(skipped)}."
        header, tokens, organizations = self.snapshot.header, self.snapshot.tokens, self.snapshot.organizations
        yield (
            f"The snapshot was collected on {spoken_day(header.collected_at)}: values that were created since cannot "
            "be found."
        )
        incomplete = int((organizations["status"] != "complete").sum())
        if incomplete:
            yield (
                f"{number(incomplete)} of {count(len(organizations), 'organization', 'organizations')} in the snapshot "
                f"{'is' if incomplete == 1 else 'are'} incomplete: tokens that were not collected cannot be found."
            )
        withheld = int(tokens["fingerprint"].isna().sum())
        if withheld:
            yield f"Credly withheld the value of {count(withheld, 'token', 'tokens')}, which cannot be found."

    def describe(self) -> Iterator[str]:
        """Yield the lines for a person."""
        for leak in self.scan.leaks:
            yield f"{self._show(leak.place)}: {self._describe_owners(leak)}{_describe_forms(leak)}"
        for gap in self.scan.gaps:
            yield f"{self._show(gap.name)} {gap.reason}."
        if self.scan.omitted:
            yield f"{count(self.scan.omitted, 'further line', 'further lines')} of the same files hold the same values."
        yield self.headline
        yield from self.limitations
        if self.scan.leaks:
            yield REMEDIATION

    @property
    def headline(self) -> str:
        """One sentence: what was found, in how much."""
        searched = self.scan.searched
        read = [count(searched["files"], "file", "files")]
        read += [count(searched["members"], "archive member", "archive members")] if searched["members"] else []
        read += [count(searched["objects"], "git object", "git objects")] if searched["objects"] else []
        where = f"{', '.join(read)} ({describe_size(searched['bytes'])})"
        values = count(len(self.owners), "value", "values")
        if not self.scan.leaks:
            said = "Incomplete: none" if self.scan.gaps else "None"
            return f"{said} of {values} was found in {where}{self._count_gaps()}."
        leaked = {leak.fingerprint for leak in self.scan.leaks}
        places = count(len({leak.origin for leak in self.scan.leaks}), "place", "places")
        said = f"{number(len(leaked))} of {values} {'was' if len(leaked) == 1 else 'were'} found"
        return f"{said} in {places} of {where}{self._count_gaps()}."

    def _count_gaps(self) -> str:
        return f"; {count(len(self.scan.gaps), 'place', 'places')} could not be read" if self.scan.gaps else ""

    def to_json(self) -> bytes:
        """Return one JSON object; docs/leaks.md describes it."""
        header = self.snapshot.header
        return (
            encode(
                {
                    "format": FORMAT,
                    "format_version": FORMAT_VERSION,
                    "tool": {"name": "credly-audit", "version": __version__},
                    "generated_at": self.generated_at,
                    "exit_code": int(self.exit_code),
                    "snapshot": {"collected_at": header.collected_at, "values": len(self.owners)},
                    "limitations": list(self.limitations),
                    "searched": {name: self.scan.searched[name] for name in SEARCHED},
                    "skipped": {kind: self.scan.skipped[kind] for kind in SKIPPED},
                    "not_read": [{"name": self._show(gap.name), "reason": gap.reason} for gap in self.scan.gaps],
                    "omitted_lines": self.scan.omitted,
                    "leaks": list(map(self._write_leak, self.scan.leaks)),
                }
            )
            + b"\n"
        )

    def to_sarif(self) -> bytes:
        """Return a SARIF log of one run: a result for each place of a value."""
        run = {
            "tool": {"driver": _describe_driver()},
            "invocations": [
                {
                    "executionSuccessful": not self.scan.gaps,
                    "exitCode": int(self.exit_code),
                    "endTimeUtc": instant(self.generated_at),
                    "toolExecutionNotifications": list(self._notify()),
                }
            ],
            "automationDetails": {"id": "credly-audit-leaks/"},
            "columnKind": "unicodeCodePoints",
            "results": list(map(self._write_result, self.scan.leaks[:MOST_RESULTS])),
        }
        return encode({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + b"\n"

    def _notify(self) -> Iterator[dict[str, Any]]:
        for gap in self.scan.gaps:
            yield _write_notification("not-read", "error", f"{self._show(gap.name)} {gap.reason}.")
        for sentence in self.limitations:
            yield _write_notification("limitation", "note", sentence)
        if len(self.scan.leaks) > MOST_RESULTS:
            text = (
                f"Of {number(len(self.scan.leaks))} results the first {number(MOST_RESULTS)} are here; JSON holds all."
            )
            yield _write_notification("results-cut", "warning", text)

    def _write_leak(self, leak: Leak) -> dict[str, Any]:
        found = leak.origin.object
        return {
            "place": self._show(leak.place),
            "path": self._show(leak.origin.path),
            "members": list(map(self._show, leak.origin.members)),
            "git": None
            if found is None
            else {
                "object": found.id,
                "type": found.kind,
                "path": None if found.path is None else self._show(found.path),
                "commit": found.commit,
                "committed_on": found.day,
            },
            "line": leak.line,
            "forms": list(leak.forms),
            "fingerprint": leak.fingerprint,
            "owners": list(self.owners[leak.fingerprint]),
        }

    def _write_result(self, leak: Leak) -> dict[str, Any]:
        found = leak.origin.object
        path = PurePath(self._show(leak.origin.path), self._show(found.path) if found and found.path else "")
        location: dict[str, Any] = {"artifactLocation": {"uri": uri(str(path))}}
        if leak.line is not None and not leak.origin.members:
            location["region"] = {"startLine": leak.line}
        text = f"{self._describe_owners(leak)}: a value is in {self._show(leak.place)}{_describe_forms(leak)}."
        return {
            "ruleId": RULE,
            "ruleIndex": 0,
            "level": "error",
            "kind": "fail",
            "message": {"text": sarif(text)},
            "locations": [{"physicalLocation": location}],
            "partialFingerprints": {"credlyAuditLeak/v1": f"{leak.fingerprint}:{self._show(leak.place)}"},
            "properties": {"fingerprint": leak.fingerprint, "security-severity": "9.5"},
        }

    def _show(self, name: str) -> str:
        return one_line(self.names[name], 1_000)

    def _describe_owners(self, leak: Leak) -> str:
        owners = self.owners[leak.fingerprint]
        named = [owner.describe(leak.fingerprint) for owner in owners[:MOST_SHOWN]]
        more = [f"{number(len(owners) - MOST_SHOWN)} more"] if len(owners) > MOST_SHOWN else []
        return ", ".join(named + more)


def _list_names(leak: Leak) -> Iterator[str]:
    yield from (leak.place, leak.origin.path, *leak.origin.members)
    if leak.origin.object and leak.origin.object.path is not None:
        yield leak.origin.object.path


def _describe_forms(leak: Leak) -> str:
    return f" [{' in '.join(reversed(leak.forms))}]" if leak.forms else ""


def describe_size(size: int) -> str:
    """Return a number of bytes for people: `1.5 MiB`."""
    unit, name = next((each for each in UNITS if size >= each[0]), UNITS[-1])
    return f"{size / unit:,.1f} {name}" if unit > 1 else count(size, "byte", "bytes")


def _describe_driver() -> dict[str, Any]:
    return {
        "name": "credly-audit",
        "version": __version__,
        "semanticVersion": __version__,
        "shortDescription": {"text": "Finds leaked values of Credly authorization tokens."},
        "rules": [
            {
                "id": RULE,
                "name": "CredlyTokenLeaked",
                "shortDescription": {"text": "The value of a Credly authorization token is stored here."},
                "fullDescription": {
                    "text": "The value of an authorization token, or of another secret that the inventory knows, is "
                    "stored in a file or in the history of a repository."
                },
                "help": {"text": REMEDIATION, "markdown": REMEDIATION},
                "defaultConfiguration": {"level": "error"},
                "properties": {
                    "tags": ["security"],
                    "precision": "very-high",
                    "problem.severity": "error",
                    "security-severity": "9.5",
                },
            }
        ],
    }


def _write_notification(name: str, level: str, text: str) -> dict[str, Any]:
    return {"descriptor": {"id": name}, "level": level, "message": {"text": sarif(text)}}
