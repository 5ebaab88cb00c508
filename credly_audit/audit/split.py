"""Parts of an audit for those whom it concerns: a part names no other's organization or token."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from credly_audit import snapshot
from credly_audit.audit.comparison import Comparison
from credly_audit.audit.findings import Findings
from credly_audit.audit.gate import reach_verdict
from credly_audit.audit.model import Audit, Places
from credly_audit.policy.apply import Decisions
from credly_audit.policy.policy import Policy
from credly_audit.policy.scope import find_overrides

NOBODY = ""
"""The label of organizations without a contact, an owner or a tag; no person or tag is called so."""


@dataclass(frozen=True, slots=True)
class SplitPart:
    """`label` is whom it is for, as it was written (NOBODY: no one); `name` is fit for a file's name, and its own."""

    label: str
    name: str
    audit: Audit


def split_audit(audit: Audit, by: str) -> Iterator[SplitPart]:
    """Yield a part for each organization, contact, owner or tag, in the order of their first organizations."""
    organizations = audit.organizations
    if by == "owner":
        yield from _group_by_owner(audit)
        return
    if by == "organization":
        groups = [[each] for each in organizations["organization_id"]]
    elif by == "contact":
        groups = [[each] for each in organizations["contact"].fillna(NOBODY)]
    else:
        groups = [[tag for tag in tags.split(",") if tag] or [NOBODY] for tags in organizations["tags"].fillna("")]
    for label in dict.fromkeys(each for group in groups for each in group):
        chosen = np.array([label in group for group in groups])
        title = organizations.loc[chosen, "name"].iloc[0] if by == "organization" else label
        name = _make_file_name(by, title, label)
        yield SplitPart(label, name, _make_part(audit, chosen, snapshot.Part(by, name)))


def select_contact(audit: Audit, *contacts: str) -> Audit:
    """Return the part of the organizations that have this contact, in one of the ways that it is written."""
    chosen = audit.organizations["contact"].isin(contacts).to_numpy(dtype=bool)
    return _make_part(audit, chosen, snapshot.Part("contact", _make_file_name("contact", contacts[0], contacts[0])))


def _group_by_owner(audit: Audit) -> Iterator[SplitPart]:
    """Group by the owner of a token: the register's, else the organization's contact."""
    rows = audit.tokens["organization_id"].cat.codes.to_numpy()
    contacts = audit.organizations["contact"].fillna(NOBODY).to_numpy(dtype=object)
    owners = contacts[rows] if len(rows) else np.array([], dtype=object)
    if audit.policy.register is not None:
        registered = audit.policy.register.entries["owner"].reindex(audit.tokens["register_row"]).to_numpy(dtype=object)
        owners = np.where(pd.isna(registered), owners, registered)
    asked = audit.findings.frame["owner"].astype(object).fillna(NOBODY).to_numpy()
    for label in dict.fromkeys([*contacts, *owners]):
        tokens, findings = owners == label, asked == label
        chosen = contacts == label
        chosen[rows[tokens]] = True
        chosen[audit.findings.frame["organization_row"].to_numpy()[findings]] = True
        name = _make_file_name("owner", label, label)
        theirs = _make_part(audit, chosen, snapshot.Part("owner", name), (tokens, findings, contacts == label))
        yield SplitPart(label, name, theirs)


def _make_file_name(by: str, title: str, label: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or ("other" if label else "nobody")
    return f"by-{by}-{words}-{snapshot.short_digest(label)}"


def _make_part(
    audit: Audit,
    organizations: np.ndarray,
    part: snapshot.Part,
    of_them: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> Audit:
    """Make the audit of some organizations (a mask).

    `of_them` are masks of the tokens and findings that are theirs to see, and of the organizations whose OAuth
    applications are; without it, all.
    """
    frame = audit.findings.frame
    if of_them is None:
        rows = audit.tokens["organization_id"].cat.codes.to_numpy()
        of_them = organizations[rows], organizations[frame["organization_row"].to_numpy()], organizations
    tokens, findings, with_applications = of_them
    findings = findings & _select_with_tokens(frame["token_row"].to_numpy(), tokens)
    ids = list(audit.organizations.loc[organizations, "organization_id"])
    policy, entries = _select_policy(audit, organizations, ids)
    own = audit.tokens[tokens].reset_index(drop=True)
    own["organization_id"] = own["organization_id"].cat.set_categories(ids)
    own["register_row"] = _move_positions(own["register_row"].to_numpy(), entries)
    chosen = frame[findings].reset_index(drop=True)
    chosen["organization_row"] = _move_positions(chosen["organization_row"].to_numpy(), organizations)
    chosen["token_row"] = _move_positions(chosen["token_row"].to_numpy(), tokens)
    for name in ("owner", "waiver_id", "plan_id"):
        chosen[name] = chosen[name].cat.remove_unused_categories()
    theirs = audit.organizations[organizations].reset_index(drop=True)
    header = replace(audit.snapshot.header, organizations_asked=tuple(ids), part=part)
    collected = snapshot.Snapshot(
        header,
        audit.snapshot.tokens[tokens].reset_index(drop=True),
        theirs,
        _select_organizations(audit.snapshot.applications, audit.organizations[with_applications]),
    )
    decisions = _select_decisions(audit.decisions, ids)
    violates = audit.violates[findings]
    return replace(
        audit,
        snapshot=collected,
        policy_change=None,
        policy=policy,
        tokens=own,
        findings=Findings(chosen, audit.findings.evidence, own, theirs, audit.rules, audit.findings.elsewhere),
        violates=violates,
        verdict=reach_verdict(theirs, int(violates.sum()), audit.gate, decisions, broken=bool(audit.broken)),
        places=Places({each: audit.places.organizations[each] for each in ids if each in audit.places.organizations}),
        decisions=decisions,
        limitations=(),
        undelivered=(),
        compared=_select_comparison(audit.compared, audit.organizations[with_applications]),
    )


def _select_comparison(compared: Comparison | None, organizations: pd.DataFrame) -> Comparison | None:
    """Select what these organizations resolved, without what is of all organizations or of others."""
    if compared is None:
        return None
    theirs = compared.resolved["organization_id"].isin(organizations["organization_id"]).to_numpy(dtype=bool)
    resolved = compared.resolved[theirs].reset_index(drop=True)
    of_others = {name: getattr(compared, name)[:0] for name in ("remediated", "trend", "removed")}
    theirs_too = {
        name: frame[frame["organization_id"].isin(organizations["organization_id"])].reset_index(drop=True)
        for name, frame in (("changes", compared.changes), ("deltas", compared.deltas))
    }
    return replace(compared, resolved=resolved, **of_others, **theirs_too)


def _select_organizations(applications: pd.DataFrame, organizations: pd.DataFrame) -> pd.DataFrame:
    return applications[applications["organization_id"].isin(organizations["organization_id"])].reset_index(drop=True)


def _select_with_tokens(rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Select the findings on an organization, and those on a token of the mask."""
    return np.append(tokens, np.True_)[rows]


def _move_positions(rows: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return positions in a frame as positions in what is kept of it (-1 stays)."""
    places = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    return places[rows].astype(rows.dtype)


def _select_policy(audit: Audit, organizations: np.ndarray, ids: list[str]) -> tuple[Policy, np.ndarray]:
    """Return the policy without what it says of others, and the mask of the register's entries that stay."""
    policy = audit.policy
    theirs = audit.organizations[organizations]
    known = set(ids)
    held = {position for found in find_overrides(policy.settings.overrides, theirs) for position in found}
    overrides = tuple(
        override.model_copy(update={"ids": tuple(each for each in override.ids if each in known)})
        for position, override in enumerate(policy.settings.overrides)
        if position in held
    )
    register, entries = policy.register, np.zeros(0, dtype=bool)
    if register is not None:
        entries = register.entries["organization_id"].isin([each.lower() for each in ids]).to_numpy(dtype=bool)
        rows = np.flatnonzero(entries)
        kept, extra = (each.take(rows).reset_index(drop=True) for each in (register.entries, register.extra))
        register = replace(register, entries=kept, extra=extra)
    return (
        replace(
            policy,
            settings=policy.settings.model_copy(update={"overrides": overrides}),
            waivers=tuple(each for each in policy.waivers if each.organization in ids),
            plans=tuple(each for each in policy.plans if each.organization in ids),
            register=register,
            configured=frozenset(ids),
            consumers=(),  # the tokens have theirs by now
        ),
        entries,
    )


def _select_decisions(decisions: Decisions, ids: list[str]) -> Decisions:
    return Decisions(
        tuple(each for each in decisions.waivers if each.waiver.organization in ids),
        tuple(each for each in decisions.plans if each.plan.organization in ids),
        {each: waiver for each, waiver in decisions.accepted.items() if each in ids},
    )
