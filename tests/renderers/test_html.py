"""The page as a file: what it says, in which order, and that nothing in it can run or load anything."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import lxml.html
import pytest
from hypothesis import given, settings

from credly_audit.audit.comparison import RESOLVED, Comparison
from credly_audit.audit.findings import COLUMNS
from credly_audit.audit.model import Audit
from credly_audit.audit.prior import REMEDIATED, TREND, make_typed_frame
from credly_audit.config.presentation import Presentation
from credly_audit.snapshot import APPLICATIONS, conform
from tests.build import ACME, AS_OF, BETA, audited, organization, plan, register, snapshot, token, waiver
from tests.renderers.rendering import (
    DAY,
    FULL,
    changes_of,
    clean,
    empty,
    hostile,
    hostile_audit,
    many,
    of_all_kinds,
    removed,
    rendered,
    tried,
    with_a_broken_rule,
)


def page(audit: Audit) -> Any:
    return lxml.html.document_fromstring(rendered("html", audit).decode(), parser=lxml.html.HTMLParser(huge_tree=True))


def words(element: Any) -> str:
    return " ".join(element.text_content().split())


def part(of: Any, name: str) -> str:
    return words(of.get_element_by_id(name))


def data_of(of: Any) -> dict[str, Any]:
    blocks = of.xpath("//script[@type='application/json']")
    return {block.get("id"): json.loads(block.text) for block in blocks}


def columns(of: Any) -> dict[str, list[Any]]:
    """The columns as the script reads them."""
    return {
        name: values if isinstance(values, list) else [values["all"]] * values["many"]
        for name, values in data_of(of).items()
        if name != "words"
    }


def test_the_first_thing_said_is_the_verdict_and_then_what_was_seen() -> None:
    summary = part(page(of_all_kinds()), "summary")

    assert summary.startswith(
        "◐ Incomplete: 1 of 2 organizations could not be collected completely. 3 policy violations in"
    )
    order = [summary.index(text) for text in ("Coverage", "✕ failed Beta", "Top priorities", "Outlook")]
    assert order == sorted(order)
    assert "HTTP 503, five times." in summary


def test_an_action_names_its_day_its_contact_and_what_else_flags_the_token() -> None:
    rows = [token(1, **FULL, expires_at=AS_OF + 6 * DAY, description="Moodle connector")]
    [part_of_it] = page(audited(snapshot(rows), disable=["INV003"])).xpath("//div[@id='parts']/details")
    action, second = part_of_it.xpath(".//ol/li")

    assert "by Sunday 29 Nov 2026 (in 6 days)" in words(action)
    assert "“Moodle connector” (Acme, 00000000)" in words(action)
    assert "Related findings: full access" in words(action)
    assert "Related findings: token expiring" in words(second)
    assert "Owner: crm-team@acme.example" in words(action)


def test_a_clean_audit_says_so_instead_of_showing_empty_tables() -> None:
    said = page(clean())

    assert part(said, "summary").startswith("✓ Pass: 2 tokens of 1 organization, all complete; no policy violations.")
    assert "No open finding requires work." in part(said, "summary")
    assert "No finding: the rules flag none of 2 tokens that were seen." in part(said, "findings")
    assert "No risk is accepted" in part(said, "decisions")
    assert "No token was collected." in part(page(empty()), "tokens")


def test_no_program_word_for_nothing_reaches_a_reader() -> None:
    body = page(of_all_kinds())
    for script in body.xpath("//script | //style"):
        script.drop_tree()

    assert not re.search(r"\b(None|NaN|NaT|True|False|null|nan)\b", body.text_content())


def test_the_policy_lets_nothing_run_but_the_page_s_own_script_and_style() -> None:
    said = page(of_all_kinds())
    [policy] = said.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    [script] = said.xpath("//script[not(@type)]/text()")
    [style] = said.xpath("//style/text()")

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src {hashed(script)}",
        f"style-src {hashed(style)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not said.xpath("//@style | //@onclick | //link | //iframe | //object | //embed | //base | //form/@action")
    assert {href[:1] for href in said.xpath("//@href")} == {"#", ""}  # those of the script's templates are empty
    assert not said.xpath("//@src")


@settings(tried, max_examples=20)
@given(hostile)
def test_no_text_from_outside_makes_an_element_an_attribute_or_ends_a_block(text: str) -> None:
    assert shape(hostile_audit(text)) == plain_shape()


def shape(audit: Audit) -> list[tuple[str, tuple[str, ...]]]:
    return [(str(each.tag), tuple(each.attrib)) for each in page(audit).iter() if isinstance(each.tag, str)]


@cache
def plain_shape() -> list[tuple[str, tuple[str, ...]]]:
    return shape(hostile_audit("Plain words"))


def test_control_and_direction_characters_are_shown_as_dots_in_the_rows_and_in_the_data() -> None:
    said = page(hostile_audit("a\u202eb\x1b[31m\x85"))

    assert "\u202e" not in said.text_content()
    assert columns(said)["tokens.subject"][0] == "a·b·[31m·"
    assert "a·b·[31m·" in part(said, "tokens")


def test_the_first_thousand_findings_are_plain_html_worst_first_and_all_are_data() -> None:
    audit = many(700)
    said = page(audit)
    ids = audit.findings.frame["finding_id"].tolist()

    assert len(ids) > 1_000
    rows = said.xpath("//section[@id='findings']//tbody/tr")
    assert [words(row.xpath(".//*[@data-text='finding_id']")[0]) for row in rows] == ids[:1_000]
    assert columns(said)["findings.finding_id"] == ids
    assert f"show the first 1,000 findings, worst first; the other {len(ids) - 1_000} are in this file" in part(
        said, "findings"
    )


def test_every_finding_says_what_is_wrong_why_what_to_do_by_when_and_whom_to_ask() -> None:
    audit = of_all_kinds()
    rows = page(audit).xpath("//section[@id='findings']//tbody/tr")

    for row, finding in zip(rows, audit.findings.records(), strict=True):
        said = words(row)
        assert finding["message"] in said
        assert finding["remediation"] in said
        assert audit.rules[finding["rule_id"]].rationale in said
        assert f"{finding['due_at']:%b %Y}" in said
        assert finding["owner"] in said
        assert finding["rule_id"] in said


def test_the_data_hold_what_the_findings_and_tokens_say() -> None:
    audit = of_all_kinds()
    shown = page(audit)
    data, said = columns(shown), data_of(shown)["words"]

    assert [said["severities"][weight]["tone"] for weight in data["findings.severity"]] == [
        row["severity"] for row in audit.findings.records()
    ]
    assert [data["organizations.id"][row] for row in data["findings.organization"]] == [
        row["organization_id"] for row in audit.findings.records()
    ]
    assert data["tokens.expires"] == [int(each.timestamp()) for each in audit.tokens["expires_at"]]
    assert data["tokens.write"] == [1, 0, 0, 0, 0, 0]
    assert len({len(values) for name, values in data.items() if name.startswith("tokens.")}) == 1
    assert "controls" in COLUMNS


def test_a_waived_finding_is_struck_through_and_says_who_waived_it_until_when() -> None:
    [row] = page(of_all_kinds()).xpath("//section[@id='findings']//tbody/tr[@class='waived']")

    assert "Waived until 31 Jan 2027 by ciso@acme.example: The migration needs it." in words(row)


def test_waivers_and_plans_stand_with_those_first_that_ask_for_attention() -> None:
    rows = [token(1, write_enabled=True, delete_enabled=True), token(2, description="test")]
    audit = audited(
        snapshot(rows),
        waivers=[waiver("PRM001"), waiver("EXP001")],
        plans=[plan("DOC002", until="2026-11-01")],
    )
    said = page(audit)

    states = [words(cell) for cell in said.xpath("//section[@id='decisions']//tbody/tr/td[1]")]
    assert states == ["✕ overdue plan", "○ unused waiver", "✓ active waiver"]
    assert "Overdue: was to be remediated by 1 Nov 2026" in part(said, "findings")


def test_organizations_that_the_register_alone_names_are_on_the_first_screen() -> None:
    entries = register([{"organization_id": BETA, "token_id": token(9)["token_id"], "permissions": "read"}])

    assert f"Not audited: the register names 1 organization that no configuration has: {BETA}." in part(
        page(audited(snapshot([token(1)]), register=entries)), "summary"
    )


def test_a_token_says_what_the_register_says_of_it() -> None:
    entry = {"organization_id": ACME, "token_id": token(1)["token_id"], "owner": "lms@acme.example"}
    entries = register([entry | {"permissions": "read", "ticket": "SEC-7"}])

    said = page(audited(snapshot([token(1), token(2)]), register=entries))
    [first, second] = said.xpath("//section[@id='tokens']//tbody/tr")
    assert "Register owner: lms@acme.example; permissions: read; ticket: SEC-7" in words(first)
    assert "Register does not name it" in words(second)


def test_of_many_organizations_not_seen_twenty_are_named_and_the_place_of_the_others() -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(23)]
    hidden = [organization(each, name=f"Place {each[:8]}", status="failed") for each in ids]
    said = page(audited(snapshot([token(1)], [organization(), *hidden])))

    assert len(said.xpath("//ul[@class='hidden-ones']/li")) == 20
    assert "… and 3 more that could not be collected completely: the list of organizations names them." in part(
        said, "summary"
    )


def test_a_broken_rule_is_named_on_the_first_screen() -> None:
    assert "Rule PRM001 is broken and was not evaluated: KeyError" in part(page(with_a_broken_rule()), "summary")


def test_each_organization_has_a_part_with_what_to_do_there() -> None:
    said = page(of_all_kinds())

    assert "HTTP 503, five times." in part(said, f"organization-{BETA}")
    acme = part(said, f"organization-{ACME}")
    assert "Actions" in acme
    assert "crm-team@acme.example" in acme


def test_a_chart_says_its_finding_and_has_a_table() -> None:
    rows = [token(1, expires_at=AS_OF + 70 * DAY), token(2, expires_at=AS_OF + 3 * DAY)]
    charts = page(audited(snapshot(rows))).xpath("//figure")
    titles = [words(each.xpath("./figcaption")[0]) for each in charts]

    assert "1 token expires within 60 days; the busiest month is November 2026 with 1" in titles
    assert "0 of 2 unexpired tokens can write or delete" in titles
    for chart in charts:
        [drawing], [table] = chart.xpath("./svg"), chart.xpath(".//table")
        assert drawing.get("aria-label") == words(chart.xpath("./figcaption")[0])
        assert len(drawing.xpath("./rect")) == len(table.xpath(".//tbody/tr"))


def compared(audit: Audit) -> Comparison:
    """Two remediated findings, and three audits."""
    since = AS_OF - 31 * DAY
    resolved = {
        "finding_id": ["a" * 16, "b" * 16],
        "rule_id": ["PRM001", "XYZ001"],
        "severity": ["high", "low"],
        "organization_id": [ACME, ACME],
        "organization_name": ["Acme", "Acme"],
        "token_id": [token(8)["token_id"], None],
        "description": ["Old connector <b>", None],
        "fingerprint": ["8" * 16, None],
        "first_seen_at": [AS_OF - 62 * DAY, AS_OF - 31 * DAY],
        "resolved_at": [AS_OF, AS_OF],
        "days_open": [62, 31],
    }
    remediated = {
        "weight": [3, 1],
        "opened_at": [AS_OF - 62 * DAY, AS_OF - 31 * DAY],
        "resolved_at": [AS_OF, AS_OF],
        "findings": [1, 3],
    }
    audits = {name: [0, 0, 0] for name in TREND} | {
        "as_of": [AS_OF - 62 * DAY, since, AS_OF],
        "outcome": ["violations", "violations", audit.verdict.outcome],
        "high": [9, 7, 2],
        "low": [1, 1, 3],
    }
    known = make_typed_frame(resolved, RESOLVED)
    changes = changes_of(known)
    return Comparison(
        since, known, make_typed_frame(remediated, REMEDIATED), make_typed_frame(audits, TREND), removed(), {}, *changes
    )


def test_what_was_mended_since_the_last_audit_and_the_trend_are_shown() -> None:
    audit = of_all_kinds()
    said = page(replace(audit, compared=compared(audit)))

    assert "Changes since 23 Oct 2026 (31 days ago)" in part(said, "changes")
    assert "2 resolved" in part(said, "changes")
    assert "Old connector <b> Acme 88888888" in part(said, "changes")
    titles = [words(each) for each in said.xpath("//figcaption")]
    assert "5 open findings, 3 fewer than at the audit before" in titles
    assert "Median time to remediate: 31 days" in titles


def test_oauth_applications_are_listed_where_they_were_asked_for() -> None:
    frame = {
        "organization_id": [ACME],
        "application_id": ["97"],
        "name": ["Gradebook <bridge>"],
        "created_at": [AS_OF - 400 * DAY],
        "creator_available": [False],
    }
    collected = snapshot([token(1)])
    header = replace(collected.header, oauth_applications_asked=True)
    asked = replace(collected, header=header)
    said = part(page(audited(replace(asked, applications=conform(frame, APPLICATIONS)))), "applications")

    assert "Gradebook <bridge> Acme (no description) 19 Oct 2025 (400 days ago) – no 97" in said
    assert "No organization has an OAuth application." in part(page(audited(asked)), "applications")
    assert not page(audited(collected)).xpath("//*[@id='applications']")


def test_findings_of_earlier_audits_that_were_not_seen_are_counted_apart() -> None:
    audit = of_all_kinds()
    frame = audit.findings.frame.copy()
    frame["status"] = frame["status"].where(frame["rule_id"] != "DOC002", "unseen")
    said = page(replace(audit, findings=replace(audit.findings, frame=frame)))

    assert "1 not assessed (carried over)" in part(said, "summary")
    assert said.xpath("//section[@id='findings']//option[@value='unseen']")


def test_without_an_earlier_audit_there_is_no_word_of_changes() -> None:
    assert not page(of_all_kinds()).xpath("//*[@id='changes'] | //select[@name='status']")


def test_nothing_to_compare_is_said() -> None:
    audit = of_all_kinds()
    nothing = compared(audit)
    nothing = replace(
        nothing,
        resolved=nothing.resolved[:0],
        remediated=nothing.remediated[:0],
        trend=nothing.trend[-1:],
        changes=nothing.changes[:0],
    )
    said = page(replace(audit, compared=nothing))

    assert "No finding was resolved since then." in part(said, "changes")
    titles = [words(each) for each in said.xpath("//figcaption")]
    assert "A trend shows from the second audit on." in titles
    assert "No finding has been resolved yet, so there is no time to remediate." in titles


def test_a_control_has_evidence_supported_and_never_complied_with() -> None:
    said = part(page(of_all_kinds()), "rules")

    assert "it does not decide whether an organization complies" in said
    assert "Mapped controls OWASP NHI 2025 NHI5" in said


def test_the_same_audit_makes_the_same_bytes() -> None:
    assert rendered("html", of_all_kinds()) == rendered("html", of_all_kinds())


def test_a_title_and_guidance_of_one_s_own_stand_on_the_first_screen() -> None:
    guidance = (
        "Ask **security** in [chat](https://chat.example/x).\n\n<script>alert(1)</script> ![p](https://e.example/p)"
    )
    shown = Presentation(title="Acme <tokens>", guidance=guidance)
    said = page(replace(clean(), presentation=shown))

    assert words(said.xpath("//h1")[0]) == "Acme <tokens>"
    [own] = said.xpath("//section[@id='summary']//*[@class='guidance']")
    assert "Ask security in chat." in words(own)
    assert "<script>alert(1)</script>" in words(own)
    assert not own.xpath(".//img | .//script")
    assert {each.get("rel") for each in own.xpath(".//a")} == {"noopener noreferrer nofollow"}


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//e.example/"])
def test_a_link_of_the_guidance_that_leads_to_no_web_page_is_words(address: str) -> None:
    said = page(replace(clean(), presentation=Presentation(guidance=f"[here]({address})")))

    assert not said.xpath("//*[@class='guidance']//a")


def test_instants_of_the_data_are_whole_seconds_and_nothing_is_null() -> None:
    rows = [token(1, expires_at=None), token(2, expires_at=AS_OF + timedelta(seconds=90))]
    data = columns(page(audited(snapshot(rows))))

    assert data["tokens.expires"] == [None, int((AS_OF + timedelta(seconds=90)).timestamp())]
    assert data["findings.first"] == [None] * len(data["findings.finding_id"])
