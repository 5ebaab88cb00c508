"""Finds which findings decisions are about, in a time that grows with both and not with their product.

What a decision is about is a subject (an organization, a token by its id, or the tokens of a fingerprint) and some
rules; a finding has few of these pairs. Pairs are compared, and never a decision with a finding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credly_audit.config.decision_models import Decision

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


def find_targets(decisions: Sequence[Decision], tokens: pd.DataFrame, organizations: pd.DataFrame) -> Targets:
    """Return what the decisions point at; the subjects of organizations are their positions."""
    places = {each: row for row, each in enumerate(organizations["organization_id"].str.lower())}
    rows = np.array([places.get(each.organization, -1) for each in decisions], dtype="int64")
    numbers: dict[tuple[int, str], int] = {}
    for row, each in zip(rows.tolist(), decisions, strict=True):
        if row >= 0 and each.token is not None:
            numbers.setdefault((row, each.token), len(places) + len(numbers))
    codes = tokens["organization_id"].cat.codes.to_numpy()
    first = np.full(len(places) + len(numbers) + 1, -1)
    of_tokens = []
    for name in NAMES:
        texts = tokens[name].str.lower()
        wanted = np.flatnonzero(texts.isin([token for _, token in numbers]))
        keys = zip(codes[wanted].tolist(), texts.take(wanted).tolist(), strict=True)
        of_name = np.full(len(tokens), -1)
        of_name[wanted] = [numbers.get(key, -1) for key in keys]
        named = np.flatnonzero(of_name >= 0)[::-1]
        first[of_name[named]] = named
        of_tokens.append(of_name)
    subjects = np.array(
        [
            row if row < 0 or each.token is None else numbers[row, each.token]
            for row, each in zip(rows.tolist(), decisions, strict=True)
        ],
        dtype="int64",
    )
    there = (subjects >= 0) & ((subjects < len(places)) | (first[subjects] >= 0))
    return Targets(np.where(there, subjects, -1), rows, np.where(there, first[subjects], -1), tuple(of_tokens))


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
    """Count pairs are claimed."""

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
