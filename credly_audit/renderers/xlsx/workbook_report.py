"""What several sheets ask of one audit, computed once: which findings are open, where each list has its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from credly_audit.audit.model import Audit
from credly_audit.renderers.xlsx.sheet_list import Link
from credly_audit.report.briefing import Action, list_actions
from credly_audit.report.counts import SubjectCounts
from credly_audit.report.key_figures import KeyFigures
from credly_audit.report.labels import NO_DESCRIPTION
from credly_audit.report.priorities import Priorities
from credly_audit.report.results import Results
from credly_audit.text import has_words

SUMMARY, ACTIONS, FINDINGS, TOKENS, DECISIONS = "Summary", "Actions", "Findings", "Tokens", "Decisions"
GROUPS = "Decide by group"
CHANGES, CHANGED_ORGANIZATIONS, TREND = "Changes", "Changes by organization", "Trend"
ORGANIZATIONS, EXPIRIES, RESOLVED, RULES, CONTROLS, ABOUT = (
    "Organizations",
    "Expiry calendar",
    "Resolved",
    "Rules and controls",
    "Controls",
    "About",
)


@dataclass(frozen=True)
class WorkbookReport:
    """An audit on its way into a workbook whose lists have at most `most_rows` rows a sheet."""

    audit: Audit
    most_rows: int

    def place(self, title: str, position: int) -> str:
        """Where the row `position` (from 0) of the list on the sheet `title` stands, for a link."""
        sheet, row = divmod(position, self.most_rows)
        return f"'{counted(title, sheet)}'!A{row + 2}"

    @cached_property
    def organization_ranks(self) -> np.ndarray:
        """Where each organization is on its sheet, the worst first."""
        return np.argsort(self.standing.worst_first)

    def place_organizations(self, positions: Sequence[int] | np.ndarray) -> str | None:
        """Return where these organizations (positions in the frame) are on their sheet."""
        return self.place_rows(ORGANIZATIONS, np.sort(self.organization_ranks[np.asarray(positions, dtype="int64")]))

    def place_rows(self, title: str, positions: np.ndarray) -> str | None:
        """Return where these rows (ascending) of a list are: all where they follow each other, else the first."""
        if not len(positions):
            return None
        first, last = int(positions[0]), int(positions[-1])
        start = self.place(title, first)
        is_range = last - first == len(positions) - 1 > 0 and first // self.most_rows == last // self.most_rows
        return f"{start}:A{last % self.most_rows + 2}" if is_range else start

    def link_findings(self, first: np.ndarray) -> Link:
        """Link the open findings of each row of a list to the first of them; `first`: positions, -1 where none is."""
        return Link(
            "Open findings",
            lambda start, stop: [
                self.place(FINDINGS, position) if position >= 0 else None for position in first[start:stop].tolist()
            ],
        )

    @cached_property
    def standing(self) -> SubjectCounts:
        """Count the open findings of tokens and organizations."""
        return SubjectCounts(self.audit)

    @cached_property
    def priorities(self) -> Priorities:
        """The groups of work."""
        return Priorities(self.audit)

    @cached_property
    def results(self) -> Results:
        """What each rule and control came to."""
        return Results(self.audit)

    @cached_property
    def figures(self) -> KeyFigures:
        """The key figures."""
        return KeyFigures(self.audit)

    def find_actions(self, priority: int) -> np.ndarray:
        """Return where the actions of a group stand on the sheet Actions."""
        return np.flatnonzero([each.priority == priority for each in self.actions])

    @cached_property
    def actions(self) -> list[Action]:
        """All of them, the most urgent first."""
        return list(list_actions(self.audit, None))

    @cached_property
    def highest_of_tokens(self) -> np.ndarray:
        """Where each token's highest open finding stands (-1: it has none)."""
        return self._first("token_row", len(self.audit.tokens))

    @cached_property
    def worst_of_organizations(self) -> np.ndarray:
        """The same for each organization, its tokens' findings included."""
        return self._first("organization_row", len(self.audit.organizations))

    @cached_property
    def expiring(self) -> np.ndarray:
        """Positions of the unexpired tokens that have an expiry, the next first."""
        expires = self.audit.tokens["expires_at"]
        ahead = np.flatnonzero(self.audit.expiring)
        order = np.argsort(expires.take(ahead).to_numpy(), kind="stable")
        positions: np.ndarray = ahead[order]
        return positions

    def _first(self, column: str, length: int) -> np.ndarray:
        live = self.standing.open
        subjects = live[column].to_numpy()
        held = subjects >= 0
        first = np.full(length, -1)
        rows, where = np.unique(subjects[held], return_index=True)
        first[rows] = live.index.to_numpy()[held][where]
        return first


def counted(name: str, number: int) -> str:
    """The name of the sheet or table in which a list goes on: `Findings`, `Findings2`."""
    return f"{name}{number + 1}" if number else name


def described(description: str | None) -> str:
    """What stands in a list for a token."""
    return description if description and has_words(description) else NO_DESCRIPTION


def ticks(flags: pd.Series) -> list[str]:
    """`✓` for yes, nothing for no, `?` for what the API did not say."""
    return ["?" if pd.isna(flag) else "✓" if flag else "" for flag in flags]
