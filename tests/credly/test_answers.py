"""What an answer with an error status is told as."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from credly_audit.credly.refusals import Answer, explain_refusal, find_words, retry_after, words

WORDS = {
    '{"data": {"message": "Invalid or missing Badge Template ID: "}, "metadata": null}': (
        "Invalid or missing Badge Template ID:"
    ),
    '{"message": "Expired"}': "Expired",
    '{"error": "invalid_client", "error_description": "Client authentication failed"}': "Client authentication failed",
    '{"error": "invalid_client"}': "invalid_client",
    '{"error": {"message": "No"}}': "No",
    '{"errors": [{"message": "is invalid", "field": "description"}]}': "is invalid",
    '{"errors": ["is invalid"]}': "is invalid",
    '{"data": {"message": ""}, "message": "Second"}': "Second",
    '{"data": {"message": 5}}': "",
    "[]": "",
    "5": "",
    '"text"': "",
    "": None,
    "<html><body>Blocked</body></html>": None,
    "[" * 100_000: None,
}


@pytest.mark.parametrize("body", WORDS, ids=lambda body: body[:40])
def test_the_api_s_own_words_are_found_wherever_they_stand(body: str) -> None:
    assert find_words(body.encode()) == WORDS[body]
    assert words(Answer(400, body.encode())) == WORDS[body]


def test_words_that_repeat_the_credential_are_shown_to_nobody() -> None:
    answer = Answer(403, b'{"message": "MADE-UP"}', repeats_credential=True)

    assert words(answer) == ""
    assert "lacks the permission" in str(explain_refusal(answer, "Acme", str))
    assert "Credly says" not in str(explain_refusal(answer, "Acme", str))


def told(status: int, body: str = "{}") -> str:
    return str(
        explain_refusal(Answer(status, body.encode()), "Acme", lambda text: text.replace("MADE-UP", "[redacted]"))
    )


def test_every_status_names_itself_the_organization_and_what_to_do() -> None:
    for status in (201, 304, 400, 401, 403, 404, 408, 409, 422, 429, 451, 500, 503, 599):
        assert told(status).startswith(f"{status}: ")
        assert "\n" not in told(status)
        if status != 404:
            assert "Acme" in told(status)


def test_a_401_says_what_it_may_mean() -> None:
    assert told(401) == (
        "401: the credential of Acme was refused: expired, revoked, or of the other environment (production, sandbox); "
        "configure one that works"
    )


def test_a_403_that_is_no_json_never_reached_credly() -> None:
    assert "blocked before it reached Credly" in told(403, "<html>")
    assert "lacks the permission" in told(403, '{"message": "Forbidden"}')


def test_words_are_redacted_made_one_line_and_cut() -> None:
    body = json.dumps({"message": "MADE-UP\n\x1b[31mred\u202e " + "x" * 500})

    said = told(500, body).partition("(Credly says: ")[2]

    assert said.startswith("[redacted]")
    assert said.isprintable()
    assert len(said) == 201
    assert said.endswith("…)")


@pytest.mark.parametrize("header", [None, "", "soon", "-1", "1.5", "١٢", "Wed, 99 Nov 2026 00:00:00 GMT"])
def test_a_retry_after_that_cannot_be_read_is_none(header: str | None) -> None:
    assert retry_after(header) is None


def test_retry_after_in_either_form() -> None:
    now = datetime.now(UTC)

    assert retry_after(" 12 ") == 12.0
    assert retry_after("9" * 5000) == 999_999_999.0
    assert retry_after(format_datetime(now - timedelta(hours=1), usegmt=True)) == 0.0
    assert 28 < (retry_after(format_datetime(now + timedelta(seconds=30), usegmt=True)) or 0) <= 30
