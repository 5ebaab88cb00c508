"""`--split-by`: a set of reports for each whom it concerns, that names no other's organizations or tokens."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from credly_audit.config.formats import formats
from credly_audit.renderers.base import renderer
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import World, made_up_organization
from tests.build import AS_OF
from tests.journeys.conftest import Command, configure
from tests.journeys.test_run import AS_OF_DATE

FILES = [name for name in formats() if not renderer(name).speaks]
RUN = ("run", "--as-of", AS_OF_DATE, "--no-history", "--fail-on", "never", "--split-by")

NAMES = ("Aldermoor Academy", "Birchfield Institute", "Ceilidh & Söhne ../..")
CONTACTS = ("crm@aldermoor.example", "it@birchfield.example", "it@birchfield.example")
TAGS = (("prod",), ("prod", "eu"), ())


@pytest.fixture
def three() -> Iterator[Sandbox]:
    """Three organizations, two of one contact; each has a finding, and the first two share a value."""
    world = World([made_up_organization(name, now=AS_OF, name=name) for name in NAMES], as_of=AS_OF)
    for each in world.organizations:
        each.tokens[1].description = f"Secret plans of {each.name}"
        each.tokens[2].description = None
    first, second, _ = world.organizations
    second.tokens[1].token = first.tokens[1].token
    with Sandbox(world, now=AS_OF) as served:
        yield served


@pytest.mark.parametrize("way", ["contact", "owner"])
def test_a_contact_called_nobody_is_somebody(way: str, credly_audit: Command, three: Sandbox, tmp_path: Path) -> None:
    path = configure(tmp_path, three)
    named = path.read_text().replace(f'name = "{NAMES[0]}"\n', f'name = "{NAMES[0]}"\ncontact = "nobody"\n')
    path.write_text(named)

    credly_audit(*RUN, way, "--format", "json")

    reports = [json.loads(each.read_text()) for each in (tmp_path / "reports").glob(f"*-by-{way}-nobody-*.json")]
    assert sorted([row["name"] for row in report["organizations"]] for report in reports) == [
        [NAMES[0]],
        [NAMES[1], NAMES[2]],
    ]


def test_a_subset_replaces_no_report_that_others_poll(credly_audit: Command, three: Sandbox, tmp_path: Path) -> None:
    configured(tmp_path, three)
    chosen = ("--organization", three.world.organizations[0].id, "--format", "prometheus", "--format", "ics")
    credly_audit(*RUN[:-1], "--format", "prometheus", "--format", "ics")
    credly_audit(*RUN[:-1], *chosen)
    credly_audit("collect", "-o", "part.snapshot", "--organization", three.world.organizations[0].id)
    credly_audit("check", "part.snapshot", "--output-dir", "checked", "--no-history", "--fail-on", "never", *chosen[2:])

    for folder, whole in (("reports", True), ("checked", False)):
        for suffix in ("prom", "ics"):
            names = [path.name for path in (tmp_path / folder).glob(f"*.{suffix}")]
            assert (f"credly-audit.{suffix}" in names) == whole
            assert any("-subset" in name for name in names)


def configured(folder: Path, sandbox: Sandbox) -> None:
    path = configure(folder, sandbox)
    text = path.read_text()
    for name, contact, tags in zip(NAMES, CONTACTS, TAGS, strict=True):
        line = f'name = "{name}"\n'
        assert line in text
        text = text.replace(line, f'{line}contact = "{contact}"\ntags = {json.dumps(tags)}\n')
    path.write_text(text)


def words_of(path: Path) -> str:
    """Everything that a file says."""
    if path.suffix != ".xlsx":
        return path.read_text(encoding="utf-8")
    with path.open("rb") as file:
        book = openpyxl.load_workbook(file)
    cells = [str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row]
    return "\n".join([*cells, book.properties.title, book.properties.subject])


def test_each_organization_has_reports_of_its_own_that_name_no_other(
    credly_audit: Command, three: Sandbox, tmp_path: Path
) -> None:
    configured(tmp_path, three)

    done = credly_audit(*RUN, "organization", *(word for name in FILES for word in ("--format", name)))

    assert done.code == 0, done.err
    organizations = three.world.organizations
    for mine, part in zip(organizations, ("aldermoor-academy", "birchfield-institute", "ceilidh-s-hne"), strict=True):
        theirs = [path for path in (tmp_path / "reports").iterdir() if f"-by-organization-{part}-" in path.name]
        assert len(theirs) == len(FILES) + len(renderer("csv").beside)
        for path in theirs:
            words = words_of(path)
            assert mine.name.split()[0] in words or path.suffix == ".prom"
            for other in organizations:
                if other is not mine:
                    secrets = [other.id, other.name.split()[0], *(token.id for token in other.tokens)]
                    assert not [secret for secret in secrets if secret in words], path.name


def test_whose_value_is_shared_with_another_organization_is_not_told(
    credly_audit: Command, three: Sandbox, tmp_path: Path
) -> None:
    configured(tmp_path, three)
    credly_audit(*RUN, "organization", "--format", "json")

    [path] = (tmp_path / "reports").glob("*aldermoor*.json")
    [shared] = [row for row in json.loads(path.read_text())["findings"] if row["rule_id"] == "INV002"]
    assert "1 token of another organization" in shared["message"]


@pytest.mark.parametrize(
    ("way", "parts"),
    [
        ("contact", {"crm-aldermoor-example": NAMES[:1], "it-birchfield-example": NAMES[1:]}),
        ("owner", {"crm-aldermoor-example": NAMES[:1], "it-birchfield-example": NAMES[1:]}),
        ("tag", {"prod": NAMES[:2], "eu": NAMES[1:2], "nobody": NAMES[2:]}),
    ],
)
def test_whoever_answers_for_several_gets_them_together(
    way: str, parts: dict[str, tuple[str, ...]], credly_audit: Command, three: Sandbox, tmp_path: Path
) -> None:
    configured(tmp_path, three)
    credly_audit(*RUN, way, "--format", "json")

    found = {}
    for path in (tmp_path / "reports").glob(f"*-by-{way}-*.json"):
        name = re.fullmatch(rf"credly-audit-{AS_OF_DATE}-by-{way}-(.*)-[0-9a-f]{{6}}\.json", path.name)
        assert name is not None
        found[name[1]] = tuple(row["name"] for row in json.loads(path.read_text())["organizations"])
        assert path.stat().st_mode & 0o777 == 0o600
    assert found == parts


def test_the_manifest_lists_every_part_and_verify_finds_a_change(
    credly_audit: Command, three: Sandbox, tmp_path: Path
) -> None:
    configured(tmp_path, three)
    credly_audit(*RUN, "contact", "--format", "json", "--format", "csv", "--manifest")
    [manifest] = (tmp_path / "reports").glob("*.manifest.json")
    parts = sorted((tmp_path / "reports").glob("*-by-contact-*"))

    assert len(parts) == 2 * 4
    assert all(path.name in manifest.read_text() for path in parts)
    assert credly_audit("verify", manifest).code == 0
    parts[0].write_text("changed")
    done = credly_audit("verify", manifest)
    assert done.code != 0
    assert parts[0].name in done.out + done.err


def test_without_a_report_in_the_folder_there_is_nothing_to_split(
    credly_audit: Command, three: Sandbox, tmp_path: Path
) -> None:
    configured(tmp_path, three)

    done = credly_audit(*RUN, "tag", "--output", "json=-")

    assert done.code == 2
    assert "--split-by: there is nothing to split" in done.err
    assert three.requests == []
