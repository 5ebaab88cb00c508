"""The lists as data for the page's script: a block of JSON a column, read by the browser when it is first needed.

A block is a script of a type that nothing runs; no text in it can end it, since every `<` is written as an escape.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from markupsafe import Markup

from credly_audit.audit.findings import convert_to_plain
from credly_audit.audit.model import Audit
from credly_audit.audit.rotation import LIFETIME
from credly_audit.renderers.html.page_labels import SEVERITIES, described
from credly_audit.renderers.html.plain_list import PlainList
from credly_audit.renderers.html.rows import BAR, OWNER, UNREGISTERED, Lists, own, seconds
from credly_audit.report.columns import (
    FINDING,
    ORGANIZATION,
    TOKEN,
    Field,
    FieldKind,
    FindingRows,
    OrganizationRows,
    SubjectRows,
    TokenRows,
)
from credly_audit.report.labels import COVERAGE, ITSELF, NO_DESCRIPTION
from credly_audit.report.priorities import Priorities
from credly_audit.severity import Severity
from credly_audit.text import harmless

PIECE = 20_000


def blocks(lists: Lists, plain_lists: Sequence[PlainList]) -> Iterator[Markup]:
    """Every column of every list, and what they refer to."""
    audit = lists.audit
    yield _script("words", _json(_words(lists) | {"lists": {each.name: each.describe() for each in plain_lists}}))
    yield from _frame("findings", _findings(lists), len(audit.findings))
    yield from _frame("tokens", _tokens(lists), len(audit.tokens))
    yield from _frame("organizations", _organizations(lists), len(audit.organizations))
    for each in plain_lists:
        yield from _frame(each.name, each.frame.items(), len(each))


def _frame(name: str, columns: Iterable[tuple[str, Any]], many: int) -> Iterator[Markup]:
    for column, values in columns:
        yield from block(f"{name}.{column}", values, many)


def block(name: str, values: Any, many: int) -> Iterator[Markup]:
    """One column: a list, written a piece at a time; of a column that says the same in every row, that alone."""
    first = _values(values[:1])
    if many > 1 and _is_constant(values):
        yield _script(name, _json({"many": many, "all": first[0]}))
        return
    yield Markup(f'<script type="application/json" id="{name}">[')  # noqa: S704 - the names are ours
    for start in range(0, many, PIECE):
        comma = "," if start else ""
        yield Markup(f"{comma}{_json(_values(values[start : start + PIECE]))[1:-1]}")  # noqa: S704 - no `<` is left
    yield Markup("]</script>\n")


def _script(name: str, text: str) -> Markup:
    return Markup(f'<script type="application/json" id="{name}">{text}</script>\n')  # noqa: S704 - no `<` is in it


def _json(value: Any) -> str:
    """JSON that no HTML begins or ends in."""
    return msgspec.json.encode(value).replace(b"<", b"\\u003c").decode()


def _is_constant(values: Any) -> bool:
    if isinstance(values, np.ndarray):
        return bool((values == values[0]).all())
    return bool(values.isna().all()) or (not values.isna().any() and bool((values == values.iloc[0]).all()))


def _values(piece: Any) -> list[Any]:
    if isinstance(piece, np.ndarray):
        return piece.tolist()
    if str(piece.dtype).startswith("datetime64"):
        return seconds(piece)
    return [harmless(value) if isinstance(value, str) else value for value in convert_to_plain(piece)]


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
        "coverage": COVERAGE,
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
        "register": lists.register,
        "unregistered": "" if audit.policy.register is None else UNREGISTERED,
        "owners": list(frame["owner"].cat.categories),
        "statuses": list(frame["status"].cat.categories),
        "waivers": [lists.decisions.get(each, "") for each in frame["waiver_id"].cat.categories],
        "plans": [lists.decisions.get(each, "") for each in frame["plan_id"].cat.categories],
        "rotations": ["created", "inferred", "seen"],
        "lifetime": int(LIFETIME.total_seconds()),
        "tokenOwners": _owners(lists)[1],
        "elsewhere": elsewhere(audit),
        "fields": {
            name: {field.name: field.kind for field in fields if field.page}
            for name, fields in (("findings", FINDING), ("tokens", TOKEN), ("organizations", ORGANIZATION))
        },
        "many": {"findings": len(frame), "tokens": len(audit.tokens), "organizations": len(audit.organizations)},
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
                "token_id": finding["token_id"],
                "subject": harmless(described(finding["description"])),
                "fingerprint": finding["fingerprint"],
            }
    return tokens


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [_harmless(each) for each in value]
    return {name: _harmless(each) for name, each in value.items()} if isinstance(value, dict) else value


def take_fields(fields: Iterable[Field], part: SubjectRows) -> Iterator[tuple[str, Any]]:
    """Yield the columns of the fields that the page shows, as the script reads them."""
    for field in fields:
        if field.page:
            yield field.name, DATA.get(field.kind, lambda values: values)(field.take(part))


DATA: dict[FieldKind, Callable[[Any], Any]] = {
    FieldKind.DESCRIPTION: lambda values: values.map(described, na_action="ignore").astype("string"),
    FieldKind.FLAG: lambda values: values.astype("Int8").fillna(-1).to_numpy(dtype="int8"),
    FieldKind.MARK: lambda values: np.asarray(values, dtype="int8"),
    FieldKind.FEW: lambda values: values.fillna(0).to_numpy(dtype="int64"),
}
"""How the script reads the kinds that it does not read as they are."""


def _findings(lists: Lists) -> Iterator[tuple[str, Any]]:
    audit, frame = lists.audit, lists.audit.findings.frame
    yield from take_fields(FINDING, FindingRows(lists.standing, slice(None)))
    yield "rule", frame["rule_id"].cat.codes.to_numpy()
    yield "organization", frame["organization_row"].to_numpy()
    yield "token", frame["token_row"].to_numpy()
    yield "waived", frame["waived"].to_numpy(dtype="int8")
    yield "priority", Priorities(audit).of_findings
    for name in ("owner", "status", "waiver_id", "plan_id"):
        yield name.removesuffix("_id"), frame[name].cat.codes.to_numpy()


def _tokens(lists: Lists) -> Iterator[tuple[str, Any]]:
    tokens = lists.audit.tokens
    yield from take_fields(TOKEN, TokenRows(lists.standing, slice(None)))
    yield "organization", tokens["organization_id"].cat.codes.to_numpy()
    yield "rotated", tokens["last_rotated_at"].where(tokens["rotation_evidence"].eq("seen").fillna(value=False))
    yield "rotation", pd.Categorical(tokens["rotation_evidence"], ["created", "inferred", "seen"]).codes
    yield "register", tokens["register_row"].to_numpy()
    yield "owner", _owners(lists)[0]


def _organizations(lists: Lists) -> Iterator[tuple[str, Any]]:
    complete = lists.audit.organizations["status"].eq("complete")
    for name, values in take_fields(ORGANIZATION, OrganizationRows(lists.standing, slice(None))):
        yield name, values.mask(complete.to_numpy()) if name == "reason" else values
    yield "order", lists.standing.worst_first


def _owners(lists: Lists) -> tuple[np.ndarray, list[dict[str, str | None]]]:
    """Of each token the position of its owner among the owners, -1 where that is the organization asked; the owners."""
    tokens = lists.audit.tokens
    organizations = lists.audit.organizations.take(tokens["organization_id"].cat.codes)
    asked = zip(
        convert_to_plain(organizations["organization_id"]), convert_to_plain(organizations["name"]), strict=True
    )
    places: dict[tuple[Any, ...], int] = {}
    codes = [
        -1 if owner == own(*organization) else places.setdefault(owner, len(places))
        for owner, organization in zip(
            zip(*(convert_to_plain(tokens[name]) for name in OWNER), strict=True), asked, strict=True
        )
    ]
    return np.array(codes, dtype="int64"), [dict(zip(("id", "name", "type"), owner, strict=True)) for owner in places]
