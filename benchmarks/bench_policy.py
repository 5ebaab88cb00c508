"""What a policy of thousands costs, in seconds of the processor, and how that grows when there is twice as much of all.

What an audit costs without any of it is left out. A doubling is 2 ×, its square 4 ×.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
from bench_judging import AS_OF, snapshot

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Gate
from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.settings import PolicySettings
from credly_audit.policy.decision_workbook import Typed
from credly_audit.policy.import_decisions import import_rows
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.snapshot import Snapshot

TODAY = date(2026, 11, 23)
DECIDED = {"reason": "Known", "approved_on": date(2026, 6, 1)}


def ids(collected: Snapshot) -> list[str]:
    return collected.organizations["organization_id"].tolist()


def audited(collected: Snapshot, policy: dict[str, Any], waivers: Any = (), plans: Any = ()) -> float:
    """Seconds of the processor for one audit; what the configuration is read in is no part of it."""
    whole = Policy(PolicySettings.model_validate(policy), tuple(waivers), tuple(plans))
    start = time.process_time()
    evaluate(collected, whole, Gate(), catalogue(), as_of=AS_OF)
    return time.process_time() - start


def with_options(many: int) -> float:
    """Overrides with options of their own for each of so many organizations, of 50 tokens each."""
    collected = snapshot(many * 50)
    options = [
        {
            "EXP002": {"windows": {"high": 20 + number % 90, "low": 200}},
            "EXP005": {"max_rotation_age_days": 30 + number},
            "DOC003": {"min_length": 5 + number % 40},
            "DOC004": {"required_patterns": {"team": f"team|{number}"}},
        }
        for number in range(many)
    ]
    overrides = [{"ids": [each], "rules": rules} for each, rules in zip(ids(collected), options, strict=True)]
    return audited(collected, {"overrides": overrides}) - audited(collected, {})


def by_tag(many: int) -> float:
    """As many overrides by a tag as organizations."""
    collected = snapshot(many * 50)
    tags = pd.array([f"all,team-{number}" for number in range(many)], dtype="string")
    collected = replace(collected, organizations=collected.organizations.assign(tags=tags))
    overrides = [{"tags": f"team-{number}*", "disable": ["PRM001"]} for number in range(many)]
    return audited(collected, {"overrides": overrides}) - audited(collected, {})


def of_families(many: int) -> float:
    """Waivers and plans of whole families, all on one organization, with 20 tokens for each."""
    collected = snapshot(many * 20)
    one = ids(collected)[0]
    collected = replace(
        collected,
        tokens=collected.tokens.assign(organization_id=pd.Categorical([one] * len(collected.tokens))),
        organizations=collected.organizations.iloc[:1],
    )
    said = [DECIDED | {"rule": rule, "organization": one} for rule in ("PRM", "DOC", "EXP")]
    waivers = [
        Waiver(**said[number % 3], id=f"W{number}", approved_by="me", expires=date(2027, 1, 1 + number % 28))
        for number in range(many)
    ]
    plans = [
        Plan(**said[number % 3], id=f"P{number}", owner="me", until=date(2027, 1, 1 + number % 28))
        for number in range(many)
    ]
    return audited(collected, {}, waivers, plans) - audited(collected, {})


def of_purposes(many: int) -> float:
    """Purposes of each organization's own."""
    collected = snapshot(many * 50)
    overrides = [
        {"ids": [each], "purposes": [{"pattern": f"number {number}", "allow": ["read"]}]}
        for number, each in enumerate(ids(collected))
    ]
    return audited(collected, {"overrides": overrides}) - audited(collected, {})


def imported_twice(many: int) -> float:
    """Rows of one organization, imported a second time."""
    rows = [
        Typed(
            f"row {number}",
            "accept",
            "Known",
            "me",
            date(2027, 1, 31),
            "PRM001",
            "00000000-0000-4000-8000-000000000000",
            f"{number:08x}-0000-4000-8000-000000000000",
            "",
        )
        for number in range(many)
    ]
    text, _ = import_rows("", rows, PolicySettings(), TODAY)
    start = time.process_time()
    import_rows(text, rows, PolicySettings(), TODAY)
    return time.process_time() - start


MEASURED: dict[str, tuple[Callable[[int], float], tuple[int, int, int]]] = {
    "overrides with rule options": (with_options, (200, 400, 800)),
    "tag overrides × organizations": (by_tag, (500, 1_000, 2_000)),
    "family waivers and plans × 20 tokens": (of_families, (500, 1_000, 2_000)),
    "purposes of organizations": (of_purposes, (500, 1_000, 2_000)),
    "rows imported again": (imported_twice, (1_000, 2_000, 4_000)),
}


MOST_TIMES = 10
"""What four times as much of everything may cost; the square would be 16."""


def main() -> None:
    """Measure each in three sizes; an exit code other than 0 where one grows too fast."""
    with_options(20)  # what is loaded or compiled once
    for name, (measure, sizes) in MEASURED.items():
        seconds = [measure(many) for many in sizes]
        for many, each in zip(sizes, seconds, strict=True):
            print(f"{many:>6,} {name}: {each:6.2f} s, {each / seconds[0]:.1f} ×")
        assert seconds[-1] <= MOST_TIMES * max(seconds[0], 0.05), f"{name}: grows too fast"


if __name__ == "__main__":
    main()
