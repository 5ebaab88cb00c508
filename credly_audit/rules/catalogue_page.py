"""The catalogue as a page and as JSON, made from the declarations and from nothing else."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from credly_audit.rules.declare import Rule, family_name

HEAD = """# The rules

Made by `credly-audit rules docs` from the rules' own declarations; do not edit it by hand.

Every finding carries its rule's id, its remediation and the controls that the rule supports evidence for. Whether a
rule is on, how much it weighs and its options are settings: `[policy] disable`, `[policy.severity]` and
`[policy.rules.ID]`; `[[policy.overrides]]` changes them for some organizations.

EXP001, EXP002, EXP004 and EXP005 flag one value of a token: after a rotation the finding is resolved, and one on the
new value is a new finding with an id of its own (the token's `expires_at` is part of the id).

Rules judge tokens that have not expired; EXP001, EXP006, DOC006 and INV002 judge all. Days are counted on exact
instants in UTC, and a boundary belongs to the window: exactly 7 days away is within 7 days."""


def page(rules: Iterable[Rule]) -> str:
    """Markdown: a table of all, then a part for each rule, family by family."""
    rules = list(rules)
    rows = (f"| [{rule.id}](#{anchor(rule)}) | {rule.name} | {rule.severity} | {rule.summary} |" for rule in rules)
    parts = [HEAD, "\n".join(["| id | name | severity | flags |", "|---|---|---|---|", *rows])]
    for family, members in groupby(rules, key=lambda rule: rule.family):
        parts.append(f"## {family}: {family_name(family)}")
        parts += [part for rule in members for part in _described(rule)]
    return "\n\n".join(parts) + "\n"


def anchor(rule: Rule) -> str:
    """The fragment under which a rule's part of the page is found."""
    return f"{rule.id}-{rule.name}".lower()


def _described(rule: Rule) -> Iterator[str]:
    yield f"### {rule.id} {rule.name}"
    yield f"{rule.summary} Severity: {rule.tiers or rule.severity}. It judges each {rule.subject}."
    yield f"**Why it matters.** {rule.rationale}"
    yield f"**Remediation.** {rule.remediation}"
    options = rule.described_options()
    if options:
        rows = (f"| `{name}` | `{_in_table(default)}` | {_in_table(about)} |" for name, default, about in options)
        yield "\n".join(["| option | default | description |", "|---|---|---|", *rows])
    if rule.controls:
        controls = "; ".join(f"{framework} {', '.join(ids)}" for framework, ids in rule.controls.items())
        yield f"Mapped controls: {controls}."


def _in_table(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def as_json(rules: Iterable[Rule]) -> str:
    """A list of objects, one a rule; options with their defaults as values."""
    return json.dumps([_facts(rule) for rule in rules], indent=2, ensure_ascii=False)


def _facts(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "family": rule.family,
        "severity": rule.severity,
        "tiers": rule.tiers or None,
        "subject": rule.subject,
        "summary": rule.summary,
        "rationale": rule.rationale,
        "remediation": rule.remediation,
        "options": [
            {"name": name, "default": json.loads(default), "description": about}
            for name, default, about in rule.described_options()
        ],
        "controls": {framework: list(ids) for framework, ids in rule.controls.items()},
    }
