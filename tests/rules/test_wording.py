"""Messages say the facts and the dates."""

from datetime import timedelta

import pandas as pd
import pytest

from credly_audit.audit.model import Audit
from credly_audit.rules.wording import sentence
from tests.build import ACME, AS_OF, BETA, audited, organization, snapshot, token

DAY = timedelta(days=1)


def messages(audit: Audit, rule_id: str) -> list[str]:
    return [finding["message"] for finding in audit.findings.records() if finding["rule_id"] == rule_id]


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (
            6 * DAY + timedelta(hours=3),
            "Expires on 29 Nov 2026 (in 6 days); integrations that use it will stop working.",
        ),
        (DAY, "Expires on 24 Nov 2026 (in 1 day); integrations that use it will stop working."),
        (DAY / 2, "Expires on 23 Nov 2026 (within a day); integrations that use it will stop working."),
    ],
)
def test_an_expiry_is_told_with_its_date_and_its_distance(ahead: timedelta, said: str) -> None:
    assert messages(audited(snapshot([token(expires_at=AS_OF + ahead)])), "EXP002") == [said]


def test_an_expired_token_is_told_with_the_days_since() -> None:
    audit = audited(snapshot([token(expires_at=AS_OF - 2 * DAY)]))

    assert messages(audit, "EXP001") == [
        "Expired on 21 Nov 2026 (2 days ago) and is still listed: integrations that used it no longer work."
    ]


def test_full_access_of_the_auditing_credential_names_the_way_out() -> None:
    full = {"write_enabled": True, "delete_enabled": True}
    audit = audited(snapshot([token(1, **full, is_audit_credential=True), token(2, **full)]))

    fault = "Full access (read, write, delete) without approval."
    way_out = (
        " It is the credential of this audit: a token with only write permission, or OAuth, also sees every token."
    )
    assert messages(audit, "PRM001") == [fault + way_out, fault]


def test_a_shared_value_names_no_other_organization() -> None:
    audit = audited(snapshot([token(1, fingerprint="a" * 16), token(2, BETA, fingerprint="a" * 16)]))

    assert messages(audit, "INV002") == ["The same secret value is used by 1 token of another organization."] * 2


def test_an_organization_that_was_not_seen_says_why() -> None:
    hidden = organization(BETA, status="failed", reason="401: the credential of Beta was refused.")

    assert messages(audited(snapshot([], [hidden])), "COV004") == ["401: the credential of Beta was refused."]


def test_a_credential_that_expires_before_the_next_audit_is_told() -> None:
    audit = audited(snapshot([], [organization(ACME, credential_expires_at=AS_OF + 35 * DAY)]))

    assert messages(audit, "COV005") == ["The credential that audits it expires on 28 Dec 2026 (in 35 days)."]


def test_what_is_not_known_reads_as_a_dash() -> None:
    assert list(sentence("is {what}", what=pd.Series([None, "x"], dtype="string"))) == ["is –", "is x"]
