"""What a person reads on the terminal at the end: the verdict, what was not seen, where the reports are."""

from collections.abc import Sequence
from pathlib import Path

from credly_audit.audit import Audit
from credly_audit.renderers.briefing import headline, unseen
from credly_audit.renderers.tally import tally
from credly_audit.renderers.text import one_line

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
    lines += [f"  broken rule: {rule}: {one_line(said)}" for rule, said in audit.broken.items()]
    lines += [f"Wrote {path}" for path in written]
    return "\n".join(lines)
