"""Writes the pages that are made from the code: `make docs`. A test says where one is not current."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from credly_audit.cli.main import cli
from credly_audit.config.json_schema import schema
from credly_audit.lifecycle.outcome import Ending, Outcome, State
from credly_audit.reasons import ReasonCode
from credly_audit.rules import built_in, catalogue
from credly_audit.rules.catalogue_page import page
from credly_audit.secrets.sources import BUILT_IN

DOCS = Path(__file__).parent.parent / "docs"
SETTINGS: dict[str, Any] = cli.context_settings | {"terminal_width": 110, "max_content_width": 110}

COMMANDS_HEAD = """# The command line

Made from the commands' own help texts (`make docs`); do not edit it by hand.

Every option can be set by an environment variable: `CREDLY_AUDIT_`, the words of the command and the option, in
capitals, joined by `_` and with `_` for `-`: `CREDLY_AUDIT_RUN_AS_OF=2026-11-23`,
`CREDLY_AUDIT_HISTORY_LIST_FORMAT=json`. An option on the command line takes precedence. A flag takes `1` or `0`. A
repeatable option takes several values, separated by white space; a value that contains white space stands in single or
double quotes, and a backslash has no special meaning:
`CREDLY_AUDIT_RUN_OUTPUT='html=audit.html "json=my reports/audit.json"'`.

Exit codes: 0 policy holds and every organization was complete; 1 policy is violated; 2 usage or configuration error;
3 the audit is incomplete; 4 an unexpected error; 130 interrupted. Where a command has its own, its text says so.
"""

REASONS, END_OF_REASONS = "<!-- reason codes: made by `make docs` -->\n", "<!-- end of reason codes -->"

BEGIN, END = "<!-- keys: made by `make docs` -->\n", "<!-- end of keys -->"
SOURCES_BEGIN, SOURCES_END = "<!-- sources: made by `make docs` -->\n", "<!-- end of sources -->"

ENDINGS_BEGIN, ENDINGS_END = "<!-- endings: made by `make docs` -->\n", "<!-- end of endings -->"


def rules_page(_: str) -> str:
    """docs/rules.md: the catalogue without rules of other packages."""
    ours = {rule.id for rule in built_in()}
    return page(rule for rule in catalogue().values() if rule.id in ours)


def commands_page(_: str) -> str:
    """docs/cli.md: the help text of every command."""
    root = click.Context(cli, info_name="credly-audit", **SETTINGS)
    return "\n".join([COMMANDS_HEAD, *(text for command in commands(root) for text in described(command))])


def commands(context: click.Context) -> Iterator[click.Context]:
    """A command and all below it."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from commands(click.Context(command, parent=context, info_name=name))


def described(context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n"
    text = "\n".join(line.rstrip() for line in context.get_help().splitlines())
    yield f"```text\n{text}\n```\n"


def schema_file(_: str) -> str:
    """docs/credly-audit.schema.json: for editors."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def configuration_page(before: str) -> str:
    """docs/configuration.md: what is written by hand, and every key."""
    whole = schema()
    parts = "\n".join(part for name, table in tables("", whole, whole) for part in keys(name, table))
    return replace_between(before, BEGIN, END, f"\n{parts}\n")


def credentials_page(before: str) -> str:
    """docs/credentials.md: what is written by hand, and every source of secrets."""
    failures = {
        False: "exit code 2, before anything is collected; all missing secrets are listed",
        True: "only that organization is `failed`",
    }
    rows = "\n".join(
        f"| `{prefix}:{source.form}` | {source.origin} | {'yes' if source.can_store else 'no'} | "
        f"{failures[source.has_own_failures]} |"
        for prefix, source in BUILT_IN.items()
    )
    head = "| reference | read from | can store new values | if the secret is missing |\n|---|---|---|---|"
    return replace_between(before, SOURCES_BEGIN, SOURCES_END, f"\n{head}\n{rows}\n\n")


def replace_between(page: str, begin: str, end: str, text: str) -> str:
    """Return the page with the text between its two marks."""
    head, _, rest = page.partition(begin)
    return f"{head}{begin}{text}{end}{rest.partition(end)[2]}"


def formats_page(before: str) -> str:
    """docs/formats.md: what is written by hand, and every reason code."""
    head, _, rest = before.partition(REASONS)
    _, _, tail = rest.partition(END_OF_REASONS)
    rows = "\n".join(f"| `{each}` | {each.status} | {cell(each.meaning)} |" for each in ReasonCode)
    return f"{head}{REASONS}\n| code | status | meaning |\n|---|---|---|\n{rows}\n\n{END_OF_REASONS}{tail}"


def runbook_page(before: str) -> str:
    """Return docs/runbook.md: what is written by hand, and every ending of a rotation or a creation."""
    head, _, rest = before.partition(ENDINGS_BEGIN)
    _, _, tail = rest.partition(ENDINGS_END)
    rows = "\n".join(format_ending(ending) for ending in Ending)
    return f"{head}{ENDINGS_BEGIN}\n{ENDINGS_HEAD}\n{rows}\n\n{ENDINGS_END}{tail}"


ENDINGS_HEAD = "| state | step | exit code | message | next step |\n|---|---|---|---|---|"


def format_ending(ending: Ending) -> str:
    """Return the row of one ending; words that depend on the case are in italics."""
    state = f"`{ending.state}`" if ending.state else "as it was"
    ended = Outcome("", "", "rotate", ending.state or State.ROTATED, "")
    code = ended.exit_code if ending.exit_code is None else ending.exit_code
    exit_code = "as it was" if ending.state is None and ending.exit_code is None else str(int(code))
    texts = [re.sub(r"\{(\w+)\}", r"*\1*", cell(text)) for text in (ending.message, ending.next_step or "–")]
    return f"| {state} | {ending.step} | {exit_code} | {' | '.join(texts)} |"


def tables(name: str, table: dict[str, Any], whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of the file, each with how it is written."""
    yield name, table
    for key, said in table["properties"].items():
        path = f"{name.strip('[]')}.{key}".strip(".")
        for reference, written in (
            (said.get("$ref"), f"[{path}]"),
            (said.get("items", {}).get("$ref"), f"[[{path}]]"),
        ):
            below = whole["$defs"][reference.rpartition("/")[2]] if reference else {}
            if "properties" in below and not reference.endswith("/RuleOptions"):
                yield from tables(written, below, whole)


def keys(name: str, table: dict[str, Any]) -> Iterator[str]:
    yield f"### {f'`{name}`' if name else 'At the top'}\n"
    if name:
        about = " ".join(table["description"].split())
        lead, colon, rest = about.partition("`: ")
        text = rest if colon and lead.startswith("`") else about
        yield f"{text[0].upper()}{text[1:]}\n"
    needed = table.get("required", [])
    yield "| key | value | default | description |\n|---|---|---|---|"
    for key, said in table["properties"].items():
        if "description" in said or "$ref" not in said:
            default = "required" if key in needed else f"`{toml(said['default'])}`" if "default" in said else "–"
            yield f"| `{key}` | {kind(said)} | {default} | {cell(said.get('description', below(key)))} |"
    yield ""


def below(key: str) -> str:
    return f"See `[[{key}]]` below."


WORDS = {
    "Rule": "rule",
    "RuleOrFamily": "rule or family",
    "Selector": "severity, rule, family or `never`",
    "Severity": "severity",
}


def kind(said: dict[str, Any]) -> str:
    """What may be written, in a word or two."""
    if "anyOf" in said:
        return " or ".join(dict.fromkeys(kind(each) for each in said["anyOf"]))
    if "$ref" in said:
        name = said["$ref"].rpartition("/")[2]
        return WORDS.get(name, "table")
    if said["type"] == "array":
        return f"list of {kind(said['items'])}"
    if "enum" in said:
        return " or ".join(f"`{each}`" for each in said["enum"]) if len(said["enum"]) < 6 else "word"
    words = {"string": "text", "integer": "number", "number": "number", "boolean": "true or false", "object": "table"}
    return {"date": "date", "path": "path"}.get(said.get("format", ""), words[said["type"]])


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml(each)}' for key, each in value.items())} }}"
    return json.dumps(value)


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES: dict[str, Callable[[str], str]] = {
    "rules.md": rules_page,
    "cli.md": commands_page,
    "configuration.md": configuration_page,
    "credentials.md": credentials_page,
    "runbook.md": runbook_page,
    "credly-audit.schema.json": schema_file,
    "formats.md": formats_page,
}


def generated(name: str) -> str:
    """A page as the code has it now."""
    path = DOCS / name
    return PAGES[name](path.read_text() if path.exists() else "")


if __name__ == "__main__":
    for page_name in PAGES:
        (DOCS / page_name).write_text(generated(page_name))
