"""What credly-api.md says of each endpoint, asked over a real socket."""

import re
from datetime import timedelta

import pytest
import requests

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import LIFETIME, SandboxOrganization, World, made_up_token
from tests.sandbox.conftest import NOW, Caller


def test_a_listing_comes_fifty_a_page_with_all_the_metadata(caller: Caller, acme: SandboxOrganization) -> None:
    pages = [caller.tokens(acme, number).json() for number in (1, 2, 3, 4)]

    assert [len(page["data"]) for page in pages] == [50, 50, 22, 0]
    assert len({row["id"] for page in pages for row in page["data"]}) == 122
    url = f"{caller.base_url}/organizations/{acme.id}/authorization_tokens"
    assert pages[1]["metadata"] == {
        "count": 50,
        "current_page": 2,
        "total_count": 122,
        "total_pages": 3,
        "per": 50,
        "previous_page_url": f"{url}?page=1",
        "next_page_url": f"{url}?page=3",
    }


def test_a_row_has_the_fields_of_the_documented_sample(caller: Caller, acme: SandboxOrganization) -> None:
    row = caller.tokens(acme).json()["data"][0]

    assert set(row) == {
        *("id", "token", "owner_id", "description", "owner", "created_at", "expires_at"),
        *("write_enabled", "read_enabled", "delete_enabled"),
    }
    assert row["created_at"] == "2026-11-13T00:00:00.000Z"
    assert set(row["owner"]) == {"type", "id", "name", "url"}


def test_per_is_no_documented_parameter_and_a_page_that_is_no_number_is_the_first(
    caller: Caller, acme: SandboxOrganization
) -> None:
    answer = caller.ask("GET", f"/organizations/{acme.id}/authorization_tokens?page=nothing&per=100").json()

    assert answer["metadata"]["current_page"] == 1
    assert len(answer["data"]) == 50


def test_a_caller_that_can_only_read_sees_only_what_can_only_read_and_no_word_of_the_rest(
    reader: Caller, acme: SandboxOrganization
) -> None:
    answer = reader.tokens(acme, 3).json()

    assert answer["metadata"]["total_count"] == 122
    assert not any(row["write_enabled"] or row["delete_enabled"] for row in answer["data"])
    assert acme.tokens[0].id not in {row["id"] for row in reader.tokens(acme).json()["data"]}


@pytest.mark.parametrize("permission", ["write_enabled", "delete_enabled"])
def test_write_or_delete_alone_is_enough_to_see_everything(
    sandbox: Sandbox, acme: SandboxOrganization, permission: str
) -> None:
    able = made_up_token("able", now=NOW, read_enabled=False, **{permission: True})
    acme.tokens.append(able)

    assert Caller(sandbox, able.token).tokens(acme).json()["metadata"]["total_count"] == 123


def test_an_expired_token_and_a_wrong_value_and_none_are_refused_alike(
    sandbox: Sandbox, acme: SandboxOrganization
) -> None:
    acme.tokens[1].expires_at = NOW
    url = f"{sandbox.base_url}/organizations/{acme.id}/authorization_tokens"

    for value in (acme.tokens[1].token, "MADE-UP-wrong"):
        refused = requests.get(url, auth=(value, ""), timeout=5)
        assert refused.status_code == 401
        assert refused.json() == {"data": {"message": "Unauthorized"}, "metadata": None}
    assert requests.get(url, timeout=5).status_code == 401


@pytest.mark.parametrize("header", ["Basic {value}", "Basic %%%", "Basic bWFkZTp1cA==", "Token {value}"])
def test_only_the_documented_form_of_the_credential_is_taken(
    sandbox: Sandbox, acme: SandboxOrganization, header: str
) -> None:
    url = f"{sandbox.base_url}/organizations/{acme.id}/authorization_tokens"
    told = {"Authorization": header.format(value=acme.auditor.token)}

    assert requests.get(url, headers=told, timeout=5).status_code == 401


def test_another_organization_is_not_found(caller: Caller, other: SandboxOrganization) -> None:
    assert caller.tokens(other).status_code == 404
    assert caller.ask("GET", "/organizations/00000000-0000-4000-8000-000000000000").status_code == 404
    assert caller.ask("DELETE", f"/organizations/{other.id}").status_code == 404


def test_a_credential_belongs_to_the_organizations_that_list_it(
    caller: Caller, acme: SandboxOrganization, other: SandboxOrganization
) -> None:
    assert [row["name"] for row in caller.ask("GET", "/organizations").json()["data"]] == [acme.name]
    assert caller.ask("GET", f"/organizations/{acme.id}").json()["data"]["id"] == acme.id

    other.tokens.append(made_up_token("shared", now=NOW, token=acme.auditor.token))
    answer = caller.ask("GET", "/organizations").json()
    assert [row["id"] for row in answer["data"]] == [acme.id, other.id]
    assert answer["metadata"]["total_count"] == 2


def test_create_gives_a_token_of_full_access_that_works_for_180_days(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization
) -> None:
    made = caller.create(acme, description="Moodle issues badges")
    row = made.json()["data"]

    assert made.status_code == 201
    assert made.headers["Location"].endswith(row["id"])
    assert (row["read_enabled"], row["write_enabled"], row["delete_enabled"]) == (True, True, True)
    assert row["description"] == "Moodle issues badges"
    assert row["expires_at"] == f"{NOW + LIFETIME:%Y-%m-%dT%H:%M:%S}.000Z"
    assert Caller(sandbox, row["token"]).tokens(acme).json()["metadata"]["total_count"] == 123


def test_create_needs_a_token_that_can_write(reader: Caller, acme: SandboxOrganization) -> None:
    assert reader.create(acme).status_code == 403
    assert len(acme.tokens) == 124


def test_a_description_that_is_no_text_is_refused(caller: Caller, acme: SandboxOrganization) -> None:
    assert caller.create(acme, description=["no", "text"]).status_code == 422
    broken = caller.ask("POST", f"/organizations/{acme.id}/authorization_tokens", data=b"{")
    assert broken.status_code == 400


def test_rotation_keeps_the_token_and_kills_its_old_value_at_once(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization
) -> None:
    before = acme.auditor.id, acme.auditor.created_at, acme.auditor.description
    answer = caller.rotate(acme)
    row = answer.json()["data"]

    assert answer.status_code == 200
    assert (row["id"], acme.auditor.created_at, row["description"]) == before
    assert row["expires_at"] == f"{NOW + LIFETIME:%Y-%m-%dT%H:%M:%S}.000Z"
    assert caller.tokens(acme).status_code == 401
    assert Caller(sandbox, row["token"]).tokens(acme).status_code == 200


def test_rotation_may_change_the_description(caller: Caller, acme: SandboxOrganization) -> None:
    assert caller.rotate(acme, description="Rotated").json()["data"]["description"] == "Rotated"


def test_new_values_have_the_length_and_alphabet_of_real_ones_and_say_that_they_are_made_up(
    caller: Caller, acme: SandboxOrganization
) -> None:
    value = caller.create(acme).json()["data"]["token"]

    assert re.fullmatch(r"MADE-UP-[A-Za-z0-9_-]{28}", value)


def test_the_older_shape_has_no_permissions_no_expiry_and_no_metadata(
    caller: Caller, acme: SandboxOrganization
) -> None:
    acme.shape = "legacy"
    answer = caller.tokens(acme, 3).json()

    assert answer["metadata"] == {}
    assert len(answer["data"]) == 22
    assert set(answer["data"][0]) == {"id", "token", "owner_id", "description", "created_at", "owner"}
    assert "expires_at" not in caller.rotate(acme).json()["data"]


def test_a_masked_organization_withholds_values_in_the_listing_alone(caller: Caller, acme: SandboxOrganization) -> None:
    acme.masked = True

    assert {row["token"] for row in caller.tokens(acme).json()["data"]} == {None}
    assert caller.rotate(acme).json()["data"]["token"] == acme.auditor.token


def test_a_row_can_be_replaced_in_part_and_lack_fields(caller: Caller, acme: SandboxOrganization) -> None:
    acme.tokens[0].raw = {"created_at": "31/05/2026", "write_enabled": "yes", "more": 1}
    acme.tokens[0].without = ("expires_at",)
    row = caller.tokens(acme).json()["data"][0]

    assert (row["created_at"], row["write_enabled"], row["more"]) == ("31/05/2026", "yes", 1)
    assert "expires_at" not in row


def test_what_changes_in_the_world_shows_in_the_next_answer(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization, other: SandboxOrganization
) -> None:
    acme.tokens[1].description = "Changed"
    del acme.tokens[2:]
    assert [row["description"] for row in caller.tokens(acme).json()["data"]][1:] == ["Changed"]

    sandbox.world.organizations.remove(other)
    assert Caller(sandbox, other.auditor.token).tokens(other).status_code == 401


def test_the_clock_can_run(acme: SandboxOrganization) -> None:
    clock = [NOW]
    with Sandbox(World([acme]), now=lambda: clock[0]) as sandbox:
        caller = Caller(sandbox, acme.auditor.token)
        assert caller.tokens(acme).status_code == 200
        clock[0] += timedelta(days=170)
        assert caller.tokens(acme).status_code == 401


def test_requests_are_remembered_without_their_credential(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization
) -> None:
    caller.tokens(acme, 2, headers={"User-Agent": "credly-audit/0"})
    caller.tokens(acme, 3)

    asked = sandbox.requests[0]
    assert (asked.method, asked.query, asked.action, asked.status) == ("GET", {"page": "2"}, "list", 200)
    assert (asked.organization_id, asked.scheme, asked.user_agent) == (acme.id, "Basic", "credly-audit/0")
    assert sandbox.requests[1].connection == asked.connection
    assert sandbox.counts == {"list": 2}
    assert acme.auditor.token not in repr((sandbox.requests, acme, sandbox.world))
