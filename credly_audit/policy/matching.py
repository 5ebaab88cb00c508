"""Which findings a decision is about: whole columns at once, however many decisions there are."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from credly_audit.config.decision_models import Decision

PAIRS = {"decision": "int64", "finding": "int64"}


def matched(
    decisions: Sequence[Decision], findings: pd.DataFrame, tokens: pd.DataFrame, organizations: pd.DataFrame
) -> pd.DataFrame:
    """Every pair of a decision and a finding that it is about: `decision` and `finding`, positions (int64).

    `findings` has rule_id (category), organization_row and token_row, as in `Findings.frame`.
    """
    targets = targeted(decisions, tokens, organizations)
    targets = targets.merge(_rules(targets["rule"], list(findings["rule_id"].cat.categories)), on="rule")
    if targets.empty:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in PAIRS.items()})
    keys = pd.DataFrame(
        {
            "finding": np.arange(len(findings)),
            "rule_code": findings["rule_id"].cat.codes.to_numpy(),
            "organization_row": findings["organization_row"].to_numpy(),
            "token_row": findings["token_row"].to_numpy(),
        }
    )
    keys = keys[np.isin(keys["organization_row"], targets["organization_row"].unique())]
    wide = targets["token"].isna()
    found = [
        keys.merge(targets[wide], on=["rule_code", "organization_row"]),
        keys.merge(targets[~wide], on=["rule_code", "token_row"]),
    ]
    return pd.concat([part[list(PAIRS)] for part in found], ignore_index=True).astype(PAIRS)


def targeted(decisions: Sequence[Decision], tokens: pd.DataFrame, organizations: pd.DataFrame) -> pd.DataFrame:
    """What each decision points at, as rows of the two frames; none where the frames do not hold it.

    decision (position), rule (id or family), token (as written, null: all), organization_row, token_row (-1 where the
    decision names none; a fingerprint may be several tokens').
    """
    written = pd.DataFrame(
        {
            "decision": np.arange(len(decisions)),
            "rule": pd.Series([each.rule for each in decisions], dtype=object),
            "organization_id": pd.Series([each.organization for each in decisions], dtype=object),
            "token": pd.Series([each.token for each in decisions], dtype=object),
        }
    )
    rows = pd.DataFrame(
        {
            "organization_id": organizations["organization_id"].str.lower().astype(object).to_numpy(),
            "organization_row": np.arange(len(organizations)),
        }
    )
    written = written.merge(rows, on="organization_id").drop(columns="organization_id")
    wide = written["token"].isna()
    theirs = tokens["organization_id"].cat.codes.isin(written.loc[~wide, "organization_row"].unique())
    theirs = tokens.loc[theirs.to_numpy(), ["organization_id", "token_id", "fingerprint"]]
    names = pd.concat(
        [
            pd.DataFrame(
                {
                    "organization_row": theirs["organization_id"].cat.codes.astype("int64"),
                    "token": theirs[name].str.lower().astype(object),
                    "token_row": theirs.index,
                }
            )
            for name in ("token_id", "fingerprint")
        ]
    ).dropna()
    narrow = written[~wide].merge(names, on=["organization_row", "token"])
    return pd.concat([written[wide].assign(token_row=-1), narrow], ignore_index=True)


def _rules(wanted: Iterable[str], rule_ids: Sequence[str]) -> pd.DataFrame:
    """For each rule or family wanted the codes of its rules."""
    codes = [
        (rule, code)
        for rule in dict.fromkeys(wanted)
        for code, rule_id in enumerate(rule_ids)
        if rule_id.startswith(rule)
    ]
    return pd.DataFrame(codes, columns=["rule", "rule_code"]).astype({"rule": object, "rule_code": "int64"})
