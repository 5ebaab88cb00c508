"""The organizations that ship: made up, distinct, and each as the configuration beside them says."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from credly_audit.errors import UsageError
from credly_audit.files.resources import shipped
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization, World
from tests.sandbox.conftest import Caller

FOLDER = shipped("sample_data")
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture
def world() -> World:
    return World.load(FOLDER)


@pytest.fixture
def served(world: World) -> Iterator[Sandbox]:
    with Sandbox(world, now=world.as_of) as sandbox:
        yield sandbox


def configured() -> dict[str, dict[str, str]]:
    rows = tomllib.loads((FOLDER / "credly-audit.toml").read_text(encoding="utf-8"))["organizations"]
    return {row["name"]: row for row in rows}


def credential(name: str) -> str:
    return (FOLDER / configured()[name]["token"].removeprefix("file:")).read_text().strip()


def named(world: World, beginning: str) -> SandboxOrganization:
    return next(organization for organization in world.organizations if organization.name.startswith(beginning))


def test_every_organization_is_configured_under_its_name_with_a_credential_of_its_own(world: World) -> None:
    assert {one.name: one.id for one in world.organizations} == {name: row["id"] for name, row in configured().items()}
    for organization in world.organizations:
        assert credential(organization.name) in {token.token for token in organization.tokens}
        assert configured()[organization.name]["contact"] == organization.technical_contact_email


def test_values_are_made_up_and_look_like_real_ones_and_one_is_shared(world: World) -> None:
    values = Counter(token.token for organization in world.organizations for token in organization.tokens)

    assert all(re.fullmatch(r"MADE-UP-[A-Za-z0-9_-]{28}", value) for value in values)
    assert [count for count in values.values() if count > 1] == [2]


def test_ids_are_lower_case_uuids_and_none_comes_twice(world: World) -> None:
    ids = [one.id for organization in world.organizations for one in (organization, *organization.tokens)]

    assert all(re.fullmatch(UUID, one) for one in ids)
    assert len(set(ids)) == len(ids)


def test_mail_addresses_lead_nowhere() -> None:
    for file in FOLDER.rglob("*"):
        if file.is_file():
            hosts = re.findall(r"@([\w-]+\.\w[\w.-]*\w)", file.read_text(encoding="utf-8"))
            assert all(host.endswith(".example") for host in hosts), file


def test_one_organization_has_180_tokens_on_four_pages(served: Sandbox, world: World) -> None:
    harborview = named(world, "Harborview")
    caller = Caller(served, credential(harborview.name))
    pages = [caller.tokens(harborview, number).json() for number in (1, 2, 3, 4)]

    assert [len(page["data"]) for page in pages] == [50, 50, 50, 30]
    assert pages[0]["metadata"]["total_count"] == 180


@pytest.mark.parametrize(
    ("name", "status", "shown"),
    [
        ("Lindqvist", 200, 6),
        ("Foxglove", 200, 5),
        ("Brightwell", 200, 4),
        ("Meridian", 200, 4),
        ("Quill", 200, 11),
        ("Old Mill", 200, 5),
        ("Tallis", 200, 7),
        ("Castellan", 401, 0),
    ],
)
def test_each_organization_answers_as_its_part_asks(
    served: Sandbox, world: World, name: str, status: int, shown: int
) -> None:
    organization = named(world, name)
    answer = Caller(served, credential(organization.name)).tokens(organization)

    assert answer.status_code == status
    assert len(answer.json()["data"] if status == 200 else []) == shown


def test_what_the_parts_are(served: Sandbox, world: World) -> None:
    def listing(name: str) -> dict:
        organization = named(world, name)
        return Caller(served, credential(organization.name)).tokens(organization).json()

    assert not any(row["write_enabled"] or row["delete_enabled"] for row in listing("Brightwell")["data"])
    assert {row["token"] for row in listing("Meridian")["data"]} == {None}
    assert listing("Old Mill")["metadata"] == {}
    assert listing("Tallis")["metadata"]["total_count"] == 9
    hostile = " ".join(row["description"] for row in listing("Quill")["data"])
    assert all(text in hostile for text in ("<script>", "=HYPERLINK(", "\x1b[31m", "\0", "\u202e", "👩‍🏫", '"', "\n"))
    assert max(len(row["description"]) for row in listing("Quill")["data"]) == 5000


def test_applications_are_asked_for_and_show_an_orphan_and_one_that_nobody_tends(world: World) -> None:
    settings = tomllib.loads((FOLDER / "credly-audit.toml").read_text(encoding="utf-8"))
    assert settings["api"]["include_oauth_applications"] is True
    assert world.as_of is not None

    harborview = {one.name: one.creator_available for one in named(world, "Harborview").oauth_applications}
    [rota] = named(world, "Foxglove").oauth_applications
    assert harborview == {"Badge wallet": True, "Gradebook bridge": False}
    assert rota.description == "test"
    assert rota.updated_at is not None
    assert (world.as_of - rota.updated_at).days > 365
    secrets = [one.secret for each in world.organizations for one in each.oauth_applications]
    assert secrets
    assert all(secret.startswith("MADE-UP-") for secret in secrets)


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        (None, "", "file does not exist"),
        ("world.json", "{", "not readable as JSON"),
        ("world.json", "[]", "is not a JSON object"),
        ("organizations/a.json", '{"id": "1", "name": "A", "colour": "red"}', "colour"),
        ("organizations/a.json", '{"id": "1", "name": "A", "tokens": [{"id": "2"}]}', "token"),
        (
            "organizations/a.json",
            '{"id": "1", "name": "A", "tokens": [{"id": "2", "token": "", "expires_at": "soon"}]}',
            "soon",
        ),
    ],
)
def test_a_folder_that_is_none_is_refused_in_one_line(
    tmp_path: Path, file: str | None, content: str, told: str
) -> None:
    if file:
        (tmp_path / "organizations").mkdir()
        (tmp_path / "world.json").write_text("{}")
        (tmp_path / file).write_text(content)

    with pytest.raises(UsageError, match=told) as refused:
        World.load(tmp_path)
    assert "\n" not in str(refused.value)
    assert str(tmp_path) in str(refused.value)
