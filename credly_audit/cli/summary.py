"""What a person reads on the terminal at the end: the verdict, what was not seen, where the reports are."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from credly_audit.audit import Audit
from credly_audit.renderers.briefing import headline, unseen
from credly_audit.renderers.tally import tally
from credly_audit.renderers.text import count, one_line

MOST_UNSEEN = 20


def since_then(audit: Audit) -> Iterator[str]:
    """What changed since the last audit, where there was one; how many findings nobody saw this time."""
    if audit.compared is not None:
        now = audit.compared.trend.iloc[-1]
        counts = ", ".join(f"{now[name]} {name}" for name in ("new", "persisting", "reopened", "resolved"))
        yield f"Since {audit.compared.since:%Y-%m-%d %H:%M} UTC: {counts}."
    hidden = int(audit.findings.unseen.sum())
    if hidden:
        yield f"{count(hidden, 'finding', 'findings')} of earlier audits could not be looked for this time (unseen)."


def summary(audit: Audit, written: Sequence[Path]) -> str:
    """A few plain lines, the first of which says it all."""
    counts = tally(audit)
    severities = ", ".join(f"{many} {name}" for name, many in reversed(counts["by_severity"].items()) if many)
    lines = [headline(audit), f"Findings: {severities or 'none'}.", *since_then(audit)]
    hidden = unseen(audit)
    lines += [
        f"  not fully seen: {one_line(each.name, 60)}: {each.status}: {each.reason}" for each in hidden[:MOST_UNSEEN]
    ]
    if len(hidden) > MOST_UNSEEN:
        lines.append(f"  … and {len(hidden) - MOST_UNSEEN} more, in the reports")
    lines += [f"  broken rule: {rule}: {one_line(said)}" for rule, said in audit.broken.items()]
    lines += [f"Wrote {path}" for path in written]
    return "\n".join(lines)
