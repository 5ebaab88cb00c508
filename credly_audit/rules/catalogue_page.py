"""The catalogue as a page and as JSON, made from the declarations and from nothing else."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from credly_audit.rules.controls import describe_controls
from credly_audit.rules.declare import Rule, family_name

HEAD = """# Rules

This page is generated from the declarations of the rules by `credly-audit rules docs`. Do not edit it.

Every finding contains the ID of its rule, the remediation, and the controls that the rule is mapped to: findings are
evidence for these controls, not proof of compliance. Configure rules with `[policy] disable`, `[policy.severity]` and
`[policy.rules.ID]` (options), and with `[[policy.overrides]]` for some organizations.

A finding of EXP001, EXP002, EXP004 or EXP005 refers to one value of a token: rotating the token resolves it. A finding
about the new value is a new finding with its own ID, because the token's `expires_at` is part of the ID.

Rules evaluate tokens that have not expired; EXP001, EXP006, DOC006 and INV002 evaluate all tokens. Days are counted
between exact instants in UTC. A boundary belongs to its window: exactly 7 days before expiration is within 7 days."""


def page(rules: Iterable[Rule]) -> str:
    """Return the catalogue as Markdown: a table of all rules, then a section for each rule, family by family."""
    rules = list(rules)
    rows = (f"| [{rule.id}](#{anchor(rule)}) | {rule.name} | {rule.severity} | {rule.summary} |" for rule in rules)
    parts = [HEAD, "\n".join(["| ID | Name | Severity | Reports |", "|---|---|---|---|", *rows])]
    for family, members in groupby(rules, key=lambda rule: rule.family):
        parts.append(f"## {family}: {family_name(family)}")
        parts += [part for rule in members for part in _described(rule)]
    return "\n\n".join(parts) + "\n"


def anchor(rule: Rule) -> str:
    """The fragment under which a rule's part of the page is found."""
    return f"{rule.id}-{rule.name}".lower()


def _described(rule: Rule) -> Iterator[str]:
    yield f"### {rule.id} {rule.name}"
    yield rule.summary
    yield "\n".join(
        [
            f"- **Severity**: {rule.tiers or rule.severity}",
            f"- **Evaluates**: each {rule.subject}",
            f"- **Why it matters**: {rule.rationale}",
            f"- **Remediation**: {rule.remediation}",
        ]
    )
    options = rule.described_options()
    if options:
        rows = (f"| `{name}` | `{_in_table(default)}` | {_in_table(about)} |" for name, default, about in options)
        yield "\n".join(["| option | default | description |", "|---|---|---|", *rows])
    if rule.controls:
        yield "Mapped controls:"
        yield "\n".join(f"- {each}" for each in describe_controls(rule.controls))


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
