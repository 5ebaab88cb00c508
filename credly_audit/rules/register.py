"""INV: tokens compared with the register that documents them; these rules report nothing without a register."""

import numpy as np
import pandas as pd

from credly_audit.instants.instant_columns import last_days
from credly_audit.rules.controls import PERMISSIVE, UNDOCUMENTED
from credly_audit.rules.declare import Flags, Options, flag, rule
from credly_audit.rules.facts import PERMISSIONS, Facts
from credly_audit.rules.wording import day, distance, sentence, shorten
from credly_audit.severity import Severity

LONGEST_PURPOSE = 300


@rule(
    "INV005",
    "not-in-register",
    Severity.HIGH,
    summary="The token is not in the register.",
    rationale="A token that is not documented has no known owner and no approved purpose; if it leaks, no one knows "
    "what breaks when it is deleted.",
    remediation="Identify what uses the token; add it to the register with its owner, or delete it in Credly.",
    task="Add {tokens} of {organizations} to the register",
    controls=UNDOCUMENTED,
)
def not_in_register(facts: Facts, _: Options) -> Flags:
    absent = facts.unexpired & ~facts.registered if facts.register is not None else np.zeros_like(facts.unexpired)
    hit = facts.tokens.loc[absent, []]
    return flag(hit, pd.Series("Not in the register.", index=hit.index, dtype="string"))


@rule(
    "INV006",
    "register-entry-gone",
    Severity.LOW,
    summary="The register names a token that Credly no longer lists.",
    rationale="Entries of removed tokens make a register unreliable, and an approval that remains after its token may "
    "be taken for the approval of another one.",
    remediation="Remove the entry from the register, or find out who deleted the token.",
    task="Remove {entries} of {organizations} whose tokens no longer exist",
    controls=UNDOCUMENTED,
    subject="organization",
)
def register_entry_gone(facts: Facts, _: Options) -> Flags:
    entries = facts.register_entries
    seen = np.append(facts.fully_seen.to_numpy(), [False])[entries["organization_row"]]
    gone = entries[seen & ~entries["listed"].to_numpy()]
    rows = pd.Index(gone["organization_row"])
    gone = gone.set_axis(rows)
    name = gone["token_id"].fillna(gone["fingerprint"])
    purpose = ("“" + shorten(gone["purpose"], LONGEST_PURPOSE) + "”, ").fillna("")
    return Flags(
        rows,
        sentence("Row {row} of the register: {purpose}token {token}.", row=gone["row"], purpose=purpose, token=name),
        discriminator=name,
        owner=gone["owner"],
        evidence=gone[["row", "token_id", "fingerprint", "owner", "purpose"]].rename(columns={"row": "register_row"}),
    )


@rule(
    "INV007",
    "exceeds-register",
    Severity.HIGH,
    summary="The token has more permissions than its register entry approves, or the entry's review is overdue.",
    rationale="The register records the approved permissions and the date of the next review; anything beyond them is "
    "not approved.",
    remediation="Replace the token with one that has the approved permissions, or review the entry and set a new "
    "review date.",
    task="Review {tokens} of {organizations} against the register",
    controls=PERMISSIVE,
)
def exceeds_register(facts: Facts, _: Options) -> Flags:
    entries = facts.register_entries.set_axis(range(len(facts.register_entries)))
    rows = facts.tokens["register_row"].to_numpy()
    theirs = entries.reindex(rows)
    beyond = {
        name: facts.has(name) & ~theirs[f"{name}_approved"].fillna(value=False).to_numpy(dtype=bool)
        for name in PERMISSIONS
    }
    past = (theirs["reviewed_until"] <= facts.as_of).to_numpy()
    mask = facts.unexpired & facts.registered & (np.logical_or.reduce(list(beyond.values())) | past)
    hit = facts.tokens.loc[mask, []]
    words = pd.Series("", index=hit.index, dtype="string")
    for name in PERMISSIONS:
        words = words.str.cat(np.where(beyond[name][mask], f", {name}", ""))
    words = words.str.removeprefix(", ")
    ends = last_days(pd.Series(theirs["reviewed_until"].array[mask], index=hit.index))
    message = _beyond_in_words(words).str.cat(_review_in_words(ends.where(past[mask]), facts.as_of)).str.strip()
    return flag(hit, message, not_approved=words.mask(words == ""), review_by=ends)


def _beyond_in_words(words: pd.Series) -> pd.Series:
    said = sentence("Permissions ({words}) exceed those approved in the register.", words=words)
    return said.mask(words == "", "")


def _review_in_words(ends: pd.Series, as_of: pd.Timestamp) -> pd.Series:
    past = ends.dropna()
    said = sentence(
        " The review of its register entry was due by {day} ({ago}).", day=day(past), ago=distance(past, as_of)
    )
    return said.reindex(ends.index).fillna("")
