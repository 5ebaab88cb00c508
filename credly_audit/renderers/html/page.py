"""Everything that the page says, by the names that its templates use (docs/html.md lists them)."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from credly_audit import __version__
from credly_audit.audit.model import Audit
from credly_audit.config.presentation import Presentation
from credly_audit.renderers.html.about_part import about
from credly_audit.renderers.html.catalogue import controls, rules
from credly_audit.renderers.html.changes_part import change_lists, changes
from credly_audit.renderers.html.data_blocks import blocks
from credly_audit.renderers.html.decisions_part import decision_list, decisions
from credly_audit.renderers.html.page_labels import OUTCOMES, SEVERITIES
from credly_audit.renderers.html.pictures import coverage_strip, expiry_chart, permission_chart, severity_chart
from credly_audit.renderers.html.rows import Lists, Row
from credly_audit.report.briefing import (
    MOST_NAMED,
    Action,
    describe_undelivered,
    list_actions,
    list_incomplete,
    write_headline,
)
from credly_audit.report.columns import TOKEN
from credly_audit.report.counts import SubjectCounts, count_audit
from credly_audit.report.key_figures import AGES, KeyFigures
from credly_audit.report.labels import COVERAGE
from credly_audit.report.priorities import MOST_GROUPS, Priorities, Priority
from credly_audit.report.results import Results
from credly_audit.severity import Severity
from credly_audit.text import NOTHING, spoken, spoken_day

TITLE = "Credly authorization tokens"

MOST_ROWS = 1_000
"""Findings that are plain HTML, for print and for a browser without script; all are data for the script."""

MOST_OTHER_ROWS = 250
"""The same of tokens and organizations."""

MOST_PARTS = 100
MOST_ACTIONS_OF_A_PART = 10


BLANK: defaultdict[str, Any] = defaultdict(
    str, bars=[{"tone": severity.value, "x": 0, "width": 0} for severity in reversed(Severity)]
)
"""A row that says nothing: what the script fills."""


def facts(audit: Audit) -> dict[str, Any]:
    """What the templates are filled with."""
    standing = SubjectCounts(audit)
    lists = Lists(audit, standing)
    counts = count_audit(audit)
    changed, decided = change_lists(audit), decisions(audit)
    hidden, results = list_incomplete(audit), Results(audit)
    priorities, figures = Priorities(audit), KeyFigures(audit)
    return {
        "title": audit.presentation.title or TITLE,
        "logo": audit.presentation.logo,
        "guidance": guidance(audit.presentation),
        "version": __version__,
        "as_of": _instant(audit.as_of),
        "day": spoken_day(audit.as_of),
        "collected": _instant(audit.snapshot.header.collected_at),
        "outcome": audit.verdict.outcome,
        "symbol": OUTCOMES[audit.verdict.outcome],
        "headline": write_headline(audit),
        "violations": audit.verdict.violations,
        "tally": counts,
        "numbers": _numbers(figures),
        "coverage": coverage_strip(counts["by_status"]),
        "unseen": [_unseen(each) for each in hidden[:MOST_NAMED]],
        "more_unseen": max(len(hidden) - MOST_NAMED, 0),
        "unaudited": audit.unaudited[:MOST_NAMED],
        "more_unaudited": max(len(audit.unaudited) - MOST_NAMED, 0),
        "broken": audit.broken,
        "limitations": audit.limitations,
        "undelivered": describe_undelivered(audit.undelivered),
        "actions": [_action(audit, each) for each in list_actions(audit)],
        "priorities": [_priority(audit, each) for each in priorities.groups()],
        "more_priorities": max(priorities.many - MOST_GROUPS, 0),
        "priority_choices": [(each.number, each.title) for each in priorities.groups(None)],
        "charts": [severity_chart(counts), permission_chart(audit), expiry_chart(audit)],
        "changes": changes(audit, changed, MOST_OTHER_ROWS),
        "most_rows": MOST_ROWS,
        "most_other_rows": MOST_OTHER_ROWS,
        "blank": BLANK,
        "token_details": [(field.name, field.heading) for field in TOKEN if field.page == "more"],
        "severities": [(severity.value, SEVERITIES[severity]) for severity in reversed(Severity)],
        "statuses": list(COVERAGE.items()),
        "organizations": list(lists.organizations(MOST_OTHER_ROWS)),
        "parts": list(_parts(audit, lists)),
        "findings": list(lists.findings(MOST_ROWS)),
        "many_findings": len(audit.findings),
        "tokens": list(lists.tokens(MOST_OTHER_ROWS)),
        "decisions": decided,
        "applications_asked": audit.snapshot.header.oauth_applications_asked,
        "applications": list(lists.applications()),
        "ages": {"labels": [label for label, _ in AGES], "rows": _ages(figures)},
        "windows": figures.figures.windows,
        "rules": rules(audit, results),
        "controls": controls(results),
        "about": about(audit),
        "blocks": blocks(lists, [*changed.values(), decision_list(decided)]),
    }


def _instant(instant: datetime) -> str:
    return f"{spoken_day(instant)}, {instant:%H:%M} UTC"


def _numbers(figures: KeyFigures) -> list[Row]:
    """Return the key figures, each with a link to the rows that it counts."""
    return [
        {
            "many": each.value,
            "word": each.label,
            "place": each.place,
            "detail": each.detail,
            "change": each.described_change,
        }
        for each in figures
    ]


def guidance(presentation: Presentation) -> Markup | None:
    """A team's own words: Markdown without HTML or pictures, whose links lead to web pages or mail alone."""
    if not presentation.guidance:
        return None
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    markdown.validateLink = lambda url: url.lower().startswith(("https://", "http://", "mailto:", "#"))  # type: ignore[method-assign]
    tokens = markdown.parse(presentation.guidance)
    for token in (child for each in tokens for child in each.children or ()):
        if token.type == "link_open":
            token.attrSet("rel", "noopener noreferrer nofollow")
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704 - it escapes what is not Markdown


def _unseen(each: Any) -> Row:
    return {
        "status": each.status,
        "coverage": COVERAGE[each.status],
        "name": each.name,
        "place": f"#organization-{each.organization_id}",
        "reason": each.reason,
        "accepted": each.accepted,
        "contact": each.contact,
        "tokens": each.tokens,
    }


def _action(audit: Audit, action: Action) -> Row:
    due = action.due_at
    return {
        "tone": action.severity.value,
        "severity": SEVERITIES[action.severity],
        "due": NOTHING if due is None else f"{due:%A} {spoken(due, audit.as_of)}",
        "subject": action.subject,
        "organization": action.organization_name,
        "found": f"#findings?q={action.token_id}"
        if action.token_id
        else f"#findings?organization={action.organization_id}",
        "what": action.what,
        "why": action.why,
        "also": ", ".join(action.also),
        "contact": action.contact,
        "findings": action.findings,
    }


def _ages(figures: KeyFigures) -> list[Row]:
    return [
        {"tone": severity.value, "severity": SEVERITIES[severity], "counts": counts}
        for severity, counts in figures.ages.items()
        if any(counts)
    ]


def _priority(audit: Audit, priority: Priority) -> Row:
    return {
        "tone": priority.severity.value,
        "severity": SEVERITIES[priority.severity],
        "title": priority.title,
        "dates": priority.describe_dates(audit.as_of),
        "first": priority.describe_first(audit.as_of),
        "contact": priority.describe_contacts(),
        "findings": priority.findings,
        "found": f"#findings?priority={priority.number}",
    }


def _parts(audit: Audit, lists: Lists) -> Any:
    """The first organizations, each with all there is to do in it."""
    theirs = audit.findings.frame["organization_row"].isin(lists.standing.worst_first[:MOST_PARTS]).to_numpy()
    todo = sorted(
        list_actions(replace(audit, findings=audit.findings.where(theirs)), None),
        key=lambda action: action.organization_id,
    )
    by_organization = {key: list(group) for key, group in groupby(todo, lambda action: action.organization_id)}
    for row in lists.organizations(MOST_PARTS):
        asked = by_organization.get(row["id"], [])
        yield row | {
            "actions": [_action(audit, each) for each in asked[:MOST_ACTIONS_OF_A_PART]],
            "more_actions": max(len(asked) - MOST_ACTIONS_OF_A_PART, 0),
        }
