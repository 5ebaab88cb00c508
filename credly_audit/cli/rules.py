"""`rules`: the catalogue, from the declarations."""

import difflib
import textwrap
from pathlib import Path

import click

from credly_audit.cli.options import FILE
from credly_audit.cli.screen import print_document, print_json, print_lines
from credly_audit.errors import UsageError
from credly_audit.files.destinations import file_can_be_written
from credly_audit.files.writing import write_file
from credly_audit.rules import built_in, catalogue, require_all_rules
from credly_audit.rules.catalogue_page import as_json, page
from credly_audit.rules.controls import describe_controls
from credly_audit.rules.declare import Rule, family_name


@click.group()
def rules() -> None:
    """List and show the rules."""
    require_all_rules()


@rules.command("list")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_rules(shape: str) -> None:
    """List every rule: id, name, severity, summary; as JSON with its complete declaration."""
    if shape == "json":
        print_json(as_json(catalogue().values()))
        return
    family = ""
    for rule in catalogue().values():
        if rule.family != family:
            print_lines(*([""] if family else []), f"{rule.family}  {family_name(rule.family)}")
            family = rule.family
        print_lines(f"  {rule.id}  {rule.name:<26} {rule.severity:<9} {rule.summary}")


@rules.command()
@click.argument("rule_id", metavar="ID")
def show(rule_id: str) -> None:
    """Show one rule: what it reports, why, the remediation, its options and controls."""
    found = catalogue().get(rule_id.upper())
    if found is None:
        near = difflib.get_close_matches(rule_id.upper(), catalogue(), 1)
        hint = f"did you mean {near[0]}?" if near else "`credly-audit rules list` lists them"
        raise UsageError(f"{rule_id}: unknown rule ID; {hint}")
    print_lines(*described(found))


@rules.command()
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="File to write, such as docs/rules.md. Default: standard output.",
)
@click.option("--built-in", "only_built_in", is_flag=True, help="Omit rules of other packages.")
def docs(output: Path | None, *, only_built_in: bool) -> None:
    """Write the catalogue of rules as a Markdown page."""
    known = catalogue().values()
    ours = {rule.id for rule in built_in()}
    text = page(rule for rule in known if not only_built_in or rule.id in ours)
    if output is None:
        print_document(text)
        return
    place = file_can_be_written(output, "--output")
    with write_file(output) as file:
        file.write(text.encode())
    print_lines(f"Wrote {output}", err=place.is_standard_output)


def described(rule: Rule) -> list[str]:
    """Return the rule's page as text."""
    parts = [
        f"{rule.id} {rule.name}",
        f"Family: {family_name(rule.family)}. Severity: {rule.tiers or rule.severity}. Evaluates: each {rule.subject}.",
        rule.summary,
        f"Why: {rule.rationale}",
        f"Remediation: {rule.remediation}",
    ]
    parts += [f"Option {name} (default {text}): {about}" for name, text, about in rule.described_options()]
    if rule.controls:
        parts += ["Mapped controls:", *(f"- {each}" for each in describe_controls(rule.controls))]
    return [line for part in parts for line in textwrap.wrap(part, 100, subsequent_indent="  ")]
