"""What a change of the configuration does to the findings of one snapshot."""

from dataclasses import dataclass

from credly_audit.audit.findings import Findings
from credly_audit.text import count, number


@dataclass(frozen=True, slots=True)
class RuleChange:
    """How many findings of a rule a change adds and removes."""

    rule_id: str
    adds: int
    removes: int


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """The rules whose findings a change adds or removes. Waived findings do not count, so a new waiver removes."""

    rules: tuple[RuleChange, ...]

    @property
    def adds(self) -> int:
        """Count the findings that the change adds."""
        return sum(each.adds for each in self.rules)

    @property
    def removes(self) -> int:
        """Count the findings that the change removes."""
        return sum(each.removes for each in self.rules)

    @property
    def sentence(self) -> str:
        """Describe the change in one sentence, as every report shows it."""
        return f"This change adds {number(self.adds)} and removes {count(self.removes, 'finding', 'findings')}."


def compare_policies(before: Findings, after: Findings) -> PolicyChange:
    """Compare the findings that two configurations lead to in the same snapshot."""
    old, new = _map_rules(before), _map_rules(after)
    added = [new[each] for each in new.keys() - old.keys()]
    removed = [old[each] for each in old.keys() - new.keys()]
    rules = sorted({*added, *removed})
    return PolicyChange(tuple(RuleChange(each, added.count(each), removed.count(each)) for each in rules))


def _map_rules(findings: Findings) -> dict[str, str]:
    """Return the rule of each finding that counts, by the finding's id."""
    frame = findings.frame[~findings.frame["waived"].to_numpy(dtype=bool) & ~findings.unseen]
    return dict(zip(frame["finding_id"], frame["rule_id"].astype(object), strict=True))
