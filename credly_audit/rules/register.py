"""INV: tokens held against the register where they are documented; none of these speaks where there is no register."""

import numpy as np
import pandas as pd

from credly_audit.instant_columns import last_days
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
    rationale="A token that nobody has written down has no owner to ask and no purpose to hold it against; when it "
    "leaks nobody knows what breaks if it is deleted.",
    remediation="Find out what uses the token; add it to the register with its owner, or delete it in Credly.",
    controls=UNDOCUMENTED,
)
def not_in_register(facts: Facts, _: Options) -> Flags:
    absent = facts.unexpired & ~facts.registered if facts.register is not None else np.zeros_like(facts.unexpired)
    hit = facts.tokens.loc[absent, []]
    return flag(hit, pd.Series("The register does not name it.", index=hit.index, dtype="string"))


@rule(
    "INV006",
    "register-entry-gone",
    Severity.LOW,
    summary="The register names a token that Credly no longer lists.",
    rationale="A register that names what is gone is soon believed by nobody, and an approval that outlives its token "
    "may be read as one for the next.",
    remediation="Strike the entry from the register, or find out who deleted the token.",
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
    summary="The token may do more than its register entry approves, or the entry's review date is past.",
    rationale="The register says what was approved, and until when somebody has to look again; what goes beyond that "
    "nobody has agreed to.",
    remediation="Replace the token by one with the permissions approved, or review the entry and set its new review "
    "date.",
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
    said = sentence("Has {words}, which its register entry does not approve.", words=words)
    return said.mask(words == "", "")


def _review_in_words(ends: pd.Series, as_of: pd.Timestamp) -> pd.Series:
    past = ends.dropna()
    said = sentence(
        " Its register entry was to be reviewed by {day} ({ago}).", day=day(past), ago=distance(past, as_of)
    )
    return said.reindex(ends.index).fillna("")
