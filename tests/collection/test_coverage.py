"""No organization is called complete without proof: every line of the rules on coverage, through real sockets."""

from typing import Any

import pytest

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.shapes import Reply, page
from credly_audit.sandbox.world import SandboxOrganization, Token, made_up_token
from tests.collection.conftest import NOW
from tests.collection.gather import ask, gathered, ids, row


def seen(sandbox: Sandbox, organization: SandboxOrganization, value: str | None = None) -> dict[str, Any]:
    return row(gathered(sandbox, [ask(organization, value)]), organization)


def only_read(organization: SandboxOrganization) -> SandboxOrganization:
    for token in organization.tokens:
        token.write_enabled = token.delete_enabled = False
    return organization


@pytest.mark.parametrize("permission", ["write", "delete"])
def test_one_listed_token_that_can_write_or_delete_proves_the_list_whole(
    sandbox: Sandbox, acme: SandboxOrganization, permission: str
) -> None:
    only_read(acme)
    auditor = acme.tokens[70]
    setattr(auditor, f"{permission}_enabled", True)

    found = seen(sandbox, acme, auditor.token)

    assert (found["status"], found["tokens"], found["total_count"], found["pages"]) == ("complete", 122, 122, 3)
    assert f"A listed token has {permission} permission" in found["reason"]


def test_a_read_only_credential_never_yields_a_complete_organization(
    sandbox: Sandbox, acme: SandboxOrganization
) -> None:
    reader = acme.tokens[5]

    found = seen(sandbox, acme, reader.token)

    assert (found["status"], found["tokens"]) == ("truncated", 121)
    assert "has no write or delete permission" in found["reason"]
    assert "a token with write permission, or OAuth" in found["reason"]


@pytest.mark.parametrize("flags", [(None, None), (False, None), (None, False)])
def test_flags_of_the_own_entry_that_are_null_prove_nothing(
    sandbox: Sandbox, acme: SandboxOrganization, flags: tuple[bool | None, bool | None]
) -> None:
    only_read(acme)
    acme.tokens[0].write_enabled, acme.tokens[0].delete_enabled = flags

    found = seen(sandbox, acme, acme.tokens[0].token)

    assert found["status"] == "unverified"
    assert "does not report the permissions of the credential itself" in found["reason"]


@pytest.mark.parametrize("how", ["null", "stars"])
def test_withheld_values_leave_a_read_only_listing_unverified(
    sandbox: Sandbox, acme: SandboxOrganization, how: str
) -> None:
    only_read(acme)
    acme.faults = [f"masked={how}"]

    snapshot = gathered(sandbox, [ask(acme, acme.tokens[0].token)])

    assert row(snapshot, acme)["status"] == "unverified"
    assert "masks values" in row(snapshot, acme)["reason"]
    assert snapshot.tokens["fingerprint"].isna().all()
    assert not snapshot.tokens["is_audit_credential"].any()


def test_a_credential_that_is_not_listed_leaves_it_unverified(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    only_read(acme)
    acme.tokens[0].raw = {"token": acme.tokens[1].token[::-1]}

    found = seen(sandbox, acme, acme.tokens[0].token)

    assert found["status"] == "unverified"
    assert "own entry is not among them" in found["reason"]


def test_the_older_shape_is_read_to_its_end_and_stays_unverified(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    acme.shape = "legacy"

    snapshot = gathered(sandbox, [ask(acme)])

    found = row(snapshot, acme)
    assert (found["status"], found["tokens"], found["requests"]) == ("unverified", 122, 8)
    assert found["total_count"] is None or str(found["total_count"]) == "<NA>"
    assert snapshot.tokens["write_enabled"].isna().all()
    assert set(snapshot.tokens["date_faults"]) == {"expires_at absent"}


def test_an_empty_listing_is_unverified(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    sandbox.api._endpoints["list"] = lambda *_: Reply(200, page([], 0, 1, 1, sandbox.base_url))

    found = seen(sandbox, acme)

    assert (found["status"], found["tokens"]) == ("unverified", 0)
    assert "The list is empty" in found["reason"]


CONTRADICTIONS = {
    "total-count=130": "122 of 130 reported tokens were listed",
    "short-page": "page 1 is not full although more pages follow",
    "page-repeats": "a token is listed twice",
    "total-pages=5": "page 3 is not full although more pages follow; the last page with tokens is page 3, not page 5",
    "total-pages=2": "the last page with tokens is page 3, not page 2 as reported",
    "claim=count:51": "page 1 reports 51 tokens and contains 50",
    "claim=current_page:1": "page 2 reports that it is page 1",
    'claim=next_page_url:"https://elsewhere.example/"': "page 3 links to a next page, which contains no further token",
    "shifting": "page 1 contained other tokens when it was read again at the end",
    "shifting=added": "report",
}


@pytest.mark.parametrize("fault", CONTRADICTIONS)
def test_a_list_that_contradicts_itself_twice_is_a_mismatch(
    sandbox: Sandbox, acme: SandboxOrganization, fault: str
) -> None:
    acme.faults = [fault]
    acme.tokens.append(acme.tokens.pop(0))  # the auditor's own is none of those that shift away

    found = seen(sandbox, acme)

    assert found["status"] == "mismatch"
    assert CONTRADICTIONS[fault] in found["reason"]
    assert "two attempts" in found["reason"]
    assert "Run the audit again off-peak" in found["reason"]


WITHOUT_TOTALS = ["metadata-empty", "metadata-null", "metadata-only=per", "metadata-only=total_pages,per"]


@pytest.mark.parametrize("metadata", WITHOUT_TOTALS)
@pytest.mark.parametrize(("tokens", "page"), [(51, 1), (120, 1), (120, 2), (101, 2)])
def test_without_totals_a_token_that_moves_to_a_page_that_was_read_is_not_lost(
    sandbox: Sandbox, acme: SandboxOrganization, metadata: str, tokens: int, page: int
) -> None:
    acme.tokens.append(acme.tokens.pop(0))  # the auditor's own is none of those that are removed
    del acme.tokens[: len(acme.tokens) - tokens]
    acme.faults = [metadata, f"shifting@list@page{page}x1"]

    snapshot = gathered(sandbox, [ask(acme)])

    assert ids(snapshot, acme) == [token.id for token in acme.tokens]
    assert row(snapshot, acme)["status"] == "complete"
    reason = row(snapshot, acme)["reason"]
    assert "Two attempts returned the same tokens. An earlier attempt was inconsistent." in reason


@pytest.mark.parametrize("metadata", WITHOUT_TOTALS)
@pytest.mark.parametrize("fault", ["shifting", "page-repeats"])
def test_without_totals_what_is_never_the_same_twice_is_a_mismatch(
    sandbox: Sandbox, acme: SandboxOrganization, metadata: str, fault: str
) -> None:
    acme.tokens.append(acme.tokens.pop(0))
    acme.faults = [metadata, fault]

    assert seen(sandbox, acme)["status"] == "mismatch"


@pytest.mark.parametrize("total_pages", [1, 2, 4])
def test_a_number_of_pages_alone_counts(sandbox: Sandbox, acme: SandboxOrganization, total_pages: int) -> None:
    acme.faults = ["metadata-only=total_pages", f"total-pages={total_pages}"]

    snapshot = gathered(sandbox, [ask(acme)])

    assert row(snapshot, acme)["status"] == "mismatch"
    assert f"not page {total_pages} as reported" in row(snapshot, acme)["reason"]
    assert len(ids(snapshot, acme)) == 122


def foreign(token: Token, healthy: SandboxOrganization) -> Token:
    token.owner_id, token.owner_name = healthy.id, healthy.name
    return token


def test_the_list_of_another_organization_is_a_mismatch_that_names_it(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    acme.faults = [f"listing-of={healthy.id}"]

    found = seen(sandbox, acme)

    assert (found["status"], found["tokens"]) == ("mismatch", 60)
    assert f"All 60 listed tokens belong to organization {healthy.id}, none to this organization" in found["reason"]
    assert "`credly-audit orgs` lists the organizations of a credential" in found["reason"]


def test_an_owner_that_is_no_id_is_not_repeated_in_a_reason(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    for token in acme.tokens:
        token.owner_id = f"\x1b[31m{healthy.tokens[0].token}"

    found = seen(sandbox, acme)

    assert found["status"] == "mismatch"
    assert "belong to other owners" in found["reason"]
    assert "MADE-UP" not in found["reason"]


def test_rows_of_others_prove_nothing_about_truncation(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    only_read(acme)
    foreign(acme.tokens[3], healthy).write_enabled = True
    caller = foreign(acme.tokens[4], healthy)

    assert seen(sandbox, acme, caller.token)["status"] == "unverified"
    assert seen(sandbox, acme, acme.tokens[0].token)["status"] == "truncated"


def test_a_list_with_tokens_of_others_too_stays_complete_by_its_own(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    foreign(acme.tokens[3], healthy)

    assert seen(sandbox, acme)["status"] == "complete"


@pytest.mark.parametrize(
    "owner",
    [
        {"without": ("owner_id", "owner")},
        {"raw": {"owner_id": None, "owner": None}},
        {"raw": {"owner_id": "", "owner": {}}},
        {"raw": {"owner_id": None, "owner": {"id": None, "name": "Acme"}}},
    ],
)
def test_a_token_that_names_no_owner_is_the_organization_s_own(
    sandbox: Sandbox, acme: SandboxOrganization, owner: dict[str, Any]
) -> None:
    for token in acme.tokens:
        token.raw, token.without = owner.get("raw", {}), owner.get("without", ())

    snapshot = gathered(sandbox, [ask(acme)])

    assert row(snapshot, acme)["status"] == "complete"
    assert snapshot.tokens["owner_id"].isna().all()


def test_ids_are_the_same_in_either_case(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    for token in acme.tokens:
        token.owner_id = acme.id.upper()

    found = row(gathered(sandbox, [ask(acme, name=None)]), acme)

    assert (found["status"], found["name"]) == ("complete", "Acme")


def test_a_redirect_to_another_organization_is_not_followed(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    acme.faults = [f"redirect=/v1/organizations/{healthy.id}/authorization_tokens?page=1"]

    found = seen(sandbox, acme)

    assert (found["status"], found["tokens"]) == ("failed", 0)
    assert "redirected the request to another organization or list: not followed" in found["reason"]
    assert {asked.organization_id for asked in sandbox.requests} == {acme.id}


@pytest.mark.parametrize("how", ["removed", "added"])
def test_a_list_that_shifts_once_is_healed_by_the_second_reading(
    sandbox: Sandbox, acme: SandboxOrganization, how: str
) -> None:
    acme.faults = [f"shifting={how}x1"]

    snapshot = gathered(sandbox, [ask(acme)], workers=1)

    assert row(snapshot, acme)["status"] == "complete"
    assert "An earlier attempt was inconsistent" in row(snapshot, acme)["reason"]
    assert ids(snapshot, acme) == [token.id for token in acme.tokens]


def test_a_mismatch_keeps_what_either_reading_saw(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    before = {token.id for token in acme.tokens}
    acme.faults = ["shifting"]

    snapshot = gathered(sandbox, [ask(acme)], workers=1)

    assert set(ids(snapshot, acme)) >= {token.id for token in acme.tokens}
    assert set(ids(snapshot, acme)) <= before
    assert len(ids(snapshot, acme)) == len(set(ids(snapshot, acme)))


def test_page_1_is_read_again_at_the_end_where_it_was_full(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    healthy.tokens = healthy.tokens[:50]

    snapshot = gathered(sandbox, [ask(acme), ask(healthy)])

    pages = [asked.query["page"] for asked in sandbox.requests if asked.organization_id == acme.id]
    assert sorted(pages[1:-1]) == ["2", "3"]
    assert (pages[0], pages[-1]) == ("1", "1")
    assert row(snapshot, healthy)["requests"] == 2


def test_a_claim_of_many_pages_is_no_flood(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    acme.faults = ["total-pages=9999"]

    found = row(gathered(sandbox, [ask(acme)], workers=4), acme)

    assert found["status"] == "mismatch"
    assert found["requests"] < 30


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("write_enabled", "yes", "row 3: write_enabled is neither true, false nor null"),
        ("write_enabled", 1, "row 3: write_enabled is neither true, false nor null"),
        ("description", ["a"], "row 3: description is not a text"),
        ("token", 12345678901234567890, "row 3: token is not a text"),
        ("owner", "Acme", "row 3: owner is not an object"),
        ("id", 42, "row 3: id is not a text"),
        ("id", None, "row 3: it has no id"),
    ],
)
def test_a_field_of_the_wrong_type_fails_the_organization_and_names_the_place(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization, field: str, value: object, said: str
) -> None:
    acme.tokens[52].raw = {field: value}

    snapshot = gathered(sandbox, [ask(acme), ask(healthy)])

    found = row(snapshot, acme)
    assert found["status"] == "failed"
    assert f"page 2, {said}" in found["reason"]
    assert found["tokens"] == (121 if field == "id" else 122)
    assert row(snapshot, healthy)["status"] == "complete"


def test_a_truncated_list_that_also_contradicts_itself_is_truncated(
    sandbox: Sandbox, acme: SandboxOrganization
) -> None:
    only_read(acme)
    acme.faults = ["total-count=130"]

    assert seen(sandbox, acme, acme.tokens[0].token)["status"] == "truncated"


def test_a_failed_page_outweighs_a_truncated_list(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    only_read(acme)
    acme.faults = ["status=500@page2"]

    assert seen(sandbox, acme, acme.tokens[0].token)["status"] == "failed"


def test_what_the_frame_says_of_the_credential(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    acme.tokens.append(made_up_token("auditor", now=NOW, write_enabled=True))
    snapshot = gathered(sandbox, [ask(acme, acme.tokens[-1].token, contact="crm@acme.example", tags=("prod", "eu"))])

    found = row(snapshot, acme)
    own = snapshot.tokens[snapshot.tokens["is_audit_credential"]]
    assert own["token_id"].to_list() == [acme.tokens[-1].id]
    assert found["credential_kind"] == "token"
    assert found["credential_fingerprint"] == own["fingerprint"].item()
    assert found["credential_expires_at"] == acme.tokens[-1].expires_at
    assert (found["contact"], found["tags"]) == ("crm@acme.example", "prod,eu")


def test_an_organization_without_a_name_gets_credlys(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    snapshot = gathered(sandbox, [ask(acme, name=None)])
    assert row(snapshot, acme)["name"] == "Acme"
    assert set(snapshot.tokens["organization_name"]) == {"Acme"}

    acme.faults = ["status=401"]
    assert row(gathered(sandbox, [ask(acme, name=None)]), acme)["name"] == acme.id
