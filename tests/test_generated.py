"""The pages made from the code are as the code is now; `make docs` writes them."""

import json
import re
import tomllib
from datetime import date

import jsonschema
import pytest

from credly_audit.config.json_schema import schema
from credly_audit.config.settings import Settings
from credly_audit.rules import catalogue
from tests.generated import DOCS, PAGES, generated


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text() == generated(name), "run `make docs` and commit what it writes"


def test_every_rule_has_its_part_of_the_page_and_links_lead_to_it() -> None:
    text = (DOCS / "rules.md").read_text()
    found = re.findall("^#+ (.*)$", text, re.MULTILINE)
    headings = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in found}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= headings
    for rule in catalogue().values():
        assert f"\n### {rule.id} {rule.name}\n" in text
        for option, _, _ in rule.described_options():
            assert f"| `{option}` |" in text


def test_every_page_that_a_page_links_to_is_there() -> None:
    pages = list(DOCS.glob("*.md"))
    assert pages
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]*)", page.read_text()):
            assert (DOCS / target).exists(), f"{page.name}: {target}"


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall("^#+ (.*)$", re.sub("^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_to_a_part_of_a_page_leads_to_a_heading() -> None:
    found = {page.name: anchors(page.read_text()) for page in DOCS.glob("*.md")}
    links = [
        (page, target or page, part)
        for page in found
        for target, part in re.findall(r"\]\(([\w-]*\.md)?#([^)]+)\)", (DOCS / page).read_text())
    ]

    assert len(links) > 20
    assert [link for link in links if link[2] not in found[link[1]]] == []


EXAMPLES = [
    (page.name, block)
    for page in sorted(DOCS.glob("*.md"))
    for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("page", "block"), EXAMPLES)
def test_every_configuration_that_a_page_shows_is_right(page: str, block: str) -> None:
    assert page
    Settings.model_validate(tomllib.loads(block))
    jsonschema.validate(json.loads(json.dumps(tomllib.loads(block), default=date.isoformat)), schema())


def test_the_policy_s_page_shows_examples() -> None:
    assert sum(page == "policy.md" for page, _ in EXAMPLES) > 5
