"""Reason codes: why an organization counts as completely collected, or why it does not.

A sentence for people goes with each code; programs, and this one, decide by the code. Codes are stable: a meaning that
changes gets another code.
"""

from enum import StrEnum
from typing import Self


class ReasonCode(StrEnum):
    """A reason, with the coverage status that it leads to and its meaning (docs/formats.md lists them)."""

    status: str
    meaning: str

    def __new__(cls, code: str, status: str, meaning: str) -> Self:
        """Make a member of its code, its status and its meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.status = status
        member.meaning = meaning
        return member

    PROVED = (
        "proved",
        "complete",
        "A token with write or delete permission is listed, and every reported token was collected.",
    )
    PROVED_BY_REREADING = (
        "proved-by-rereading",
        "complete",
        "A token with write or delete permission is listed; a list without totals was the same in two attempts.",
    )

    READ_ONLY_CREDENTIAL = (
        "read-only-credential",
        "truncated",
        "The credential has no write or delete permission, so Credly lists only read-only tokens.",
    )

    EMPTY_LIST = "empty-list", "unverified", "The list is empty, and nothing proves that it was not truncated."
    OWN_PERMISSIONS_MISSING = (
        "own-permissions-missing",
        "unverified",
        "No listed token is known to have write or delete permission; its own row shows no permissions.",
    )
    OWN_ROW_MISSING = (
        "own-row-missing",
        "unverified",
        "No listed token is known to have write or delete permission; the credential's own row is not listed.",
    )
    VALUES_WITHHELD = (
        "values-withheld",
        "unverified",
        "No listed token is known to have write or delete permission; values are masked, so its row is not known.",
    )
    OAUTH_WITHOUT_PROOF = (
        "oauth-without-proof",
        "unverified",
        "No listed token is known to have write or delete permission; an OAuth access token has no row.",
    )

    OTHER_OWNER = "other-owner", "mismatch", "Every listed token belongs to another owner."
    CONTRADICTION = "contradiction", "mismatch", "The list of tokens was inconsistent in two attempts."
    APPLICATIONS_CONTRADICTION = (
        "applications-contradiction",
        "mismatch",
        "The list of OAuth applications was inconsistent in two attempts.",
    )

    CREDENTIAL_UNAVAILABLE = "credential-unavailable", "failed", "The credential could not be read from its source."
    HTTP_401 = "http-401", "failed", "401: the credential was refused."
    HTTP_403 = "http-403", "failed", "403: the credential lacks the permission."
    BLOCKED = "blocked", "failed", "403 from a firewall or proxy: the request did not reach Credly's API."
    HTTP_404 = "http-404", "failed", "404: no such organization, or not visible to this credential."
    HTTP_408 = "http-408", "failed", "408: Credly took too long to respond."
    HTTP_422 = "http-422", "failed", "422: Credly rejected the request."
    THROTTLED = "throttled", "failed", "429 (too many requests), for longer than `[api] max_throttled_seconds`."
    HTTP_2XX = "http-2xx", "failed", "Another success status, without a list."
    HTTP_3XX = "http-3xx", "failed", "A redirect without a target."
    HTTP_4XX = "http-4xx", "failed", "Another error status."
    HTTP_5XX = "http-5xx", "failed", "Credly failed to respond."
    NOT_A_LIST = "not-a-list", "failed", "The response is not a page of a list."
    FAULTY_ROWS = "faulty-rows", "failed", "Rows of the list have fields of the wrong type."
    TOO_MANY_PAGES = "too-many-pages", "failed", "More than 10,000 pages."
    REDIRECT_REFUSED = (
        "redirect-refused",
        "failed",
        "A redirect to another host, organization or list, or a loop; none of them is followed.",
    )
    OAUTH_REFUSED = "oauth-refused", "failed", "The token endpoint refused the OAuth application (400, 401, 403)."
    OAUTH_FAILED = "oauth-failed", "failed", "The token endpoint granted no access token for another reason."
    OAUTH_UNUSABLE = "oauth-unusable", "failed", "The access token cannot be used, or lacks its scope."
    TIMEOUT = "timeout", "failed", "No response within `[api] timeout`."
    CONNECTION_FAILED = "connection-failed", "failed", "No connection, or it ended before the response was complete."
    HOST_NOT_FOUND = "host-not-found", "failed", "The host's name was not found."
    TLS_UNTRUSTED = "tls-untrusted", "failed", "The host's certificate is not trusted."
    TLS_FAILED = "tls-failed", "failed", "No secure connection."
    PROXY_FAILED = "proxy-failed", "failed", "The proxy did not forward the request, or its address is unusable."
    ANSWER_UNREADABLE = "answer-unreadable", "failed", "The response is too large, or is not valid HTTP."
    REQUEST_IMPOSSIBLE = "request-impossible", "failed", "The request could not be made with these settings."
    APPLICATIONS_UNREADABLE = "applications-unreadable", "failed", "The OAuth applications could not be read."
    APPLICATIONS_FAULTY = "applications-faulty", "failed", "OAuth applications have fields of the wrong type."
