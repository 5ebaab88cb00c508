"""The HTML part of a mail: the verdict, the guidance, what is incomplete, and the top priorities with what to do."""

from markupsafe import Markup, escape

from credly_audit import __version__
from credly_audit.audit.model import Audit
from credly_audit.renderers.html.page import guidance
from credly_audit.report.briefing import MOST_NAMED, list_incomplete, write_headline
from credly_audit.report.priorities import MOST_GROUPS, Priorities
from credly_audit.text import count, harmless, message, spoken_day

BANDS = {"pass": "#123b22", "violations": "#7a1420", "incomplete": "#6b4100"}

PAGE = Markup(
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    '<body style="font-family:Helvetica,Arial,sans-serif;color:#1b2430;max-width:44rem;margin:0 auto;padding:1rem">'
    '<h1 style="font-size:1.25rem">{title}</h1>'
    '<p style="background:{band};color:#ffffff;padding:.75rem 1rem;border-radius:.3rem;font-weight:bold">{headline}</p>'
    '{parts}<p style="color:#56616e;font-size:.85rem">As of {day}, by credly-audit {version}.</p></body></html>'
)
SECTION = Markup('<h2 style="font-size:1.05rem">{heading}</h2>{content}')
GROUP = Markup('<li style="margin-bottom:.75rem"><b>{title}</b>{dates}<br>{first}<br>{remediation}{contacts}</li>')


def write_html(audit: Audit, title: str) -> str:
    """Return the mail as a page; every text is escaped, and none but the guidance links anywhere."""
    parts = [*_guidance(audit), *_incomplete(audit), *_priorities(audit)]
    page: str = PAGE.format(
        title=message(title, 100),
        band=BANDS[audit.verdict.outcome],
        headline=message(write_headline(audit), 500),
        parts=Markup("").join(parts),
        day=spoken_day(audit.as_of),
        version=__version__,
    )
    return page


def _guidance(audit: Audit) -> list[Markup]:
    text = guidance(audit.presentation)
    return [] if text is None else [SECTION.format(heading="Guidance", content=text)]


def _incomplete(audit: Audit) -> list[Markup]:
    hidden = list_incomplete(audit)
    if not hidden:
        return []
    items = [
        Markup("<li><b>{}</b>: {}</li>").format(message(each.name, 60), message(each.reason, 500)) for each in hidden
    ]
    shown = items[:MOST_NAMED]
    if len(items) > MOST_NAMED:
        more = count(len(items) - MOST_NAMED, "more organization", "more organizations")
        shown.append(Markup("<li>and {}, in the report</li>").format(more))
    return [
        SECTION.format(heading="Incomplete organizations", content=Markup("<ul>{}</ul>").format(Markup("").join(shown)))
    ]


def _priorities(audit: Audit) -> list[Markup]:
    priorities = Priorities(audit)
    items = []
    for each in priorities.groups():
        dates, contacts = each.describe_dates(audit.as_of), each.describe_contacts()
        items.append(
            GROUP.format(
                title=message(each.title, 500),
                dates=f" ({dates})" if dates else "",
                first=message(each.describe_first(audit.as_of), 1_000),
                remediation=audit.rules[each.rule_id].remediation,
                contacts=escape(f" Owners: {harmless(contacts)}.") if contacts else "",
            )
        )
    if not items:
        return []
    content = Markup("<ol>{}</ol>").format(Markup("").join(items))
    if priorities.many > MOST_GROUPS:
        more = count(priorities.many - MOST_GROUPS, "more group", "more groups")
        content += Markup("<p>… and {} of work, in the report.</p>").format(more)
    return [SECTION.format(heading="Top priorities", content=content)]
