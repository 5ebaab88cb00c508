"""The HTML part of a mail: the verdict, the guidance, what is incomplete, and what to do, by when."""

from markupsafe import Markup, escape

from credly_audit import __version__
from credly_audit.notify.digest import Digest, DigestTask, describe_more_groups
from credly_audit.renderers.html.page import guidance
from credly_audit.report.briefing import MOST_NAMED
from credly_audit.report.priorities import MOST_GROUPS
from credly_audit.text import count, harmless, message, spoken_day

BANDS = {"pass": "#123b22", "violations": "#7a1420", "incomplete": "#6b4100"}

PAGE = Markup(
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    "<style>.guidance h1, .guidance h2, .guidance h3 {{ font-size: 1rem; margin: 0 0 .5rem }}</style></head>"
    '<body style="font-family:Helvetica,Arial,sans-serif;color:#1b2430;line-height:1.4;max-width:44rem;margin:0 auto;'
    'padding:1rem"><h1 style="font-size:1.25rem">{title}</h1>'
    '<p style="background:{band};color:#ffffff;padding:.75rem 1rem;border-radius:.3rem;font-weight:bold">{headline}</p>'
    '{parts}<p style="color:#56616e;font-size:.85rem">As of {day}, by credly-audit {version}.</p></body></html>'
)
SECTION = Markup('<h2 style="font-size:1.05rem;margin:1.5rem 0 .5rem">{heading}</h2>{content}')
TASK = Markup(
    '<h3 style="font-size:1rem;margin:1.25rem 0 .25rem">{number}. {title}{dates}</h3>'
    '<p style="margin:0 0 .5rem">{remediation}{contacts}</p>'
    '<table style="border-collapse:collapse;width:100%;font-size:.9rem">{rows}</table>{more}'
)
ROW = Markup(
    '<tr><td style="border-top:1px solid #d5dae0;padding:.35rem .75rem .35rem 0;vertical-align:top;width:45%">'
    '{subject}{occasion}</td><td style="border-top:1px solid #d5dae0;padding:.35rem 0;vertical-align:top">{said}</td>'
    "</tr>"
)
OCCASION = Markup(
    ' <span style="background:#e8ecf1;border-radius:.3rem;padding:0 .35rem;font-size:.8rem;white-space:nowrap">{}'
    "</span>"
)
MORE = Markup('<p style="margin:.35rem 0 0;color:#56616e;font-size:.9rem">… and {}</p>')
GUIDANCE = Markup('<div class="guidance">{}</div>')
LIST = Markup("<ul>{}</ul>")
ITEM = Markup("<li>{}</li>")


def write_html(digest: Digest) -> str:
    """Return the mail as a page; every text is escaped, and none but the guidance links anywhere."""
    audit = digest.audit
    introduction = [Markup("<p>{}</p>").format(each) for each in digest.introduction]
    parts = [*introduction, *_guidance(digest), *_incomplete(digest), *_notes(digest), *_tasks(digest)]
    page: str = PAGE.format(
        title=message(digest.title, 100),
        band=BANDS[audit.verdict.outcome],
        headline=message(digest.headline, 500),
        parts=Markup("").join(parts),
        day=spoken_day(audit.as_of),
        version=__version__,
    )
    return page


def _guidance(digest: Digest) -> list[Markup]:
    text = guidance(digest.audit.presentation)
    return [] if text is None else [SECTION.format(heading="Guidance", content=GUIDANCE.format(text))]


def _incomplete(digest: Digest) -> list[Markup]:
    hidden = digest.incomplete
    if not hidden:
        return []
    items = [
        Markup("<li><b>{}</b>: {}</li>").format(message(each.name, 60), message(each.reason, 500)) for each in hidden
    ]
    shown = items[:MOST_NAMED]
    if len(items) > MOST_NAMED:
        more = count(len(items) - MOST_NAMED, "more organization", "more organizations")
        shown.append(ITEM.format(f"and {more}, in the report"))
    return [SECTION.format(heading="Incomplete organizations", content=LIST.format(Markup("").join(shown)))]


def _notes(digest: Digest) -> list[Markup]:
    items = Markup("").join(ITEM.format(each) for each in digest.notes)
    return [SECTION.format(heading="Scope and decisions", content=LIST.format(items))] if items else []


def _tasks(digest: Digest) -> list[Markup]:
    content = Markup("").join(_task(digest, each) for each in digest.tasks)
    if not content:
        return []
    if digest.priorities.many > MOST_GROUPS:
        content += MORE.format(describe_more_groups(digest.priorities.many))
    return [SECTION.format(heading="Top priorities", content=content)]


def _task(digest: Digest, task: DigestTask) -> Markup:
    audit, priority = digest.audit, task.priority
    dates = priority.describe_dates(audit.as_of)
    contacts = "" if digest.is_own else priority.describe_contacts()
    rows = [
        ROW.format(
            subject=message(action.subject, 300),
            occasion=OCCASION.format(occasion) if occasion else "",
            said=_upper(digest.describe(task, action)),
        )
        for action, occasion in zip(task.actions, task.occasions, strict=True)
    ]
    return TASK.format(
        number=priority.number,
        title=message(priority.title, 500),
        dates=f", {dates}" if dates else "",
        remediation=audit.rules[priority.rule_id].remediation,
        contacts=escape(f" Owners: {harmless(contacts)}.") if contacts else "",
        rows=Markup("").join(rows),
        more=MORE.format(f"{task.more:,} more") if task.more else "",
    )


def _upper(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"
