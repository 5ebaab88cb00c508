"""`rules`: the catalogue, from the declarations."""

import difflib
import textwrap

import click

from credly_audit.errors import UsageError
from credly_audit.rules import catalogue
from credly_audit.rules.declare import FAMILIES, Rule


@click.group()
def rules() -> None:
    """The catalogue of rules."""


@rules.command("list")
def list_rules() -> None:
    """Every rule: id, name, severity and what it flags."""
    family = ""
    for rule in catalogue().values():
        if rule.family != family:
            click.echo(f"{'' if not family else chr(10)}{rule.family}  {FAMILIES[rule.family]}")
            family = rule.family
        click.echo(f"  {rule.id}  {rule.name:<26} {rule.severity:<9} {rule.summary}")


@rules.command()
@click.argument("rule_id", metavar="ID")
def show(rule_id: str) -> None:
    """One rule: what it flags, why, what to do, its options and controls."""
    found = catalogue().get(rule_id.upper())
    if found is None:
        near = difflib.get_close_matches(rule_id.upper(), catalogue(), 1)
        hint = f"did you mean {near[0]}?" if near else "`credly-audit rules list` names them all"
        raise UsageError(f"{rule_id}: no rule of that id; {hint}")
    click.echo(described(found))


def described(rule: Rule) -> str:
    """The rule's page as text."""
    parts = [
        f"{rule.id} {rule.name}",
        f"Family: {FAMILIES[rule.family]}. Severity: {rule.tiers or rule.severity}. Judges: each {rule.subject}.",
        rule.summary,
        f"Why: {rule.rationale}",
        f"What to do: {rule.remediation}",
    ]
    parts += [f"Option {name} (default {text}): {about}" for name, text, about in rule.described_options()]
    if rule.controls:
        controls = "; ".join(f"{name} {', '.join(ids)}" for name, ids in rule.controls.items())
        parts.append(f"Supports evidence for: {controls}")
    return "\n".join(textwrap.fill(part, 100, subsequent_indent="  ") for part in parts)
