"""The lists as data for the page's script: a block of JSON a column, read by the browser when it is first needed.

A block is a script of a type that nothing runs; no text in it can end it, since every `<` is written as an escape.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from markupsafe import Markup

from credly_audit.audit import Audit
from credly_audit.findings import plain
from credly_audit.renderers.briefing import remedy
from credly_audit.renderers.html.lists import BAR, Lists, seconds
from credly_audit.renderers.html.words import COVERAGE, ITSELF, NO_DESCRIPTION, SEVERITIES, described
from credly_audit.renderers.text import harmless
from credly_audit.severity import Severity

PIECE = 20_000


def blocks(lists: Lists) -> Iterator[Markup]:
    """Every column of every list, and what they refer to."""
    audit = lists.audit
    yield from block("words", [_words(lists)])
    yield from block("elsewhere", [elsewhere(audit)])
    yield from _frame("findings", _findings(audit), len(audit.findings))
    yield from _frame("tokens", _tokens(lists), len(audit.tokens))
    yield from _frame("organizations", _organizations(lists), len(audit.organizations))


def _frame(name: str, columns: Iterable[tuple[str, Any]], many: int) -> Iterator[Markup]:
    for column, values in columns:
        pieces = (values[start : start + PIECE] for start in range(0, many, PIECE))
        yield from block(f"{name}.{column}", pieces)


def block(name: str, pieces: Iterable[Any]) -> Iterator[Markup]:
    """One column: a list, written a piece at a time."""
    yield Markup(f'<script type="application/json" id="{name}">[')  # noqa: S704 - the names are ours
    comma = ""
    for piece in pieces:
        values = piece.tolist() if isinstance(piece, np.ndarray) else _values(piece)
        text = msgspec.json.encode(values).replace(b"<", b"\\u003c").decode()
        yield Markup(f"{comma}{text[1:-1] if isinstance(values, list) else text}")  # noqa: S704 - no `<` is left
        comma = ","
    yield Markup("]</script>\n")


def _values(piece: Any) -> Any:
    if not isinstance(piece, pd.Series):
        return piece
    if str(piece.dtype).startswith("datetime64"):
        return seconds(piece)
    return [harmless(value) if isinstance(value, str) else value for value in plain(piece)]


def _words(lists: Lists) -> dict[str, Any]:
    """What the numbers in the columns stand for."""
    audit = lists.audit
    frame = audit.findings.frame
    rules = [audit.rules[rule_id] for rule_id in frame["rule_id"].cat.categories]
    words = {
        "asOf": int(audit.as_of.timestamp()),
        "bar": BAR,
        "mostFindings": lists.most_findings,
        "itself": ITSELF,
        "noDescription": NO_DESCRIPTION,
        "severities": [{"tone": severity.value, "word": SEVERITIES[severity]} for severity in Severity],
        "coverage": {
            status: {"word": f"{symbol} {word}", "todo": remedy(audit, status)}
            for status, (symbol, word, _) in COVERAGE.items()
        },
        "rules": [
            {
                "id": rule.id,
                "name": rule.name.replace("-", " "),
                "why": rule.rationale,
                "todo": rule.remediation,
                "controls": "; ".join(audit.findings.controls(rule.id)),
            }
            for rule in rules
        ],
        "owners": list(frame["owner"].cat.categories),
        "statuses": list(frame["status"].cat.categories),
        "waivers": [lists.decisions.get(each, "") for each in frame["waiver_id"].cat.categories],
        "plans": [lists.decisions.get(each, "") for each in frame["plan_id"].cat.categories],
        "rotations": ["created", "inferred", "seen"],
        "owner_ids": list(_codes(audit.tokens["owner_id"]).categories),
        "owner_names": list(_codes(audit.tokens["owner_name"]).categories),
        "owner_types": list(_codes(audit.tokens["owner_type"]).categories),
    }
    return {name: _harmless(value) for name, value in words.items()}


def elsewhere(audit: Audit) -> dict[str, dict[str, str | None]]:
    """By the row of the finding, the tokens that an earlier audit saw and this one did not."""
    lost = audit.findings.unseen & (audit.findings.frame["token_row"] < 0).to_numpy()
    rows = np.flatnonzero(lost).tolist()
    tokens: dict[str, dict[str, str | None]] = {}
    for row, finding in zip(rows, audit.findings.where(lost).records(), strict=True):
        if finding["token_id"] is not None:
            tokens[str(row)] = {
                "id": finding["token_id"],
                "description": harmless(described(finding["description"])),
                "fingerprint": finding["fingerprint"],
            }
    return tokens


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [_harmless(each) for each in value]
    return {name: _harmless(each) for name, each in value.items()} if isinstance(value, dict) else value


def _findings(audit: Audit) -> Iterator[tuple[str, Any]]:
    frame = audit.findings.frame
    yield "id", frame["finding_id"]
    yield "severity", frame["severity"].cat.codes.to_numpy()
    yield "rule", frame["rule_id"].cat.codes.to_numpy()
    yield "organization", frame["organization_row"].to_numpy()
    yield "token", frame["token_row"].to_numpy()
    yield "message", frame["message"]
    yield "due", frame["due_at"]
    yield "first", frame["first_seen_at"]
    yield "waived", frame["waived"].to_numpy(dtype="int8")
    yield "violates", audit.violates.astype("int8")
    for name in ("owner", "status", "waiver_id", "plan_id"):
        yield name.removesuffix("_id"), frame[name].cat.codes.to_numpy()


def _tokens(lists: Lists) -> Iterator[tuple[str, Any]]:
    tokens = lists.audit.tokens
    yield "id", tokens["token_id"]
    yield "organization", tokens["organization_id"].cat.codes.to_numpy()
    yield "description", tokens["description"].map(described, na_action="ignore").astype("string")
    yield "fingerprint", tokens["fingerprint"]
    for name in ("read", "write", "delete"):
        yield name, tokens[f"{name}_enabled"].astype("Int8").fillna(-1).to_numpy(dtype="int8")
    yield "created", tokens["created_at"]
    yield "expires", tokens["expires_at"]
    yield "rotated", tokens["last_rotated_at"]
    yield "rotation", pd.Categorical(tokens["rotation_evidence"], ["created", "inferred", "seen"]).codes
    yield "findings", lists.standing.of_tokens
    yield "gravest", lists.standing.gravest_of_tokens
    yield "faults", tokens["date_faults"]
    yield "secrets", tokens["secrets_in_description"].fillna(0).to_numpy(dtype="int64")
    yield "asks", tokens["is_audit_credential"].to_numpy(dtype="int8")
    for name in ("owner_id", "owner_name", "owner_type"):
        yield name, _codes(tokens[name]).codes


def _codes(column: pd.Series) -> pd.Categorical:
    return pd.Categorical(column.astype(object))


def _organizations(lists: Lists) -> Iterator[tuple[str, Any]]:
    frame, standing = lists.audit.organizations, lists.standing
    names = {"id": "organization_id", "tags": "tags", "claimed": "total_count"}
    for name in ("id", "name", "status", "reason", "contact", "tags", "tokens", "claimed"):
        yield name, frame[names.get(name, name)]
    yield "asked_with", frame["credential_kind"]
    yield "credential", frame["credential_fingerprint"].str[:8]
    yield "credential_expires", frame["credential_expires_at"]
    yield "privileged", standing.privileged
    yield "next", standing.next_expiry
    for severity in Severity:
        yield severity.value, standing.of_organizations[:, severity.weight]
