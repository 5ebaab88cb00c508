"""The page in a browser: nothing leaves it or runs in it, everybody can use it, and its lists do what they promise."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, expect

from credly_audit.audit.changes import TOKEN_CHANGES
from credly_audit.audit.model import Audit
from credly_audit.config.presentation import Presentation
from credly_audit.report.change_labels import LABELS
from credly_audit.report.key_figures import KeyFigures
from credly_audit.report.priorities import Priorities
from tests.build import ACME, BETA, audited, organization, register, snapshot, token
from tests.needs import runner, tool
from tests.renderers.browsing import PHONE, WIDE, Watched, chromium, written
from tests.renderers.rendering import hostile_audit, many, of_all_kinds, with_a_past
from tests.year import make_year

SAID_BY_ROWS = r"""html => {
    const table = document.createElement('table');
    table.innerHTML = html;
    const marks = each => ['class', 'href', 'hidden', 'data-copied', 'x', 'width'].map(name => each.getAttribute(name));
    return [...table.rows].map(row =>
        [row.textContent.replace(/\s+/g, ' ').trim(), ...[...row.querySelectorAll('*')].map(marks)]);
}"""

Open = Callable[..., Watched]

ATTACK = "<img src=http://e.example/x onerror=alert(1)><script>alert(2)</script>';alert(3)//\"</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    contexts = []

    def open_page(audit: Audit, fragment: str = "", **options: Any) -> Watched:
        context = browser.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.goto(written(audit, tmp_path) + fragment)
        return watched

    yield open_page
    for context in contexts:
        context.close()


def shown(page: Page, name: str = "findings") -> list[str]:
    return page.locator(f"#{name} tbody tr .who strong").all_inner_texts()


def ending(fragment: str) -> re.Pattern[str]:
    return re.compile(re.escape(f"report.html{fragment}") + "$")


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")])
def test_axe_finds_nothing_to_complain_of(opened: Open, viewport: dict[str, int], scheme: str) -> None:
    axe = tool("axe-core/axe.min.js").read_text()
    audit = replace(with_a_past(), presentation=Presentation(guidance="# Whom to ask\n\n- [chat](https://c.example)"))
    page = opened(audit, viewport=viewport, color_scheme=scheme).page
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")

    rules = "{ 'target-size': { enabled: true } }"
    found = page.evaluate(f"{axe}; axe.run({{ resultTypes: ['violations'], rules: {rules} }})")

    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20


def test_hostile_texts_run_nothing_load_nothing_and_stay_words(opened: Open) -> None:
    watched = opened(hostile_audit(ATTACK))
    page = watched.page
    for fragment in (f"#organization-{BETA}", "#findings?q=script", "#tokens?sort=-subject", f"#findings?q={ATTACK}"):
        page.evaluate("hash => { location.hash = hash }", fragment)
        page.wait_for_timeout(50)

    assert watched.faults == []
    assert len(watched.requests) == 1
    page.evaluate("location.hash = '#tokens?'")
    assert "<img src=http://e.example/x onerror=alert(1)>" in shown(page, "tokens")[0]


def test_the_policy_stops_a_script_that_is_not_the_page_s_own(opened: Open) -> None:
    watched = opened(of_all_kinds())
    watched.page.evaluate(
        "made => document.body.append(Object.assign(document.createElement('script'), { textContent: made }))",
        "document.title = 1",
    )

    assert "Content Security Policy" in watched.faults[0]
    assert watched.page.title() == "Credly authorization tokens: audit of 23 Nov 2026"


def test_findings_are_searched_filtered_and_sorted_and_the_address_says_how(opened: Open) -> None:
    page = opened(of_all_kinds()).page
    every = page.locator("#findings tbody tr").count()

    page.get_by_label("Search").nth(1).fill("placeholder")
    expect(page).to_have_url(ending("#findings?q=placeholder"))
    assert shown(page) == ["test"]

    page.locator("#findings").get_by_role("button", name="Clear").click()
    expect(page).to_have_url(ending("#findings"))
    page.locator("#findings").get_by_label("Severity").select_option("high")
    expect(page).to_have_url(ending("#findings?severity=high"))
    high = page.locator("#findings tbody .badge").all_inner_texts()
    assert set(high) == {"▲ high"}
    assert 0 < len(high) < every

    page.locator("#findings").get_by_role("button", name="Due").click()
    assert page.evaluate("location.hash") == "#findings?severity=high&sort=due"
    assert page.locator("#findings th[data-sort=due]").get_attribute("aria-sort") == "ascending"


def test_a_link_with_a_fragment_shows_the_same_rows_to_another(opened: Open) -> None:
    audit = of_all_kinds()
    page = opened(audit, "#findings?severity=high&sort=-subject").page

    assert page.locator("#findings select[name=severity]").input_value() == "high"
    assert shown(page) == sorted(shown(page), key=str.lower, reverse=True)
    assert page.locator("#findings").evaluate("each => Math.abs(each.getBoundingClientRect().top) < 200")


def with_a_register() -> Audit:
    entry = {"organization_id": ACME, "token_id": token(1)["token_id"], "permissions": "read", "ticket": "<b>SEC-7"}
    return audited(snapshot([token(1), token(2)]), register=register([entry]))


@pytest.mark.parametrize("audit_of", [of_all_kinds, with_a_register])
def test_the_script_says_of_each_row_what_the_plain_html_says(opened: Open, audit_of: Callable[[], Audit]) -> None:
    audit = audit_of()
    with_script, without = (opened(audit, java_script_enabled=enabled).page for enabled in (True, False))
    with_script.evaluate("for (const list of lists.values()) list.show()")

    for name in ("findings", "tokens", "organizations"):
        rows = [each.locator(f"#{name} tbody").inner_html() for each in (with_script, without)]
        with_script_words, plain_words = (with_script.evaluate(SAID_BY_ROWS, each) for each in rows)
        assert with_script_words == plain_words
        assert plain_words


def test_changes_and_decisions_are_searched_filtered_sorted_and_paged(opened: Open, tmp_path: Path) -> None:
    audit = make_year(tmp_path, organizations=12, tokens=25, audits=2)
    assert audit.compared is not None
    watched = opened(audit)
    page, changes = watched.page, audit.compared.changes
    for name in ("changes", "deltas", "decisions"):
        rows = page.locator(f"#{name} tbody")
        before = rows.inner_html()
        page.evaluate(f"lists.get('{name}').show()")
        assert page.evaluate(SAID_BY_ROWS, rows.inner_html()) == page.evaluate(SAID_BY_ROWS, before)

    counts = {label: int(changes["change"].eq(change).sum()) for change, label in LABELS.items()}
    links = page.locator("#changes .statuses a")
    assert links.count() == sum(found > 0 for found in counts.values())
    for link in links.all():
        href = str(link.get_attribute("href"))
        found = page.evaluate(
            "href => { location.hash = href; go(); return lists.get('changes').rows().length; }", href
        )
        assert found == counts[unquote(href).removeprefix("#changes?change=")], href

    page.evaluate("location.hash = 'changes'; go()")
    expect(page.locator("#changes .told")).to_have_text(f"Rows 1 to 100 of {len(changes)}")
    page.locator("#changes .pager").get_by_text("Last").click()
    expect(page.locator("#changes .told")).to_have_text(
        f"Rows {(len(changes) - 1) // 100 * 100 + 1} to {len(changes)} of {len(changes)}"
    )
    page.locator("#changes").get_by_label("Detail").select_option("rotated")
    rotated = int(changes["detail"].eq("rotated").sum())
    expect(page.locator("#changes .told")).to_contain_text(f" of {rotated} ({len(changes)} in all)")
    page.locator("#changes").get_by_role("button", name="Severity").click()
    assert "critical" in page.locator("#changes tbody tr").first.inner_text()
    page.locator("#deltas").get_by_role("button", name="Tokens").click()
    most = audit.compared.deltas[list(TOKEN_CHANGES)].sum(axis=1).idxmax()
    first = page.locator("#deltas tbody tr").first
    expect(first.locator("td").first).to_have_text(audit.compared.deltas["organization_name"][most])
    page.locator("#decisions").get_by_label("Search").fill("PRM001 connector")
    page.locator("#decisions").get_by_label("Kind").select_option("plan")
    expect(page.locator("#decisions .told")).to_have_text("Rows 1 to 1 of 1 (5 in all)")
    assert watched.faults == []


def test_the_keyboard_alone_reaches_filters_sorting_pages_and_folded_parts(opened: Open) -> None:
    page = opened(many(120)).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"

    page.locator("#findings input[name=q]").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('th')?.dataset.sort") == "subject":
            break
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#findings?sort=subject"

    page.locator("#findings .pager button[data-turn=next]").focus()
    page.keyboard.press("Space")
    assert page.evaluate("location.hash") == "#findings?sort=subject&page=2"

    page.locator(f"#organization-{ACME} summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(f"#organization-{ACME} .facts").is_visible()


def test_the_last_page_keeps_the_focus_in_the_pager(opened: Open) -> None:
    page = opened(many(300)).page

    for where, other in (("last", "first"), ("first", "next")):
        page.locator(f"#findings .pager button[data-turn={where}]").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.dataset.turn") == other


@pytest.mark.parametrize("width", [320, 360])
def test_nothing_is_wider_than_the_narrowest_screens(width: int, opened: Open) -> None:
    page = opened(with_a_past(of_all_kinds()), viewport={"width": width, "height": 700}).page

    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_on_a_phone_rows_are_cards_and_nothing_is_wider_than_the_screen(opened: Open) -> None:
    page = opened(of_all_kinds(), viewport=PHONE).page

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    cell = page.locator("#findings tbody td").first
    assert cell.evaluate("each => getComputedStyle(each).display") == "block"
    assert cell.evaluate("each => getComputedStyle(each, '::before').content") == '"Severity"'


def test_a_fragment_that_means_nothing_breaks_nothing(opened: Open) -> None:
    fragments = [
        "#",
        "#%",
        "#findings?constructor=1&sort=toString&page=-3",
        "#findings?page=9e9",
        "#organization-nobody",
        "#tokens?may=x",
        "#tokens?expires=soonish&findings=most",
        "#findings?severity=worst&rule=NOP999&due=never&standing=lying",
        "#organizations?coverage=x&name=Acme",
    ]
    watched = opened(of_all_kinds(), fragments[0])
    for fragment in fragments:
        watched.page.evaluate("hash => { location.hash = hash }", fragment)
        watched.page.wait_for_timeout(30)

    assert watched.faults == []
    assert watched.page.locator("#findings tbody tr").count() > 5


def test_the_numbers_below_the_verdict_lead_to_their_rows(opened: Open) -> None:
    audit = of_all_kinds()
    page = opened(audit).page

    page.get_by_role("link", name="policy violation").click()
    assert page.locator("#findings tbody tr").count() == audit.verdict.violations
    page.get_by_role("link", name="1 risk accepted").click()
    assert page.locator("#findings tbody tr.waived").count() == page.locator("#findings tbody tr").count() == 1
    page.get_by_role("link", name="2 expiring within 60 days").click()
    assert page.locator("#tokens tbody tr").count() == 2


def test_the_part_of_an_organization_beyond_the_first_hundred_is_made_when_somebody_goes_there(opened: Open) -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(103)]
    places = [organization(each, name=f"Place {number}") for number, each in enumerate(ids)]
    rows = [token(number, each, organization_name=f"Place {number}") for number, each in enumerate(ids)]
    page = opened(audited(snapshot(rows, places))).page
    assert page.locator(".part").count() == 100

    page.evaluate(f"location.hash = '#organization-{ids[101]}'")
    part = page.locator(f"[id='organization-{ids[101]}']")
    part.get_by_role("heading", name="Place 101").wait_for()

    part.get_by_role("link", name="Its tokens").click()
    assert page.evaluate("location.hash") == f"#tokens?organization={ids[101]}"
    assert shown(page, "tokens") == ["Reporting dashboard number 101 of team analytics"]


def test_an_id_and_a_link_are_copied_by_a_click(opened: Open) -> None:
    page = opened(of_all_kinds(), "#findings?q=placeholder", permissions=["clipboard-read", "clipboard-write"]).page

    page.locator("#findings tbody .copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == token(2)["token_id"]
    assert page.locator("#said").inner_text() == "Copied."
    page.locator("#findings").get_by_role("button", name="Copy link").click()
    assert page.evaluate("navigator.clipboard.readText()").endswith("report.html#findings?q=placeholder")


def test_print_opens_what_is_folded_and_repeats_heads_and_numbers_pages(opened: Open, tmp_path: Path) -> None:
    pdftotext = runner("pdftotext")
    audit = many(60)
    page = opened(audit).page
    page.get_by_label("Print all lists").check()
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)

    assert pdftotext("-layout", str(tmp_path / "report.pdf"), str(tmp_path / "report.txt")).returncode == 0
    sheets = (tmp_path / "report.txt").read_text().split("\f")[:-1]
    whole = "".join(sheets)
    assert [" ".join(sheet.split()[-3:]) for sheet in sheets[:-1]] == [
        f"{number} / {len(sheets)}" for number in range(1, len(sheets))
    ]
    assert whole.count("Finding and remediation") > 3
    for finding_id in audit.findings.frame["finding_id"]:
        assert finding_id in whole
    assert "Actions" in whole
    assert "Search" not in whole
    assert page.locator("details[open]").count() == 0


def test_a_year_of_sixty_organizations_prints_on_six_pages_and_every_figure_leads_to_its_rows(
    opened: Open, tmp_path: Path
) -> None:
    audit = make_year(tmp_path, organizations=60, tokens=40, audits=2)
    page = opened(audit).page

    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    pages = runner("pdfinfo")(str(tmp_path / "report.pdf")).stdout.decode()
    assert 2 <= int(re.findall(r"Pages:\s+(\d+)", pages)[0]) <= 6

    page.set_viewport_size({"width": 1400, "height": 900})
    third = page.locator("#summary .todo-first li").nth(2).bounding_box()
    assert third is not None
    assert third["y"] + third["height"] < 900
    assert page.content().count("so the list was not cut") == 0

    links = page.locator(".numbers a, #summary .todo-first li .doing a").all()
    for href in [each.get_attribute("href") for each in links]:
        shown = page.evaluate(
            "href => { location.hash = href; go(); return lists.get(href.slice(1).split('?')[0]).rows().length; }", href
        )
        assert shown == expected_rows(audit, str(href)), href


def test_long_names_and_addresses_are_printed_in_full_within_the_sheet(opened: Open) -> None:
    contact, name = f"{'a' * 64}@{'department.' * 12}example.org", "Continuingeducation" * 6
    places = [organization(each, name=name, contact=contact, status="truncated") for each in (ACME, BETA)]
    page = opened(audited(snapshot([token(1, expires_at=None), token(2, BETA)], places))).page
    page.set_viewport_size({"width": 1000, "height": 700})

    page.emulate_media(media="print")

    assert page.evaluate("document.documentElement.scrollWidth") == 1000
    cells = page.locator("#organizations tbody .owner").all()
    assert [each.inner_text() for each in cells] == [contact, contact]
    assert all(each.evaluate("each => each.scrollWidth <= each.clientWidth") for each in cells)


def expected_rows(audit: Audit, href: str) -> int:
    """Return how many rows the key figure or the priority with this link counts."""
    figures = {each.place: each.value for each in KeyFigures(audit)}
    groups = {f"#findings?priority={each.number}": each.findings for each in Priorities(audit).groups()}
    return (figures | groups)[href]


def test_without_script_every_part_is_readable_and_the_filters_are_absent(opened: Open) -> None:
    page = opened(many(600), java_script_enabled=False).page

    assert page.locator("#findings tbody tr").count() == 1_000
    assert not page.locator("#findings form").is_visible()
    said = page.get_by_text("show the first 1,000 findings, worst first")
    said.scroll_into_view_if_needed()
    assert said.is_visible()


@pytest.mark.proof
def test_a_hundred_thousand_findings_open_in_three_seconds_and_stay_smooth(opened: Open) -> None:
    audit = many(50_000)
    assert len(audit.findings) >= 100_000
    page = opened(audit).page

    timing = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
    assert timing < 3_000
    assert "Rows 1 to 100 of 1" in page.locator("#findings .told").inner_text()
    for step in ("filter()", "sortBy('subject')", "turn('last')", "turn('first')"):
        took = page.evaluate(
            "step => { const start = performance.now(); lists.get('findings')[step[0]](step[1]);"
            " document.body.getBoundingClientRect(); return performance.now() - start; }",
            [step.split("(")[0], step.split("'")[1] if "'" in step else None],
        )
        assert took < 500
