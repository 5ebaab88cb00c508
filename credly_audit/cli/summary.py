"""What a person reads on the terminal at the end: the verdict, what was not seen, where the reports are."""

from collections.abc import Sequence
from pathlib import Path

from credly_audit.audit import Audit
from credly_audit.renderers.briefing import decisions_in_need, headline, unseen
from credly_audit.renderers.tally import tally
from credly_audit.renderers.text import count, one_line

MOST_UNSEEN = 20


def summary(audit: Audit, written: Sequence[Path]) -> str:
    """A few plain lines, the first of which says it all."""
    counts = tally(audit)
    severities = ", ".join(f"{many} {name}" for name, many in reversed(counts["by_severity"].items()) if many)
    lines = [headline(audit), f"Findings: {severities or 'none'}."]
    hidden = unseen(audit)
    lines += [
        f"  not fully seen: {one_line(each.name, 60)}: {each.status}: {each.reason}" for each in hidden[:MOST_UNSEEN]
    ]
    if len(hidden) > MOST_UNSEEN:
        lines.append(f"  … and {len(hidden) - MOST_UNSEEN} more, in the reports")
    lines += [f"  {each}" for each in decisions_in_need(audit)]
    if audit.unaudited:
        many = count(len(audit.unaudited), "organization", "organizations")
        names = f"{', '.join(audit.unaudited[:MOST_UNSEEN])}{' …' if len(audit.unaudited) > MOST_UNSEEN else ''}"
        lines.append(f"  in the register, but in no configuration, so not asked: {many}: {names}")
    lines += [f"  broken rule: {rule}: {one_line(said)}" for rule, said in audit.broken.items()]
    lines += [f"Wrote {path}" for path in written]
    return "\n".join(lines)
