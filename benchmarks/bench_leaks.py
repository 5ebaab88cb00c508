"""What a search for leaked values costs: text, hex, Base64, a binary, beside hashing the same bytes once."""

import base64
import hashlib
import io
import random
import string
import sys
import uuid
from collections.abc import Callable
from time import process_time

from credly_audit.leaks.candidates import ValueSearch
from credly_audit.leaks.scan import BLOCK, Origin, Scan
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints

LENGTH = 64 << 20
GIGABYTE = 10**9
MOST_SECONDS = 60
"""For 1 GB of text on two cores."""

CHANCE = random.Random("made-up values of this benchmark")
LETTERS = string.ascii_letters + string.digits + "-_"
LENGTHS = (36, 40, 43)


def make_log(many: int) -> bytes:
    """Lines of a web server: paths, identifiers of requests, digests."""
    lines = []
    for number in range(4_000):
        path = f"/v1/organizations/{uuid.UUID(int=CHANCE.getrandbits(128))}/badges%3Fpage={number}"
        digest = f"{CHANCE.getrandbits(256):064x}"
        lines.append(f'2026-11-23T09:30:{number % 60:02d}Z "GET {path}" 200 {number} request_id={digest}\n')
    return repeat("".join(lines).encode(), many)


def make_source(many: int) -> bytes:
    """Python's own library, as this interpreter has it."""
    module = sys.modules["argparse"] if "argparse" in sys.modules else __import__("argparse")
    with open(module.__file__ or "", "rb") as file:  # noqa: PTH123
        return repeat(file.read(), many)


def repeat(text: bytes, many: int) -> bytes:
    return (text * (many // len(text) + 1))[:many]


KINDS: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "log": (LENGTH, make_log),
    "source": (LENGTH, make_source),
    "random bytes": (LENGTH, CHANCE.randbytes),
    "hex": (1 << 20, lambda many: CHANCE.randbytes(many // 2).hex().encode()),
    "Base64": (1 << 20, lambda many: base64.b64encode(CHANCE.randbytes(many * 3 // 4))),
}


def make_scan(key: Secret | None) -> Scan:
    """Return a scan for 10,000 made-up values of three lengths."""
    fingerprints = Fingerprints(key)
    values = ("".join(CHANCE.choices(LETTERS, k=LENGTHS[number % len(LENGTHS)])) for number in range(10_000))
    return Scan(ValueSearch(fingerprints.digest, [fingerprints.digest(value) for value in values], LENGTHS))


def measure(content: bytes, key: Secret | None) -> float:
    """Return the seconds of one search."""
    scan = make_scan(key)
    began = process_time()
    scan.read(Origin("file"), io.BytesIO(content), len(content))
    seconds = process_time() - began
    assert scan.searched["bytes"] == len(content)
    assert not scan.leaks
    return seconds


def hash_all(content: bytes) -> float:
    """Return the seconds of reading the same bytes and hashing them once."""
    began = process_time()
    stream, digest = io.BytesIO(content), hashlib.sha256()
    while block := stream.read(BLOCK):
        digest.update(block)
    return process_time() - began


def main() -> bool:
    """Print a line a kind; whether text is within the limit."""
    good = True
    for kind, (many, make) in KINDS.items():
        content = make(many)
        compared = hash_all(content)
        for name, key in (("", None), (", keyed", Secret("MADE-UP-key"))):
            seconds = measure(content, key)
            of_a_gigabyte = seconds * GIGABYTE / len(content)
            times = f"{seconds / compared:6.1f} times SHA-256 of the same bytes"
            print(f"{kind + name:20} 1 GB {of_a_gigabyte:7.1f} s, {times}")
            good &= of_a_gigabyte <= MOST_SECONDS or kind == "Base64"
    return good


if __name__ == "__main__":
    sys.exit(not main())
