"""What stands in names, files and errors never reaches the terminal or the log as more than text on its own line."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from credly_audit.cli import screen
from credly_audit.sandbox.server import Sandbox
from credly_audit.text import CONTROL
from tests.journeys.conftest import Command, Outcome, configure
from tests.renderers.rendering import hostile, tried

FORGED = "credly-audit: all is well"

HOSTILE = f"Evil\x1b]0;owned\x07\x1b[31mred\x9b2J\u202egnp\u2028{FORGED}\x85x\rfake\x08\n{FORGED}"

WITHOUT_SLASH_OR_NUL = HOSTILE.replace("/", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(text: str) -> str:
    """A text as TOML and JSON write it."""
    return json.dumps(text)


def faults(done: Outcome) -> Iterator[str]:
    """The lines on which a terminal would obey, or which somebody else's text began."""
    for line in f"{done.out}{done.err}".split("\n"):
        if CONTROL.search(line) or line.startswith(FORGED):
            yield line


@pytest.fixture
def acme(sandbox: Sandbox, tmp_path: Path) -> str:
    """The id of an organization about which everything that others write is hostile; the other one is refused."""
    acme = sandbox.world.organizations[0]
    acme.name = HOSTILE
    for token in acme.tokens:
        token.description = token.owner_name = HOSTILE
    path = configure(tmp_path, sandbox)
    (tmp_path / "secret-1").write_text("MADE-UP-refused")
    text = re.sub('(?s)name = "Evil.*?\ntoken', lambda _: f"name = {told(HOSTILE)}\ntoken", path.read_text())
    text = text.replace('name = "Beta"', f"name = {told(HOSTILE)}").replace(
        "token = ", f"contact = {told(HOSTILE)}\ntags = [{told(HOSTILE)}]\ntoken = "
    )
    decision = f'rule = "PRM001"\norganization = "{acme.id}"\nreason = {told(HOSTILE)}\napproved_on = 2026-01-01\n'
    path.write_text(
        f"{text}\n[[waivers]]\n{decision}id = {told(HOSTILE)}\napproved_by = {told(HOSTILE)}\nexpires = 2026-02-01\n"
        f"[[plans]]\n{decision}owner = {told(HOSTILE)}\nuntil = 2026-02-01\n"
    )
    return acme.id


def test_no_command_passes_on_what_a_terminal_would_obey(credly_audit: Command, acme: str) -> None:
    whose = ("--organization", acme)
    lines = [
        ("run", "--as-of", "2026-11-23", "--verbose"),
        ("run", "--as-of", "2026-11-24", "--log-format", "json", "--output-dir", WITHOUT_SLASH_OR_NUL),
        ("run", "--as-of", "2026-11-24", "--no-history", "--output", "json=-"),
        ("run", "--as-of", "2026-11-24", "--no-history", "--format", "github"),
        ("collect", "-o", WITHOUT_SLASH_OR_NUL),
        ("check", WITHOUT_SLASH_OR_NUL, "--no-history", "--format", "json"),
        *(("doctor", "--format", shape) for shape in ("text", "json")),
        *(("orgs", "--format", shape) for shape in ("toml", "csv")),
        *(("history", name, "--format", shape) for name in ("list", "diff", "trend") for shape in ("text", "json")),
        *(("waivers", name, "--format", shape) for name in ("list", "check") for shape in ("text", "json")),
        ("waivers", "import", HOSTILE, "--into", WITHOUT_SLASH_OR_NUL),
        ("config", "validate"),
        *(("config", "explain", *whose, "--format", shape) for shape in ("text", "json")),
        ("config", "init", f"{WITHOUT_SLASH_OR_NUL}.toml"),
        *(("rotate", "--dry-run", *whose, "--format", shape) for shape in ("text", "json")),
        ("rotate", "--yes", *whose, "--description", HOSTILE),
        ("create", "--yes", *whose, "--store", f"file:{WITHOUT_SLASH_OR_NUL}-new", "--description", HOSTILE),
    ]
    spoiled = {}
    for line in lines:
        done = credly_audit(*line)
        assert done.code != 4, (line, done.err)
        if found := list(faults(done)):
            spoiled[line] = found

    assert spoiled == {}


@pytest.mark.parametrize(
    "line",
    [
        (HOSTILE,),
        ("run", f"--{HOSTILE}"),
        ("run", "--as-of", HOSTILE),
        ("run", "--fail-on", HOSTILE),
        ("run", "--output", f"{HOSTILE}=x"),
        ("run", "--baseline", HOSTILE),
        ("run", "-c", HOSTILE),
        ("run", "--organization", HOSTILE),
        ("check", HOSTILE),
        ("verify", HOSTILE),
        ("baseline", HOSTILE, "-o", "x"),
        ("rules", "show", HOSTILE),
        ("config", "validate", "-c", HOSTILE),
        ("config", "explain", "--organization", HOSTILE),
        ("history", "diff", HOSTILE, HOSTILE),
        ("waivers", "check", HOSTILE),
        ("rotate", "--yes", "--store", HOSTILE),
        ("sandbox", "serve", "--now", HOSTILE),
        ("sandbox", "serve", "--fault", HOSTILE),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("acme")
def test_a_refusal_says_what_was_typed_on_one_line(credly_audit: Command, line: tuple[str, ...]) -> None:
    done = credly_audit(*line)

    assert done.code == 2
    assert done.err.count("\n") == 1
    assert list(faults(done)) == []


@pytest.mark.parametrize(
    "text",
    [
        f"[report]\n{told(HOSTILE)} = 1\n",
        f"organizations_file = {told(HOSTILE)}\n",
        f"[policy]\nregister = {told(HOSTILE)}\n",
        f"[policy]\nwaivers_file = {told(HOSTILE)}\n",
        f"[policy]\nfail_on = [{told(HOSTILE)}]\n",
        f"[history]\nurl = {told(HOSTILE)}\n",
        f"[api]\nbase_url = {told(HOSTILE)}\n",
        f"[[organizations]]\nid = {told(HOSTILE)}\n",
        f"[defaults]\ntoken = {told('env:' + HOSTILE)}\n",
        f"{told(HOSTILE)} = 1\n{told(HOSTILE)} = 2\n",
    ],
)
def test_a_mistake_in_a_configuration_is_told_on_one_line(credly_audit: Command, tmp_path: Path, text: str) -> None:
    (tmp_path / "credly-audit.toml").write_text(text)

    done = credly_audit("config", "validate", "--secrets")

    assert done.code == 2
    assert all(line.startswith("credly-audit: ") for line in done.err.split("\n")[:-1])
    assert list(faults(done)) == []


@tried
@given(hostile)
def test_a_line_stays_a_line_whatever_is_in_it_and_colours_are_ours_alone(text: str) -> None:
    for no_color in (True, False):
        stream = Terminal()

        screen.print_lines(text, (screen.Span(text, "red"),), stream=stream, no_color=no_color)

        plain, colored, end = stream.getvalue().split("\n")
        assert (plain, end) == (screen.plain(text), "")
        assert colored.removeprefix("\x1b[31m").removesuffix("\x1b[0m") == plain
        assert not CONTROL.search(plain)


@tried
@given(hostile)
def test_json_on_standard_output_is_inert_and_holds_the_same_values(text: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        out = io.StringIO()
        patched.setattr("sys.stdout", out)
        screen.print_json(json.dumps([text], ensure_ascii=False))

    assert json.loads(out.getvalue()) == [text]
    assert not CONTROL.search(out.getvalue())
