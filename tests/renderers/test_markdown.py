"""Markdown, read back by markdown-it as GitHub's dialect."""

import html
import re

from hypothesis import given
from markdown_it import MarkdownIt

from credly_audit.audit.model import Audit
from credly_audit.text import harmless, markdown
from tests.renderers.rendering import (
    clean,
    empty,
    hostile,
    hostile_audit,
    many,
    of_all_kinds,
    rendered,
    tried,
    with_a_broken_rule,
)

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

TAGS = {"h1", "h2", "p", "ul", "ol", "li", "strong", "table", "thead", "tbody", "tr", "th", "td", "s"}


def page(audit: Audit) -> str:
    return READER.render(rendered("markdown", audit).decode())


def cells(audit: Audit) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", page(audit).rpartition("<table>")[2], re.DOTALL)
    return [[html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows[1:]]


def test_the_verdict_comes_first_and_what_was_not_seen_next() -> None:
    text = page(of_all_kinds())

    assert text.startswith("<h1>⚠️ Incomplete: 1 of 2 organizations could not be collected completely.")
    assert "<strong>Beta</strong> (failed): HTTP 503, five times." in text
    assert text.index("Coverage") < text.index("Top priorities") < text.index("<h2>Findings")


def test_a_finding_is_a_row_worst_first_and_a_waived_one_is_struck_out() -> None:
    rows = cells(of_all_kinds())

    assert rows[0][0] == "critical"
    assert {len(row) for row in rows} == {7}
    (waived,) = [row for row in rows if "waived:" in row[0]]
    assert waived[2] == "<s>“Migration of the learning platform” (Acme, 00000000)</s>"


def test_nothing_to_do_and_nothing_found_is_said() -> None:
    for audit in (clean(), empty()):
        text = page(audit)
        assert text.startswith("<h1>✅ Pass:")
        assert "No open finding requires work." in text
        assert "No rule flagged anything in the data collected." in text


def test_a_broken_rule_is_named() -> None:
    assert "Rule PRM001 is broken: KeyError" in page(with_a_broken_rule())


def test_it_fits_a_step_summary_and_says_what_is_left_out() -> None:
    audit = many(3_000)
    content = rendered("markdown", audit)
    shown = content.decode().split("| Severity | Rule |")[1].count("\n| ")

    assert 900_000 < len(content) < 1_048_576
    left_out = re.search(r"\*\*(\d+),(\d+) findings are left out here\*\*", content.decode())
    assert left_out is not None
    assert int(left_out[1] + left_out[2]) + shown == len(audit.findings)


@tried
@given(hostile)
def test_hostile_text_is_plain_words(text: str) -> None:
    audit = hostile_audit(text)

    assert {tag.lower() for tag in re.findall(r"</?([a-zA-Z0-9]+)", page(audit))} <= TAGS
    assert {len(row) for row in cells(audit)} == {7}


@tried
@given(hostile)
def test_a_reader_sees_the_words_that_were_written(text: str) -> None:
    seen = html.unescape(READER.renderInline(f"x{markdown(text)}x")).replace("\u2060", "")

    assert seen == f"x{' '.join(harmless(text).split())}x"


def test_nobody_is_mentioned_and_nothing_is_linked() -> None:
    assert markdown("@octocat") == "&#64;\u2060octocat"
    assert markdown("a@b.example") == "a&#64;b.example"
    assert "://" not in markdown("http://e.example")
    assert "www." not in markdown("www.e.example")
