"""A Credly that answers as oddly as it is told to: to the POST, to the old value, and to whoever lists."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from credly_audit.sandbox.api import ApiRequest, SandboxApi, basic_user
from credly_audit.sandbox.faults import Faults
from credly_audit.sandbox.shapes import Reply, refusal
from credly_audit.sandbox.world import SandboxOrganization, Token

ROW = "**"
"""Stands in a template for the fields of the row but its value."""

FAKE = "MADE-UP-kT7pQ2xVb9LmZ4rWc8NyHs3dJf6G"
"""Has the shape of a value, and is none."""


def row(**fields: Any) -> dict[str, Any]:
    """The template of an answer with the token's row and these fields."""
    return {"data": {ROW: ROW, **fields}, "metadata": {}}


WORDS = {
    "hidden": "[hidden]",
    "stars": "****",
    "dots": "••••••••••••••••••••",
    "crosses": "xxxxxxxxxxxxxxxxxxxxxxxx",
    "a sentence": "The value is shown once, in the web page",
    "one word": "REDACTED-REDACTED-REDACTED",
    "a digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "nothing": "",
    "blanks": "   ",
}
"""What can stand in the place of a value."""

HOLDS_IT: dict[str, Any] = {
    "as it should be": row(token="{new}"),
    "blanks around it": row(token="  {new}\n"),
    "a mark before it": row(token="\ufeff{new}\u200b"),
    "a scheme before it": row(token="Bearer {new}"),
    "another key": row(value="{new}"),
    "two keys": row(token="[hidden]", authorization_token="{new}"),
    "deeper": {"data": {"attributes": {ROW: ROW, "token": "{new}"}}, "links": {"self": "/v1/x"}},
    "in an array": row(token=["{new}"]),
    "the row in an array": {"data": [{ROW: ROW, "token": "{new}"}], "metadata": {}},
    "bare": {ROW: ROW, "token": "{new}"},
    "without its end": b'{"data":{"token":"{new}","owner_id":"88cf',
}
"""Answers to a POST that hold the new value."""

ELSEWHERE = {"another key", "two keys", "deeper", "in an array"}

LACKS_IT: dict[str, Any] = {
    "as documented": row(),
    "null": row(token=None),
    "a number": row(token=12345678901234567890),
    "the old value": row(token="{old}"),
    "a value that is refused": row(token=FAKE),
    "a value that is refused, elsewhere": row(request=FAKE),
    "only words": {"message": "The token was rotated"},
    "a web page": b"<!DOCTYPE html><html><body>Welcome</body></html>",
    "cut": b'{"data":{"description":"CRM","token":"MADE-',
    "no body": b"",
    "JSON null": b"null",
    **{f"words: {name}": row(token=words) for name, words in WORDS.items()},
}

LISTINGS = {
    "the value": "{new}",
    "the old value": "{old}",
    "another value": FAKE,
    "null": None,
    **{f"words: {name}": words for name, words in WORDS.items()},
}
"""What a listing shows as the value of the token that was rotated or made."""

OLD = ("is dead", "still answers", "answers once more", "is silent")
"""How requests with the old value are answered after the rotation."""


def filled(template: Any, row: Mapping[str, Any], new: str, old: str) -> Any:
    """The template with the fields of the row, the new value and the old one."""
    if isinstance(template, str):
        return template.replace("{new}", new).replace("{old}", old)
    if isinstance(template, bytes):
        return template.replace(b"{new}", new.encode())
    if isinstance(template, list):
        return [filled(each, row, new, old) for each in template]
    if isinstance(template, dict):
        fields = {key: value for key, value in row.items() if key != "token"} if ROW in template else {}
        own = {key: filled(value, row, new, old) for key, value in template.items() if key != ROW}
        return fields | own
    return template


@dataclass
class Odd:
    """Stands before the real endpoints. The POST does what it should, unless `refuses` says a status instead."""

    api: SandboxApi
    organization: SandboxOrganization
    form: Any = None
    """Of the answer to the POST."""
    refuses: int | None = None
    breaks: int | None = None
    """The status that is answered though the POST was done."""
    old_value: str = OLD[0]
    listing: str = "the value"
    """What the second credential's listing shows of the token that was rotated or made."""
    own_listing: str = "the value"
    """The same for the credential that made it."""
    asked: list[str] = field(default_factory=list)
    """Who listed after the POST: `old`, `own`, `second`."""
    token: Token | None = None
    """The one that was rotated or made."""
    old: str = ""
    stale: Reply | None = None

    def answer(self, request: ApiRequest, faults: Faults) -> Reply:
        if request.method == "POST":
            return self._post(request, faults)
        answer = self.api.answer(request, faults)
        who = basic_user(request.authorization)
        if self.token is None:
            self.stale = answer if who == self.organization.tokens[0].token else self.stale
        elif who == self.old:
            return self._to_the_old_value(answer)
        elif who == self.organization.tokens[0].token and self.token is not self.organization.tokens[0]:
            self.asked.append("own")
            return self._shown(answer, self.own_listing)
        elif who != self.token.token:
            self.asked.append("second")
            return self._shown(answer, self.listing)
        return answer

    def _post(self, request: ApiRequest, faults: Faults) -> Reply:
        if self.refuses:
            return refusal(self.refuses, "No")
        asks = self.organization.tokens[0]
        old = asks.token
        answer = self.api.answer(request, faults)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            return answer
        self.token = asks if request.action == "rotate" else self.organization.tokens[-1]
        self.old = old if request.action == "rotate" else ""
        if self.breaks:
            return refusal(self.breaks, "Something went wrong")
        made = answer.content["data"]
        content = answer.content if self.form is None else filled(self.form, made, made["token"], old)
        return Reply(answer.status, content, answer.headers)

    def _to_the_old_value(self, answer: Reply) -> Reply:
        self.asked.append("old")
        if self.old_value == "is silent":
            return refusal(503, "Later")
        if self.old_value == "still answers" or (
            self.old_value == "answers once more" and self.asked.count("old") == 1
        ):
            assert self.stale is not None
            return self.stale
        return answer

    def _shown(self, answer: Reply, listing: str) -> Reply:
        assert self.token is not None
        content = copy.deepcopy(answer.content)
        for listed in content["data"] if answer.status == HTTPStatus.OK else ():
            if listed["id"] == self.token.id:
                listed["token"] = filled(LISTINGS[listing], {}, self.token.token, self.old)
        return Reply(answer.status, content, answer.headers)
