"""What is said on the terminal at the end: on one screen, in colours only where wanted, hostile names inert."""

import io
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given

from credly_audit.audit.model import Audit
from credly_audit.cli import screen
from credly_audit.cli.summary import summary
from credly_audit.text import CONTROL
from tests.build import ACME, audited, organization, register, snapshot, token, waiver
from tests.renderers.rendering import (
    FULL,
    clean,
    hostile,
    hostile_audit,
    of_all_kinds,
    tried,
    with_a_broken_rule,
    with_a_past,
)

TERMINAL = os.terminal_size((80, 24))

WRITTEN = [Path(f"reports/credly-audit-2026-11-23{suffix}") for suffix in (".snapshot", ".html", ".xlsx", ".json")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(audit: Audit, written: list[Path] = WRITTEN, size: os.terminal_size = TERMINAL) -> list[str]:
    return [screen.plain(line) for line in summary(audit, written, size)]


def a_bad_day(unseen: int = 30) -> Audit:
    """Thirty organizations not seen, a hundred actions, names as long as they get."""
    hidden = [
        organization(f"{number:08x}-0000-4000-8000-000000000000", status="failed", name=f"Academy {number} " * 20)
        for number in range(unseen)
    ]
    rows = [token(number, **FULL, description=f"test of the connector {number} " * 9) for number in range(100)]
    return audited(snapshot(rows, [organization(), *hidden]))


def test_it_opens_with_the_verdict_and_ends_with_where_the_reports_are() -> None:
    first, second, *_, last = said(clean())

    assert first == "Pass: 2 tokens of 1 organization, all complete; no policy violations."
    assert second == "Findings: none."
    assert last == "Wrote reports/credly-audit-2026-11-23.json"


@pytest.mark.parametrize("unseen", [0, 3, 30])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_it_fits_one_screen(unseen: int, size: tuple[int, int]) -> None:
    written = [Path(f"reports/credly-audit-2026-11-23-by-organization-{number}.xlsx") for number in range(90)]
    lines = said(a_bad_day(unseen), written, os.terminal_size(size))

    assert len(lines) < size[1]
    assert max(map(len, lines)) <= size[0]
    assert "Top priorities:" in lines


def test_the_first_twenty_that_were_not_seen_are_named_and_where_the_rest_are() -> None:
    text = " ".join(said(a_bad_day()))
    assert [f"Academy {number} " in text for number in (0, 19, 20)] == [True, True, False]
    assert "… and 10 more, in the reports" in text


def test_off_a_terminal_every_incomplete_organization_is_named_once_with_its_reason() -> None:
    lines = said(a_bad_day(), size=screen.size(io.StringIO()))
    named = [line for line in lines if ": incomplete (failed). " in line]
    assert [sum(f"Academy {number} " in line for line in named) for number in range(30)] == [1] * 30


def test_a_few_that_were_not_seen_are_told_with_the_reason() -> None:
    assert "  Beta: incomplete (failed). HTTP 503, five times." in said(of_all_kinds())


def test_the_most_urgent_come_first_with_what_to_do_and_whom_to_ask() -> None:
    lines = said(of_all_kinds(), size=os.terminal_size((200, 50)))
    start = lines.index("Top priorities:")

    assert lines[start + 1] == "  high     Replace 1 token of 1 organization that expired and is still listed"
    assert lines[start + 2].endswith("Owners: crm-team@acme.example.")
    assert lines[start + 3].startswith("  critical Rotate 1 token of 1 organization that expires before the next audit")


def test_what_changed_and_what_is_last_known_is_said() -> None:
    text = "\n".join(said(with_a_past()))

    assert "Since 23 Oct 2026: 1 new, 3 persisting, 1 reopened, 2 resolved." in text
    assert "1 finding of earlier audits was not assessed in this audit (carried over)." in text
    assert "; 1 waived." in text


def test_a_broken_rule_and_an_organization_in_the_register_alone_are_named() -> None:
    assert any(line.startswith("  failed rule: PRM001: KeyError") for line in said(with_a_broken_rule()))
    other = "aaaaaaaa-0000-4000-8000-000000000000"
    known = register([{"organization_id": other, "token_id": token(1)["token_id"], "permissions": "read"}])
    assert f"  in the register, but not in this audit: {other}" in said(audited(snapshot([token(1)]), register=known))


def test_many_reports_are_counted() -> None:
    lines = said(clean(), [Path(f"reports/{number}.json") for number in range(9)])

    assert lines[-2:] == ["Wrote reports/4.json", "  … and 4 more files in reports/"]


@tried
@given(hostile)
def test_hostile_names_are_inert(text: str) -> None:
    for size in (TERMINAL, screen.size(io.StringIO())):
        shown = said(replace(hostile_audit(text)), [Path(f"r/{text}")], size)
        assert not any(CONTROL.search(line) or "\n" in line for line in shown)
        assert sum(line.startswith(("Incomplete:", "Wrote ")) for line in shown) == 2


@pytest.mark.parametrize(
    ("environ", "no_color", "terminal", "colored"),
    [
        ({}, False, True, True),
        ({}, False, False, False),
        ({}, True, True, False),
        ({"NO_COLOR": "1"}, False, True, False),
        ({"NO_COLOR": ""}, False, True, True),
        ({"FORCE_COLOR": "1"}, False, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, True, False),
        ({"FORCE_COLOR": "1"}, True, True, False),
        ({"TERM": "dumb"}, False, True, False),
    ],
)
def test_colours_only_where_they_are_wanted(
    environ: dict[str, str], no_color: bool, terminal: bool, colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm"} | environ).items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()

    screen.print_lines(*summary(of_all_kinds(), []), stream=stream, no_color=no_color)

    assert ("\x1b[" in stream.getvalue()) is colored


def test_a_letter_that_the_terminal_lacks_is_no_error() -> None:
    out = io.BytesIO()
    stream = io.TextIOWrapper(out, "latin-1", write_through=True)
    screen.print_lines("“名前” résumé", stream=stream)

    assert out.getvalue().decode("latin-1") == "????" + " résumé\n"


def test_what_nobody_audits_and_which_decisions_ask_for_attention_is_said() -> None:
    unknown = "00000000-0000-4000-8000-0000000000ff"
    entries = [
        {"organization_id": each, "token_id": token(1)["token_id"], "permissions": "read"} for each in (ACME, unknown)
    ]
    ended = waiver("PRM001", id="W-7", expires=date(2026, 11, 22))
    audit = audited(snapshot([token(1, **FULL)]), register=register(entries), waivers=[ended])

    lines = said(audit)
    assert any("W-7 (22 Nov 2026)" in line and "1 waiver expired" in line for line in lines)
    assert any(unknown in line and "register" in line for line in lines)
