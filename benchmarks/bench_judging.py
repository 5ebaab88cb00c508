"""What judging costs: 1,000,000 tokens of 20,000 organizations by all rules, and how it grows from 10,000 on."""

import resource
import subprocess
import sys
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Gate
from credly_audit.config.settings import PolicySettings
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.snapshot import ORGANIZATIONS, TOKENS, Header, Snapshot, conform

AS_OF = datetime(2026, 11, 23, tzinfo=UTC)
SIZES = (10_000, 100_000, 1_000_000)
POLICY = {"purposes": [{"pattern": "(?i)report|dashboard", "allow": ["read"]}]}
WORDS = ["Moodle connector", "test", "CRM sync for team", "Reporting dashboard", "Issuer of 2024 badges", "", "HR"]


def snapshot(many: int) -> Snapshot:
    """Random tokens, 50 to an organization, about two findings each."""
    random = np.random.default_rng(1)
    places = max(many // 50, 1)
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(places)]
    rows = random.integers(0, places, many)
    numbers = np.arange(many)
    words = np.array(WORDS, dtype=object)[random.integers(0, len(WORDS), many)]
    described = words + np.where(random.random(many) < 0.7, np.char.add(" number ", numbers.astype(str)), "")
    start = pd.Timestamp(AS_OF)
    tokens = conform(
        {
            "organization_id": pd.Categorical.from_codes(rows, ids),
            "organization_name": pd.array(np.array(ids, dtype=object)[rows], dtype="string"),
            "token_id": pd.array(np.char.add("t", numbers.astype(str)), dtype="string"),
            "fingerprint": pd.array(np.char.add("f", (numbers // 1.001).astype(int).astype(str)), dtype="string"),
            "description": pd.array(described, dtype="string"),
            "secrets_in_description": (random.random(many) < 0.001).astype("int16"),
            "read_enabled": np.full(many, fill_value=True),
            "write_enabled": random.random(many) < 0.4,
            "delete_enabled": random.random(many) < 0.2,
            "created_at": start - pd.to_timedelta(random.integers(0, 400 * 86_400, many), unit="s"),
            "expires_at": start + pd.to_timedelta(random.integers(-20 * 86_400, 181 * 86_400, many), unit="s"),
            "owner_id": pd.array(np.array(ids, dtype=object)[rows], dtype="string"),
        },
        TOKENS,
    )
    organizations = conform({"organization_id": ids, "name": ids, "status": ["complete"] * places}, ORGANIZATIONS)
    return Snapshot(Header(AS_OF, "0", "https://api.credly.com/v1", None, tuple(ids)), tokens, organizations)


def measure(many: int) -> None:
    """Judge once; print seconds, findings and the memory that judging took at its highest."""
    collected = snapshot(many)
    rules = catalogue()
    start = time.perf_counter()
    audit = evaluate(collected, Policy(PolicySettings.model_validate(POLICY)), Gate(), rules, as_of=AS_OF)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{many} {len(audit.findings)} {seconds:.3f} {peak:.2f}")


def main() -> None:
    """Each size in a process of its own."""
    first = None
    for many in SIZES:
        done = subprocess.run([sys.executable, __file__, str(many)], capture_output=True, text=True, check=True)
        _, findings, seconds, peak = (float(word) for word in done.stdout.split())
        per_token = seconds / many
        first = first or per_token
        print(
            f"judging {many:>9,} tokens: {findings:>11,.0f} findings, {seconds:6.2f} s, peak {peak:.2f} GiB in all, "
            f"{per_token / first:.2f} × the cost a token of {SIZES[0]:,}"
        )


if __name__ == "__main__":
    measure(int(sys.argv[1])) if len(sys.argv) > 1 else main()
