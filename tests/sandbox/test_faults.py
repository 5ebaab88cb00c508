"""Every fault, met over a real socket; and the grammar in which faults are asked for."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from credly_audit.errors import UsageError
from credly_audit.sandbox.faults import KINDS, Fault
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import LIFETIME, SandboxOrganization, World, made_up_organization
from tests.sandbox.conftest import NOW, Caller

HERE = re.compile(r'"([a-z0-9-]+)[=@+x"\[{]')


def test_the_tests_below_meet_every_fault() -> None:
    met = set(HERE.findall(Path(__file__).read_text(encoding="utf-8")))

    assert set(KINDS) <= met


@pytest.mark.parametrize("status", [401, 403, 404, 422, 429, 500, 503])
def test_an_error_comes_in_the_envelope_as_often_as_asked(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization, status: int
) -> None:
    sandbox.faults = [f"status={status}x2"]

    assert [caller.tokens(acme).status_code for _ in range(3)] == [status, status, 200]
    sandbox.faults = ["status=422"]
    assert caller.tokens(acme).json() == {"data": {"message": "Unprocessable Entity"}, "metadata": None}


def test_a_refused_rotation_is_not_done_and_one_that_failed_after_is(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization
) -> None:
    value = acme.auditor.token
    sandbox.faults = ["status=500@rotate"]
    assert caller.rotate(acme).status_code == 500
    assert acme.auditor.token == value

    sandbox.faults = ["status-after=500"]
    assert caller.tokens(acme).status_code == 200
    assert caller.rotate(acme).status_code == 500
    assert acme.auditor.token != value


def test_latency_is_waited_for(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["latency=0.1"]
    began = time.monotonic()
    caller.tokens(acme)

    assert time.monotonic() - began >= 0.1


def test_a_rate_refuses_what_comes_faster_and_lets_the_patient_through(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization
) -> None:
    sandbox.faults = ["rate=20", "retry-after=1"]
    answers = [caller.tokens(acme) for _ in range(10)]

    assert answers[0].status_code == 200
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 5
    assert refused[0].headers["Retry-After"] == "1"
    time.sleep(0.06)
    assert caller.tokens(acme).status_code == 200


def test_when_to_come_back_may_be_a_date(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["status=503", "retry-after-date=60"]

    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", caller.tokens(acme).headers["Retry-After"])


def test_web_pages_and_empty_answers(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    for fault, status in (("html", 200), ("forbidden-html", 403), ("empty-401", 401)):
        sandbox.faults = [fault]
        answer = caller.tokens(acme)
        assert answer.status_code == status
        assert (b"<html>" in answer.content) == (fault != "empty-401")


def test_a_redirect_tempts_to_go_elsewhere(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["redirect=https://elsewhere.example/v1/x?y=1"]
    answer = caller.tokens(acme)

    assert (answer.status_code, answer.headers["Location"]) == (307, "https://elsewhere.example/v1/x?y=1")


def test_a_stalled_server_does_not_keep_the_sandbox_from_closing(acme: SandboxOrganization) -> None:
    with Sandbox(World([acme]), now=NOW, faults=["stall"]) as sandbox:
        with pytest.raises(requests.ReadTimeout):
            Caller(sandbox, acme.auditor.token).tokens(acme, timeout=0.1)
        began = time.monotonic()
    assert time.monotonic() - began < 20
    assert sandbox.requests[0].status is None


@pytest.mark.parametrize("fault", ["reset", "lost-before@get", "lost-after@get"])
def test_connections_that_end_without_an_answer(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization, fault: str
) -> None:
    sandbox.faults = [f"{fault}x1"]

    with pytest.raises(requests.ConnectionError):
        caller.tokens(acme)
    assert caller.tokens(acme).status_code == 200


def test_an_answer_lost_before_leaves_the_old_value_and_one_lost_after_kills_it(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization
) -> None:
    for fault, status in (("lost-before", 200), ("lost-after", 401)):
        sandbox.faults = [fault]
        with pytest.raises(requests.ConnectionError):
            caller.rotate(acme)
        assert caller.tokens(acme).status_code == status


def test_what_is_done_and_never_answered_is_done(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["stall-after"]

    with pytest.raises(requests.ReadTimeout):
        caller.rotate(acme, timeout=0.1)
    assert caller.tokens(acme).status_code == 401


def test_an_answer_cut_in_its_middle(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["cut"]

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        caller.tokens(acme)


def test_an_answer_byte_by_byte(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["drip=0.01"]
    with caller.tokens(acme, stream=True) as answer:
        began = time.monotonic()
        assert len(answer.raw.read(10)) == 10
        assert time.monotonic() - began >= 0.08


def test_texts_that_are_no_utf8_and_texts_with_half_a_character(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization
) -> None:
    sandbox.faults = ["bad-utf8"]
    with pytest.raises(UnicodeDecodeError):
        caller.tokens(acme).content.decode()

    sandbox.faults = ["lone-surrogates"]
    description = json.loads(caller.tokens(acme).content)["data"][0]["description"]
    assert (description[0], description[-1]) == ("\ud83d", "\0")


def test_data_and_metadata_of_other_kinds(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    def answer(fault: str) -> Any:
        sandbox.faults = [fault]
        return caller.tokens(acme).json()

    assert isinstance(answer("data-object")["data"], dict)
    assert "data" not in answer("data-missing")
    assert answer("metadata-null")["metadata"] is None
    assert answer("metadata-empty")["metadata"] == {}
    assert answer("total-pages=1000000000")["metadata"]["total_pages"] == 10**9
    assert answer("total-count=7")["metadata"]["total_count"] == 7
    assert answer("claim=current_page:9")["metadata"]["current_page"] == 9
    assert answer('claim=per:"50"')["metadata"]["per"] == "50"
    assert answer("metadata-only=total_pages,per")["metadata"] == {"total_pages": 3, "per": 50}
    assert answer("foreign-next-page-url")["metadata"]["next_page_url"].startswith("https://elsewhere.example/")
    assert len(answer("short-page")["data"]) == 49


def test_only_pages_before_the_last_are_short(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["short-page"]

    assert [len(caller.tokens(acme, number).json()["data"]) for number in (1, 2, 3)] == [49, 49, 22]


def test_the_listing_of_another_organization(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization, other: SandboxOrganization
) -> None:
    sandbox.faults = [f"listing-of={other.id}@{acme.id}"]

    assert {row["owner_id"] for row in caller.tokens(acme).json()["data"]} == {other.id}


def test_a_page_that_repeats(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["page-repeats"]

    assert caller.tokens(acme, 3).json()["data"] == caller.tokens(acme).json()["data"]


@pytest.mark.parametrize(("how", "total"), [("", 121), ("=added", 123)])
def test_tokens_that_come_and_go_between_pages(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization, how: str, total: int
) -> None:
    sandbox.faults = [f"shifting{how}x1"]
    seen = [row["id"] for number in (1, 2, 3) for row in caller.tokens(acme, number).json()["data"]]

    assert len(seen) == total
    assert len(acme.tokens) == total
    assert caller.tokens(acme).json()["metadata"]["total_count"] == total
    assert caller.tokens(acme).status_code == 200


def test_values_that_are_withheld(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["masked"]
    assert caller.tokens(acme).json()["data"][0]["token"] is None

    sandbox.faults = ["masked=stars"]
    assert caller.tokens(acme).json()["data"][0]["token"] == "*" * 32 + acme.auditor.token[-4:]

    sandbox.faults = ["masked@create", "masked=stars@rotate"]
    assert caller.create(acme).json()["data"]["token"] is None
    assert caller.rotate(acme).json()["data"]["token"].startswith("*" * 32)

    caller.session.auth = (acme.auditor.token, "")
    sandbox.faults = ["no-token-in-answer"]
    assert "token" not in caller.create(acme).json()["data"]
    assert "token" not in caller.rotate(acme).json()["data"]

    caller.session.auth = (acme.auditor.token, "")
    sandbox.faults = ["read-only-token"]
    assert caller.create(acme).status_code == 201
    assert acme.tokens[-1].write_enabled is False


def test_the_older_shape_as_a_fault(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["legacy"]
    answer = caller.tokens(acme).json()

    assert answer["metadata"] == {}
    assert "expires_at" not in answer["data"][0]


def test_access_tokens_that_end_soon_are_a_fault_of_their_own() -> None:
    assert Fault.read("oauth-expires=5").value == "5"


def test_a_fault_may_keep_to_an_organization_an_action_a_method_and_a_page(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization, other: SandboxOrganization
) -> None:
    sandbox.faults = [f"status=503@{acme.id}@list@get@page2"]

    assert [caller.tokens(acme, number).status_code for number in (1, 2, 3)] == [200, 503, 200]
    assert Caller(sandbox, other.auditor.token).tokens(other, 2).status_code == 200


def test_a_fault_may_wait(sandbox: Sandbox, caller: Caller, acme: SandboxOrganization) -> None:
    sandbox.faults = ["status=503@list+1x2"]

    assert [caller.tokens(acme).status_code for _ in range(4)] == [200, 503, 503, 200]


def test_an_organization_may_have_faults_of_its_own(
    sandbox: Sandbox, caller: Caller, acme: SandboxOrganization, other: SandboxOrganization
) -> None:
    acme.faults = ["status=503x1"]

    assert Caller(sandbox, other.auditor.token).tokens(other).status_code == 200
    assert [caller.tokens(acme).status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stal", "there is no fault 'stal'; did you mean 'stall'?"),
        ("lost@rotate", "did you mean 'lost-"),
        ("status", "write status=CODE"),
        ("status=200", "write status=CODE"),
        ("status=503@rotat", "write status=CODE"),
        ("stall@rotat", "where a scope is an organization's id, list, create, rotate"),
        ("latency=soon", "write latency=SECONDS"),
        ("html=1", "html takes no value"),
        ("", "write NAME"),
    ],
)
def test_a_fault_that_is_none_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)) as refused:
        Sandbox(World([]), faults=[text])
    assert "\n" not in str(refused.value)


def test_a_fault_that_is_none_is_found_in_an_organization_too() -> None:
    with pytest.raises(UsageError, match="did you mean 'masked'"):
        Sandbox(World([made_up_organization(1, now=NOW, faults=["mask"])]))


def test_two_clients_at_once_lose_nothing(caller: Caller, acme: SandboxOrganization) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda number: caller.create(acme, description=f"Number {number} of many"), range(64)))

    assert {answer.status_code for answer in made} == {201}
    assert len({token.id for token in acme.tokens}) == 122 + 64
    assert all(token.expires_at == NOW + LIFETIME for token in acme.tokens[122:])
