"""Prometheus' text format, read back by promtool."""

import re
from typing import Any

import pytest

from credly_audit.audit.model import Audit
from tests.build import BETA, organization, snapshot, token
from tests.needs import runner
from tests.renderers.rendering import (
    clean,
    empty,
    hostile_audit,
    judged,
    many,
    of_all_kinds,
    rendered,
    with_a_broken_rule,
    with_a_past,
)


def samples(audit: Audit) -> dict[str, float]:
    lines = rendered("prometheus", audit).decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


@pytest.mark.parametrize(
    "make", [of_all_kinds, clean, empty, with_a_broken_rule, with_a_past, lambda: hostile_audit('"}\n# HELP')]
)
def test_promtool_finds_nothing_to_mend(make: Any) -> None:
    promtool = runner("promtool")

    checked = promtool("check", "metrics", input=rendered("prometheus", make()))

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_it_counts_by_severity_by_rule_and_by_status() -> None:
    read = samples(of_all_kinds())

    assert read['credly_audit_findings{severity="critical"}'] == 2
    assert read['credly_audit_findings_by_rule{name="token-expiring",rule="EXP002"}'] == 2
    assert read["credly_audit_findings_waived"] == 1
    assert read['credly_audit_organizations{status="failed"}'] == 1
    assert read['credly_audit_tokens_expiring{within_days="7"}'] == 1
    assert read['credly_audit_tokens_expiring{within_days="60"}'] == 2
    assert read["credly_audit_tokens_expired"] == 1


def test_an_alert_can_tell_incomplete_from_clean() -> None:
    assert samples(clean())["credly_audit_complete"] == 1
    assert samples(of_all_kinds())["credly_audit_complete"] == 0
    assert samples(with_a_broken_rule())["credly_audit_complete"] == 0
    assert samples(of_all_kinds())['credly_audit_verdict{outcome="incomplete"}'] == 1
    assert samples(of_all_kinds())["credly_audit_exit_code"] == 3


def test_an_alert_can_tell_that_no_audit_ran() -> None:
    read = samples(clean())

    assert read["credly_audit_as_of_timestamp_seconds"] == 1795392000
    assert read["credly_audit_generated_timestamp_seconds"] == 1795392000 + 9 * 3600
    assert read["credly_audit_next_expiry_timestamp_seconds"] == 1795392000 + 150 * 86400


def test_the_number_of_series_does_not_grow_with_tokens_or_organizations() -> None:
    assert set(samples(many(300))) == set(samples(many(3)))
    one = judged(snapshot([token(1)], [organization()]))
    two = judged(snapshot([token(1), token(2, BETA)], [organization(), organization(BETA)]))
    assert set(samples(one)) == set(samples(two))


def test_no_label_holds_text_from_outside() -> None:
    labels = re.findall(r'="([^"]*)"', rendered("prometheus", hostile_audit("hostile")).decode())

    assert labels
    assert "hostile" not in " ".join(labels)
