"""Finds which findings decisions are about, in a time that grows with both and not with their product.

What a decision is about is a subject (an organization, a token by its id, or the tokens of a fingerprint) and some
rules; a finding has few of these pairs. Pairs are compared, and never a decision with a finding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from credly_audit.config.decision_models import Decision, Waiver

NAMES = ("token_id", "fingerprint")


@dataclass(frozen=True, slots=True)
class Targets:
    """What each decision points at: `subjects` (its number, -1: it is not there), `organizations` and `tokens`.

    The last two are positions in the frames: the decision's organization, and its first token (-1: it names none).
    `of_tokens` has for each of NAMES the subject of every token under that name, -1 where no decision can mean it.
    """

    subjects: np.ndarray
    organizations: np.ndarray
    tokens: np.ndarray
    of_tokens: tuple[np.ndarray, ...]
    of_organizations: tuple[np.ndarray, ...]
    """The same of the organizations, for findings on them: a column a `created_before`."""


def find_targets(decisions: Sequence[Decision], tokens: pd.DataFrame, organizations: pd.DataFrame) -> Targets:
    """Return what the decisions point at; the subjects of organizations are their positions.

    Waivers with `created_before` have subjects of their own: the tokens of the organization that they cover. `tokens`
    may have `escalated_at`: since when a token has more permissions than before.
    """
    places = {each: row for row, each in enumerate(organizations["organization_id"].str.lower())}
    rows = np.array([places.get(each.organization, -1) for each in decisions], dtype="int64")
    numbers: dict[tuple[int, str], int] = {}
    for row, each in zip(rows.tolist(), decisions, strict=True):
        if row >= 0 and (name := _name_of(each)) is not None:
            numbers.setdefault((row, name), len(places) + len(numbers))
    codes = tokens["organization_id"].cat.codes.to_numpy()
    first = np.full(len(places) + len(numbers) + 1, -1)
    of_tokens: list[np.ndarray] = []
    of_organizations: list[np.ndarray] = []
    for name in NAMES:
        texts = tokens[name].str.lower()
        wanted = np.flatnonzero(texts.isin([token for _, token in numbers]))
        keys = zip(codes[wanted].tolist(), texts.take(wanted).tolist(), strict=True)
        of_name = np.full(len(tokens), -1)
        of_name[wanted] = [numbers.get(key, -1) for key in keys]
        named = np.flatnonzero(of_name >= 0)[::-1]
        first[of_name[named]] = named
        of_tokens.append(of_name)
    limits = {limit for each in decisions if each.token is None and (limit := _limit_of(each)) is not None}
    for limit in sorted(limits):
        of_limit = np.array([numbers.get((row, f"<{limit.isoformat()}"), -1) for row in range(len(places))])
        covered = _find_covered(tokens, limit)
        of_tokens.append(np.where(covered, np.append(of_limit, -1)[codes], -1))
        first[of_limit[of_limit >= 0]] = 0
        of_organizations.append(of_limit)
    subjects = np.array(
        [
            row if row < 0 or (name := _name_of(each)) is None else numbers[row, name]
            for row, each in zip(rows.tolist(), decisions, strict=True)
        ],
        dtype="int64",
    )
    there = (subjects >= 0) & ((subjects < len(places)) | (first[subjects] >= 0))
    named = np.array([each.token is not None for each in decisions], dtype=bool)
    firsts = np.where(there & named, first[subjects], -1) if len(decisions) else subjects
    return Targets(np.where(there, subjects, -1), rows, firsts, tuple(of_tokens), tuple(of_organizations))


def _limit_of(decision: Decision) -> datetime | None:
    return decision.created_before if isinstance(decision, Waiver) else None


def _name_of(decision: Decision) -> str | None:
    """Return what a decision calls its subject within the organization; None: the organization itself."""
    if decision.token is not None:
        return decision.token
    limit = _limit_of(decision)
    return None if limit is None else f"<{limit.isoformat()}"


def _find_covered(tokens: pd.DataFrame, limit: datetime) -> np.ndarray:
    """Return which tokens were created before an instant and have no more permissions since."""
    if "created_at" not in tokens:  # tokens that were not collected this time
        return np.zeros(len(tokens), dtype=bool)
    covered = (tokens["created_at"] < pd.Timestamp(limit)).fillna(value=False).to_numpy(dtype=bool, copy=True)
    if "escalated_at" in tokens:
        later = (tokens["escalated_at"] >= pd.Timestamp(limit)).fillna(value=False).to_numpy(dtype=bool)
        covered &= ~later
    return covered


@dataclass(frozen=True, slots=True)
class Matches:
    """Which findings the decisions are about: each claims pairs of a subject and a rule, each finding has some."""

    decisions: np.ndarray
    """The decision of each claim."""
    claims: np.ndarray
    """The pair that each claims, as a position among all pairs that are claimed."""
    findings: np.ndarray
    """The pairs of each finding, a column a kind of subject; the last position of all where it has none."""
    many: int
    """The number of pairs that are claimed."""

    @classmethod
    def of(
        cls, decisions: Sequence[Decision], findings: pd.DataFrame, tokens: pd.DataFrame, organizations: pd.DataFrame
    ) -> "Matches":
        """Match decisions with findings: `rule_id` (category), `organization_row` and `token_row`."""
        targets = find_targets(decisions, tokens, organizations)
        rules = list(findings["rule_id"].cat.categories)
        codes: dict[str, list[int]] = {}
        for code, rule in enumerate(rules):
            for name in (rule, rule[:3]):
                codes.setdefault(name, []).append(code)
        claims = [
            (place, subject * len(rules) + code)
            for place, (each, subject) in enumerate(zip(decisions, targets.subjects.tolist(), strict=True))
            if subject >= 0
            for code in codes.get(each.rule, ())
        ]
        places, pairs = np.array(claims, dtype="int64").reshape(-1, 2).T
        known, claimed = np.unique(pairs, return_inverse=True)
        token_rows = findings["token_row"].to_numpy()
        subjects = [
            findings["organization_row"].to_numpy(),
            *(np.append(of, -1)[token_rows] for of in targets.of_tokens),
            *(
                np.where(token_rows < 0, of[findings["organization_row"].to_numpy()], -1)
                for of in targets.of_organizations
            ),
        ]
        rule_codes = findings["rule_id"].cat.codes.to_numpy()
        theirs = np.column_stack(
            [np.where(each < 0, -1, each.astype("int64") * len(rules) + rule_codes) for each in subjects]
        )
        found = np.searchsorted(known, theirs)
        is_claimed = np.append(known, -2)[found] == theirs
        return cls(places, claimed, np.where(is_claimed, found, len(known)), len(known))

    def count(self, among: np.ndarray, decisions: int) -> np.ndarray:
        """Return how many of the findings in a mask each of so many decisions is about."""
        of_pair = np.bincount(self.findings[among].ravel(), minlength=self.many + 1)
        return np.bincount(self.decisions, of_pair[self.claims], minlength=decisions).astype("int64")

    def choose(self, ranks: np.ndarray, holding: np.ndarray) -> np.ndarray:
        """Return for each finding the decision that holds of the highest rank, the first of several; -1: none."""
        order = np.lexsort((np.arange(len(ranks)), -ranks))
        position = np.argsort(order)
        best = np.full(self.many + 1, len(ranks))
        mask = holding[self.decisions]
        np.minimum.at(best, self.claims[mask], position[self.decisions[mask]])
        chosen: np.ndarray = np.append(order, -1)[best[self.findings].min(axis=1, initial=len(ranks))]
        return chosen
