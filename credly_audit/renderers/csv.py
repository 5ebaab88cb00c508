"""CSV: findings, tokens and organizations as tables of one line a row, for spreadsheets' imports and scripts.

RFC 4180, UTF-8 without a byte order mark; instants are ISO 8601 in UTC, null is empty, no text can become a formula.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO

from credly_audit.audit.consumers import TokenConsumer
from credly_audit.audit.findings import COLUMNS
from credly_audit.audit.model import AUDITED_TOKENS, Audit
from credly_audit.renderers.base import Renderer
from credly_audit.renderers.json import encode, rows
from credly_audit.renderers.json import tokens as documented
from credly_audit.snapshot import ORGANIZATIONS
from credly_audit.text import csv_field, instant

Rows = Callable[[Audit], Iterator[dict[str, Any]]]


def render(columns: Iterable[str], records: Rows, audit: Audit, out: BinaryIO) -> None:
    """One table: a header, then a line a record."""
    text = io.TextIOWrapper(out, "utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text)
        writer.writerow(columns)
        writer.writerows(map(field, record.values()) for record in records(audit))
    finally:
        text.detach()


def field(value: Any) -> str:
    """A value as a program reads it back: lists joined by `; `, dictionaries as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, list):
        return csv_field("; ".join(value))
    if isinstance(value, dict):
        return csv_field(encode(value).decode())
    return csv_field(value) if isinstance(value, str) else str(value)


def findings(audit: Audit) -> Iterator[dict[str, Any]]:
    """The findings, worst first."""
    return audit.findings.records()


def tokens(audit: Audit) -> Iterator[dict[str, Any]]:
    """The tokens; the column `register` is empty where there is no register, `consumers` where none is known."""
    for row in documented(audit):
        consumers = [TokenConsumer(**each).describe() for each in row.pop("consumers")]
        yield row | {"register": row.get("register"), "consumers": consumers}


def organizations(audit: Audit) -> Iterator[dict[str, Any]]:
    """The organizations, each with how completely it was seen."""
    return rows(audit.organizations, list(ORGANIZATIONS))


RENDERER = Renderer(
    ".csv",
    partial(render, COLUMNS, findings),
    beside={
        "-tokens.csv": partial(render, (*AUDITED_TOKENS, "register", "consumers"), tokens),
        "-organizations.csv": partial(render, ORGANIZATIONS, organizations),
    },
)
