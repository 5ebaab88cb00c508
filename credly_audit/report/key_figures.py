"""The key figures of a first screen, each with the rows that it counts and its change since the last audit."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from credly_audit.audit.figures import Figures
from credly_audit.audit.gate import COVERAGE_RULES
from credly_audit.audit.model import Audit
from credly_audit.severity import Severity
from credly_audit.text import count, number, spoken_day

AGES = (("0–30 days", 30), ("31–90 days", 90), ("over 90 days", None))
"""The ages of open findings, with their last whole days."""


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One figure: its name, value and detail, and which rows of which list it counts."""

    name: str
    """`tokens`, `violations`…: stable, also in the history."""
    value: int
    label: str
    """The noun that the value counts."""
    detail: str
    place: str
    """The fragment of the page that shows exactly these rows."""
    rows: np.ndarray
    """The rows that it counts, in the frame of its list (bool)."""
    change: int | None
    """Since the last audit; None: there is none to compare with."""

    @property
    def subject(self) -> str:
        """The list whose rows it counts: `organizations`, `tokens` or `findings`."""
        return self.place[1:].partition("?")[0]

    @property
    def brief(self) -> str:
        """The figure where there is little room: `12 overdue (+3)`."""
        return f"{number(self.value)} {self.label}{f' ({self.described_change})' if self.described_change else ''}"

    @property
    def sentence(self) -> str:
        """The figure on a line of text: `12 overdue (+3), oldest since 3 Sep 2026`."""
        return ", ".join(filter(None, [self.brief, self.detail]))

    @property
    def described_change(self) -> str:
        """The change in words: `+3`, `unchanged`, empty where there is no earlier audit."""
        if self.change is None:
            return ""
        return "unchanged" if self.change == 0 else f"{'+' if self.change > 0 else '-'}{number(abs(self.change))}"


@dataclass(frozen=True)
class KeyFigures:
    """The figures of one audit."""

    audit: Audit

    @cached_property
    def figures(self) -> Figures:
        """What is counted."""
        return Figures(self.audit)

    @cached_property
    def counts(self) -> dict[str, int]:
        """The figures by name."""
        return self.figures.counts

    def __iter__(self) -> Iterator[KeyFigure]:
        """Yield the figures in the order of the first screen."""
        values = self.counts
        yield self._make("complete", self._describe_complete(), "#organizations?coverage=complete", self._incomplete)
        yield self._make("tokens", choose_plural(values["tokens"], "token", "tokens"), "#tokens")
        yield self._make("without_findings", self._clean_label, "#tokens?findings=without", self._share)
        violations = choose_plural(values["violations"], "policy violation", "policy violations")
        yield self._make("violations", violations, "#findings?standing=breaks", self._explain_violations)
        yield self._make("overdue", "overdue", "#findings?due=overdue&standing=open", self._oldest)
        for days in self.figures.windows:
            label = f"expiring within {count(days, 'day', 'days')}"
            yield self._make(f"expiring_{days}", label, f"#tokens?expires={days}")
        risks = choose_plural(values["accepted"], "risk accepted", "risks accepted")
        yield self._make("accepted", risks, "#findings?standing=waived")
        if values["not_assessed"]:
            yield self._make("not_assessed", "not assessed (carried over)", "#findings?standing=unseen")

    def _make(self, name: str, label: str, place: str, detail: str = "") -> KeyFigure:
        value, before = self.counts[name], self._before.get(name)
        change = None if before is None else value - before
        return KeyFigure(name, value, label, detail, place, self.figures.rows[name], change)

    @property
    def _before(self) -> dict[str, int]:
        return {} if self.audit.compared is None else dict(self.audit.compared.figures)

    def _describe_complete(self) -> str:
        return f"{choose_plural(self.counts['complete'], 'organization', 'organizations')} complete"

    @property
    def _incomplete(self) -> str:
        many = self.counts["organizations"]
        return f"{number(many - self.counts['complete'])} of {number(many)} incomplete"

    @property
    def _clean_label(self) -> str:
        word = "compliant" if self.audit.verdict.outcome == "pass" else "without findings"
        return f"{choose_plural(self.counts['without_findings'], 'token', 'tokens')} {word}"

    @property
    def _share(self) -> str:
        many = int(self.figures.in_complete.sum())
        if not many:
            return ""
        return f"{self.counts['without_findings'] * 100 // many} % of the tokens of complete organizations"

    @property
    def _oldest(self) -> str:
        due = self.audit.findings.frame.loc[self.figures.overdue, "due_at"]
        return f"oldest since {spoken_day(due.min())}" if len(due) else ""

    @property
    def _explain_violations(self) -> str:
        """Explain why the violations are not the critical and high findings."""
        codes = self.audit.findings.frame["severity"].cat.codes.to_numpy()
        severe = (codes >= Severity.HIGH.weight) & self.audit.findings.open
        many = int(severe.sum())
        if many == self.counts["violations"]:
            return ""
        rules = self.audit.findings.frame["rule_id"].isin(COVERAGE_RULES).to_numpy(dtype=bool)
        apart = int((severe & rules).sum())
        if apart and many - apart == self.counts["violations"]:
            return (
                f"{number(many)} critical or high, including {number(apart)} on coverage, which is enforced separately"
            )
        return f"{number(many)} critical or high; enforced: {', '.join(self.audit.gate.fail_on) or 'none'}"

    @cached_property
    def ages(self) -> dict[Severity, list[int]]:
        """How many open findings of each severity are of each of AGES; those without a date count as new."""
        frame = self.audit.findings.frame[self.audit.findings.open]
        as_of = pd.Timestamp(self.audit.as_of)
        days = ((as_of - frame["first_seen_at"].fillna(as_of)) // pd.Timedelta(days=1)).to_numpy()
        limits = [last for _, last in AGES if last is not None]
        places = np.searchsorted(limits, days, side="left")
        codes = frame["severity"].cat.codes.to_numpy()
        return {
            severity: np.bincount(places[codes == severity.weight], minlength=len(AGES)).tolist()
            for severity in reversed(Severity)
        }


def choose_plural(many: int, one: str, more: str) -> str:
    """Return the noun for so many."""
    return one if many == 1 else more
