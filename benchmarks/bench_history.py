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

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Audit, Gate
from credly_audit.audit.prior import Past, Prior
from credly_audit.config.settings import PolicySettings
from credly_audit.history.store import History
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.snapshot import Snapshot

TOKENS = 200_000
AUDITS = 24
DESCRIBED, WIDENED, LEFT = 0.005, 0.005, 0.02
"""How many of the tokens are described anew each month, or get a permission; how many of those due are not rotated."""

MOST_TIMES = 1.5
MOST_BYTES = 250


def months() -> Iterator[Snapshot]:
    """The same tokens, some changed from month to month."""
    collected = snapshot(TOKENS)
    random = np.random.default_rng(2)
    for month in range(AUDITS):
        tokens = collected.tokens.copy()
        as_of = pd.Timestamp(AS_OF + timedelta(days=30 * month))
        due = np.flatnonzero(tokens["expires_at"] <= as_of + timedelta(days=30))
        rotated = due[random.random(len(due)) >= LEFT]
        described, widened = (random.integers(0, TOKENS, int(TOKENS * part)) for part in (DESCRIBED, WIDENED))
        tokens.loc[rotated, "fingerprint"] = pd.array([f"r{month}-{row}" for row in rotated], dtype="string")
        tokens.loc[rotated, "expires_at"] = as_of + timedelta(days=179)
        tokens.loc[described, "description"] = pd.array([f"Connector {row} of team {month}" for row in described])
        tokens.loc[widened, "write_enabled"] = True
        collected = Snapshot(collected.header, tokens, collected.organizations)
        yield collected


def judged(collected: Snapshot, month: int, past: Past | None) -> tuple[Audit, float]:
    """The audit and the seconds that judging took."""
    as_of = AS_OF + timedelta(days=30 * month)
    start = time.process_time()
    policy = Policy(PolicySettings.model_validate(POLICY))
    audit = evaluate(collected, policy, Gate(), catalogue(), as_of=as_of, prior=Prior(past))
    return audit, time.process_time() - start


def main() -> None:
    """24 audits; the last one judged with and without what the others left."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        history = History.opened(f"sqlite:///{path}", Path(folder) / "credly-audit.toml", os.environ, create=True)
        assert history is not None
        seconds = []
        for month, collected in enumerate(months()):
            as_of = AS_OF + timedelta(days=30 * month)
            with history.past(as_of) as past:
                audit, _ = judged(collected, month, past)
            start = time.process_time()
            history.record(audit)
            seconds.append(time.process_time() - start)
        size, as_of = path.stat().st_size, AS_OF + timedelta(days=30 * AUDITS)
        alone, beside = [], []
        for _ in range(5):
            alone.append(judged(collected, AUDITS, None)[1])
            start = time.process_time()
            with history.past(as_of) as past:
                audit, _ = judged(collected, AUDITS, past)
            beside.append(time.process_time() - start)
        unchanged = grown(history, path, collected, audit)
    times = float(np.median(beside) / np.median(alone))
    print(
        f"judging {TOKENS:,} tokens: {np.median(alone):.2f} s without a history, {np.median(beside):.2f} s with one of "
        f"{AUDITS} audits, reading it included: {times:.2f} × (at most {MOST_TIMES}), {len(audit.findings):,} findings"
    )
    print(
        f"recording: {seconds[0]:.1f} s the first, {np.median(seconds[1:]):.1f} s each later audit; "
        f"{size / TOKENS / AUDITS:.0f} bytes a token and audit in all, {unchanged:.1f} where nothing changed "
        f"(at most {MOST_BYTES})"
    )
    assert times <= MOST_TIMES, "judging with a history takes too long"
    assert unchanged <= MOST_BYTES, "an audit without changes takes too much room"


def grown(history: History, path: Path, collected: Snapshot, audit: Audit) -> float:
    """By how many bytes a token the history grows with an audit that sees what the one before it saw."""
    history.record(audit)
    before = path.stat().st_size
    as_of = audit.as_of + timedelta(seconds=1)
    with history.past(as_of) as past:
        again = evaluate(collected, audit.policy, audit.gate, audit.rules, as_of=as_of, prior=Prior(past))
    history.record(again)
    return (path.stat().st_size - before) / TOKENS


if __name__ == "__main__":
    main()
