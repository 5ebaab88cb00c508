"""What the history costs: 24 monthly audits of 200,000 tokens; judging with it, recording, bytes a token and audit."""

import os
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from bench_judging import AS_OF, POLICY, snapshot

from credly_audit.audit import Audit, Gate, judge
from credly_audit.config.settings import PolicySettings
from credly_audit.history.store import History
from credly_audit.past import Past
from credly_audit.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.snapshot import Snapshot

TOKENS = 200_000
AUDITS = 24
CHANGED = 0.03
"""How many tokens a month are rotated, described anew, or widened: each a third of these."""

MOST_TIMES = 1.5
MOST_BYTES = 250


def months() -> Iterator[Snapshot]:
    """The same tokens, some changed from month to month."""
    collected = snapshot(TOKENS)
    random = np.random.default_rng(2)
    for month in range(AUDITS):
        tokens = collected.tokens.copy()
        rotated, described, widened = random.integers(0, TOKENS, (3, int(TOKENS * CHANGED / 3)))
        as_of = pd.Timestamp(AS_OF + timedelta(days=30 * month))
        tokens.loc[rotated, "fingerprint"] = pd.array([f"r{month}-{row}" for row in rotated], dtype="string")
        tokens.loc[rotated, "expires_at"] = as_of + timedelta(days=179)
        tokens.loc[described, "description"] = pd.array([f"Connector {row} of team {month}" for row in described])
        tokens.loc[widened, "write_enabled"] = True
        collected = Snapshot(collected.header, tokens, collected.organizations)
        yield collected


def judged(collected: Snapshot, month: int, past: Past | None) -> tuple[Audit, float]:
    """The audit and the seconds that judging took."""
    as_of = AS_OF + timedelta(days=30 * month)
    start = time.perf_counter()
    policy = Policy(PolicySettings.model_validate(POLICY))
    audit = judge(collected, policy, Gate(), catalogue(), as_of=as_of, generated_at=as_of, past=past)
    return audit, time.perf_counter() - start


def main() -> None:
    """24 audits; the last one judged with and without what the others left."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        history = History.opened(f"sqlite:///{path}", Path(folder), os.environ, create=True)
        assert history is not None
        seconds = []
        for month, collected in enumerate(months()):
            as_of = AS_OF + timedelta(days=30 * month)
            with history.past(as_of) as past:
                audit, _ = judged(collected, month, past)
            start = time.perf_counter()
            history.record(audit)
            seconds.append(time.perf_counter() - start)
            print(
                f"month {month + 1}: recorded in {seconds[-1]:.1f} s, {path.stat().st_size / 2**20:.0f} MiB", flush=True
            )
        size, as_of = path.stat().st_size, AS_OF + timedelta(days=30 * AUDITS)
        alone, beside = [], []
        for _ in range(5):
            alone.append(judged(collected, AUDITS, None)[1])
            start = time.perf_counter()
            with history.past(as_of) as past:
                audit, _ = judged(collected, AUDITS, past)
            beside.append(time.perf_counter() - start)
        history.record(audit)
        kept = path.stat().st_size
        with history.past(as_of + timedelta(days=1)) as past:
            audit, _ = judged(collected, AUDITS, past)
        history.record(audit)
    times = float(np.median(beside) / np.median(alone))
    grown = (path_size - kept) / TOKENS if (path_size := 0) else 0.0
    print(
        f"judging {TOKENS:,} tokens: {np.median(alone):.2f} s without a history, {np.median(beside):.2f} s with one of "
        f"{AUDITS} audits: {times:.2f} × (at most {MOST_TIMES}); {size / TOKENS / AUDITS:.0f} bytes a token and audit"
    )


if __name__ == "__main__":
    main()
