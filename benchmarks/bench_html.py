"""What the page costs: 100,000 findings on 200,000 tokens, and how it grows from a tenth of that on.

The limits: at most 10 s of CPU, judging included, and 60 MB of file; memory linear.
"""

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from credly_audit.audit import Gate, judge
from credly_audit.config.settings import PolicySettings
from credly_audit.policy import Policy
from credly_audit.renderers.html import render
from credly_audit.rules import catalogue

AS_OF = datetime(2026, 11, 23, tzinfo=UTC)
SIZES = (20_000, 100_000, 200_000)
MOST_SECONDS, MOST_MEGABYTES = 10, 60


def measure(many: int) -> None:
    """Judge and write once; print tokens, findings, CPU seconds in all and of writing, peak and file in MB."""
    collected, policy = snapshot(many), Policy(PolicySettings.model_validate({"disable": ["INV001", "PRM006"]}))
    audit = judge(collected, policy, Gate(), catalogue(), as_of=AS_OF, generated_at=AS_OF)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
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
            f"html of {tokens:>7,.0f} tokens and {findings:>7,.0f} findings: {seconds:5.1f} s CPU ({writing:.1f} s of "
            f"them writing), peak {peak:.0f} MB, file {size:.1f} MB"
        )
    within = seconds <= MOST_SECONDS and peak <= MOST_MEGABYTES
    print(f"limits: {MOST_SECONDS} s, {MOST_MEGABYTES} MB: {'kept' if within else 'BROKEN'}")
    return not within


if __name__ == "__main__":
    sys.exit(measure(int(sys.argv[1])) if len(sys.argv) > 1 else main())
