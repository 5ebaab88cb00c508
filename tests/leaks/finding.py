"""What tests of the search for leaked values share: made-up values, and a search or a scan for them."""

import io
from pathlib import Path

from credly_audit.leaks.candidates import ValueSearch
from credly_audit.leaks.scan import Scan, TextOrigin
from credly_audit.secrets.fingerprint import Fingerprints

VALUE = "MADE-UP-Xq3_vT9rLm-2WkPz7bNc4Hd-"
OTHER = "MADE-UP-Zq8_vT9rLm-2WkPz7bNc4HdABCD_"


def search_for(*values: str) -> ValueSearch:
    """Return a search for values by what a snapshot would keep of them."""
    fingerprints = Fingerprints()
    return ValueSearch(fingerprints.digest, [fingerprints.digest(value) for value in values], {*map(len, values)})


def scan_for(*values: str) -> Scan:
    """Return a scan that has read nothing so far."""
    return Scan(search_for(*values or (VALUE, OTHER)))


def read(content: bytes, name: str = "file", *values: str) -> Scan:
    """Return the scan of a file with this content."""
    scan = scan_for(*values)
    scan.read(TextOrigin(name), io.BytesIO(content), len(content))
    return scan


def places(scan: Scan) -> list[str]:
    """Return the places of a scan's leaks."""
    return [leak.place for leak in scan.leaks]


def gaps(scan: Scan) -> list[tuple[str, str]]:
    """Return what a scan could not read, and why."""
    return [(gap.name, gap.reason) for gap in scan.gaps]


def write(path: Path, content: str | bytes) -> Path:
    """Write a file, its folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
