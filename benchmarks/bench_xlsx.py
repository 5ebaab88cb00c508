"""What the Excel report costs: 100,000 findings on 200,000 tokens, and how it grows from a tenth of that on.

The limits: at most 60 s of CPU and 700 MB, judging included; memory linear.
"""

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Gate
from credly_audit.config.settings import PolicySettings
from credly_audit.policy.policy import Policy
from credly_audit.renderers.xlsx import render
from credly_audit.rules import catalogue
from credly_audit.snapshot import ORGANIZATIONS, TOKENS, Header, Snapshot, conform

AS_OF = datetime(2026, 11, 23, tzinfo=UTC)
SIZES = (20_000, 100_000, 200_000)
MOST_SECONDS, MOST_MEGABYTES = 60, 700


def snapshot(many: int) -> Snapshot:
    """Random tokens, 40 to an organization, about one finding to two of them."""
    random = np.random.default_rng(1)
    places = many // 40
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(places)]
    names = [f"Organization number {number}" for number in range(places)]
    rows = np.sort(random.integers(0, places, many))
    texts = [f"Connector {number} of the learning platform, team {number % 97}" for number in range(many)]
    start = pd.Timestamp(AS_OF)
    age = random.integers(0, 100 * 86_400, many)
    tokens = conform(
        {
            "organization_id": pd.Categorical.from_codes(rows, ids),
            "organization_name": pd.array(np.array(names, dtype=object)[rows], dtype="string"),
            "token_id": [f"{number:08x}-1111-4111-8111-111111111111" for number in range(many)],
            "fingerprint": [f"{number:016x}" for number in range(many)],
            "description": texts,
            "secrets_in_description": np.zeros(many, dtype="int16"),
            "read_enabled": np.ones(many, dtype=bool),
            "write_enabled": random.random(many) < 0.35,
            "delete_enabled": random.random(many) < 0.1,
            "created_at": start - pd.to_timedelta(age, unit="s"),
            "expires_at": start + pd.to_timedelta(180 * 86_400 - age - random.integers(0, 50 * 86_400, many), unit="s"),
            "owner_id": pd.array(np.array(ids, dtype=object)[rows], dtype="string"),
            "owner_name": pd.array(np.array(names, dtype=object)[rows], dtype="string"),
        },
        TOKENS,
    )
    organizations = conform(
        {
            "organization_id": ids,
            "name": names,
            "status": ["complete"] * places,
            "reason": ["A listed token can write, so the list was not cut."] * places,
            "tokens": np.bincount(rows, minlength=places),
            "contact": [f"team-{number}@example.org" for number in range(places)],
        },
        ORGANIZATIONS,
    )
    return Snapshot(Header(AS_OF, "0", "https://api.credly.com/v1", None, tuple(ids)), tokens, organizations)


def measure(many: int) -> None:
    """Judge and write once; print tokens, findings, CPU seconds in all and of writing, peak and file in MB."""
    collected, policy = snapshot(many), Policy(PolicySettings.model_validate({"disable": ["INV001", "PRM006"]}))
    audit = evaluate(collected, policy, Gate(), catalogue(), as_of=AS_OF)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xlsx"
        with path.open("wb") as file:
            render(audit, file)
        size = path.stat().st_size / 1e6
    end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(many, len(audit.findings), f"{end:.1f} {end - start:.1f} {peak:.0f} {size:.1f}")


def main() -> int:
    """Each size in a process of its own; 1 where the largest is beyond the limits."""
    for many in SIZES:
        done = subprocess.run([sys.executable, __file__, str(many)], capture_output=True, text=True, check=True)
        tokens, findings, seconds, writing, peak, size = (float(word) for word in done.stdout.split())
        print(
            f"xlsx of {tokens:>7,.0f} tokens and {findings:>7,.0f} findings: {seconds:5.1f} s CPU ({writing:.1f} s of "
            f"them writing), peak {peak:.0f} MB, file {size:.1f} MB"
        )
    within = seconds <= MOST_SECONDS and peak <= MOST_MEGABYTES
    print(f"limits: {MOST_SECONDS} s, {MOST_MEGABYTES} MB: {'kept' if within else 'BROKEN'}")
    return not within


if __name__ == "__main__":
    sys.exit(measure(int(sys.argv[1])) if len(sys.argv) > 1 else main())
