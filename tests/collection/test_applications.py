"""OAuth applications are read as tokens are, page by page, and what was not seen of them is said."""

import re
from typing import Any

import pandas as pd
import pytest

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import OAuthApplication, SandboxOrganization
from credly_audit.snapshot import APPLICATIONS, Snapshot
from tests.collection.conftest import NOW
from tests.collection.gather import ask, gathered, row, without

SECRET = "MADE-UP-secret-of-an-application-000"


def application(number: int, **said: Any) -> OAuthApplication:
    usual: dict[str, Any] = {"description": f"Wallet number {number}", "created_at": NOW, "updated_at": NOW}
    named = {"name": f"App {number}", "uid": f"MADE-UP-uid-{number}", "secret": SECRET}
    return OAuthApplication(number, **named | usual | said)


def collected(sandbox: Sandbox, *organizations: SandboxOrganization, **api: Any) -> Snapshot:
    patience = {"include_oauth_applications": True, "timeout": 5.0} | api
    return gathered(sandbox, [ask(each) for each in organizations], **patience)


def test_every_page_is_read_into_a_frame_of_its_own(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    acme.oauth_applications = [application(number) for number in range(120)]
    healthy.oauth_applications = [application(7, creator_available=False, description=None)]

    snapshot = collected(sandbox, acme, healthy)

    frame = snapshot.applications
    assert snapshot.header.oauth_applications_asked
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == APPLICATIONS
    assert frame["organization_id"].value_counts().to_dict() == {acme.id: 120, healthy.id: 1}
    last = frame.iloc[-1]
    assert (last["application_id"], last["name"], last["creator_available"]) == ("7", "App 7", False)
    assert pd.isna(last["description"])
    assert last["updated_at"] == NOW
    assert (row(snapshot, acme)["status"], row(snapshot, acme)["tokens"]) == ("complete", 122)
    assert row(snapshot, acme)["requests"] == 3 + 1 + 3 + 1


def test_without_being_asked_for_they_are_not_asked_for(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    acme.oauth_applications = [application(1)]
    acme.faults = ["status=500@oauth-applications"]

    snapshot = gathered(sandbox, [ask(acme)])

    assert (len(snapshot.applications), snapshot.header.oauth_applications_asked) == (0, False)
    assert row(snapshot, acme)["status"] == "complete"


def test_secrets_in_names_and_descriptions_are_taken_out(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    own = acme.tokens[3].token
    acme.oauth_applications = [application(1, name=f"Bridge {own}", description=f"Uses {own} since May")]

    frame = collected(sandbox, acme).applications

    assert list(frame["name"]) == ["Bridge [redacted]"]
    assert list(frame["description"]) == ["Uses [redacted] since May"]
    assert list(frame["secrets_in_description"]) == [1]


def test_neither_client_id_nor_secret_is_kept(sandbox: Sandbox, acme: SandboxOrganization, tmp_path: Any) -> None:
    acme.oauth_applications = [application(1)]
    file = tmp_path / "it.snapshot"

    collected(sandbox, acme).write(file)

    content = file.read_bytes()
    assert b"App 1" in content
    assert b"MADE-UP" not in content


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (
            "status=403",
            "failed",
            "could not be read: 403: the credential of Acme lacks the permission to list its OAuth",
        ),
        ("status=404", "failed", "could not be read: 404: "),
        ("status=500", "failed", "could not be read: 500: Credly could not answer"),
        ("status=500@page2", "failed", "could not be read: page 2: 500: "),
        ("html", "failed", "could not be read: the answer is not a list of OAuth applications: it is a web page"),
        ("stall", "failed", "did not answer in time"),
    ],
)
def test_an_organization_whose_applications_were_not_seen_is_not_complete(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization, fault: str, status: str, said: str
) -> None:
    acme.oauth_applications = [application(number) for number in range(60)]
    acme.faults = [f"{fault}@oauth-applications"]

    snapshot = collected(sandbox, acme, healthy, timeout=1.5)

    found = row(snapshot, acme)
    assert (found["status"], found["tokens"]) == (status, 122)
    assert "A listed token has write permission" in found["reason"]
    assert said in found["reason"]
    assert "set [api] include_oauth_applications = false" in found["reason"]
    assert row(snapshot, healthy)["status"] == "complete"


def test_a_list_of_applications_that_contradicts_itself_is_read_again_and_then_a_mismatch(
    sandbox: Sandbox, acme: SandboxOrganization
) -> None:
    acme.oauth_applications = [application(1)]
    acme.faults = ["total-count=3@oauth-applications"]

    found = row(collected(sandbox, acme), acme)

    assert found["status"] == "mismatch"
    assert (
        "OAuth applications was inconsistent in two attempts (1 of 3 reported OAuth applications were listed"
        in found["reason"]
    )


def test_applications_without_totals_are_read_twice(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    acme.oauth_applications = [application(number) for number in range(51)]
    acme.faults = ["metadata-empty@oauth-applications"]

    snapshot = collected(sandbox, acme)

    assert (row(snapshot, acme)["status"], len(snapshot.applications)) == ("complete", 51)
    assert sandbox.counts["oauth-applications"] == 6


def test_an_application_of_the_wrong_type_is_no_clean_one(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    broken = application(1)
    broken.creator_available = "perhaps"  # type: ignore[assignment]
    acme.oauth_applications = [broken]

    found = row(collected(sandbox, acme), acme)

    assert found["status"] == "failed"
    assert "row 1: creator_available is neither true, false nor null" in found["reason"]


def test_what_is_worse_of_both_lists_is_the_status_and_both_are_told(
    sandbox: Sandbox, acme: SandboxOrganization
) -> None:
    for token in acme.tokens:
        token.write_enabled = False
    acme.oauth_applications = [application(1)]
    acme.faults = ["total-count=3@oauth-applications"]

    found = row(
        gathered(sandbox, [ask(acme, acme.tokens[0].token)], include_oauth_applications=True, timeout=5.0),
        acme,
    )

    assert found["status"] == "truncated"
    assert "only read-only tokens" in found["reason"]
    assert "was inconsistent" in found["reason"]


def test_a_credential_that_cannot_be_had_or_is_refused_is_told_once(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    acme.faults = ["status=401"]

    snapshot = gathered(
        sandbox,
        [ask(acme), without(healthy, "credential could not be read")],
        include_oauth_applications=True,
        timeout=5.0,
    )

    assert len(re.findall("refused", row(snapshot, acme)["reason"])) == 1
    assert row(snapshot, healthy)["reason"] == "Credential could not be read."
