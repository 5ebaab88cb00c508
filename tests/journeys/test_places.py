"""Where SARIF and annotations point: at the configuration's lines, as the code host that shows them knows the file."""

import json
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, configure

RUN = ("run", "--no-history", "--fail-on", "never", "--output", "sarif=-")


@pytest.fixture
def checkout(tmp_path: Path, sandbox: Sandbox) -> Path:
    """A checkout whose configuration has a folder of its own; the name needs quoting in an address."""
    folder = tmp_path / "check out" / "audit"
    folder.mkdir(parents=True)
    configure(folder, sandbox)
    return folder.parent


def addresses(text: str) -> set[str]:
    [run] = json.loads(text)["runs"]
    locations = [each for result in run["results"] for each in result["locations"]]
    assert locations
    return {unquote(each["physicalLocation"]["artifactLocation"]["uri"]) for each in locations}


@pytest.mark.parametrize("workspace", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", ".git", "working directory"])
@pytest.mark.parametrize("given", ["absolute", "relative", "linked"])
def test_paths_are_relative_to_the_checkout(
    workspace: str, given: str, credly_audit: Command, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = checkout.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(checkout if workspace == "working directory" else elsewhere)
    if workspace == ".git":
        (checkout / ".git").mkdir()
    elif workspace.isupper():
        monkeypatch.setenv(workspace, str(checkout))
    config = checkout / "audit" / "credly-audit.toml"
    if given == "relative":
        config = Path(os.path.relpath(config))
    elif given == "linked":
        (checkout.parent / "link").symlink_to(checkout)
        config = checkout.parent / "link" / "audit" / "credly-audit.toml"

    done = credly_audit(*RUN, "--config", config)

    assert addresses(done.out) == {"audit/credly-audit.toml"}


def test_a_file_outside_of_every_checkout_has_its_absolute_path(
    credly_audit: Command, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout.parent / "elsewhere").mkdir()
    monkeypatch.chdir(checkout.parent / "elsewhere")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(checkout.parent / "elsewhere"))
    config = checkout / "audit" / "credly-audit.toml"

    done = credly_audit(*RUN, "--config", config)

    assert addresses(done.out) == {f"file://{config}"}


def test_waived_findings_can_be_left_out_of_sarif(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    path = configure(tmp_path, sandbox)
    acme = sandbox.world.organizations[0].id
    today = date.today()  # noqa: DTZ011 - a waiver holds by the day
    dates = f"approved_on = {today - timedelta(days=9)}\nexpires = {today + timedelta(days=60)}\n"
    waiver = f'[[waivers]]\nrule = "EXP002"\norganization = "{acme}"\nreason = "Known to all"\napproved_by = "ciso"\n'
    for family in ("EXP", "PRM", "DOC", "INV"):
        path.write_text(path.read_text() + f"\n{waiver.replace('EXP002', family)}{dates}")

    [complete] = json.loads(credly_audit(*RUN).out)["runs"]
    [open_ones] = json.loads(credly_audit(*RUN, "--sarif-without-waived").out)["runs"]

    waived = {identity(each) for each in complete["results"] if each["suppressions"]}
    assert waived
    assert {identity(each) for each in open_ones["results"]} == {
        identity(each) for each in complete["results"]
    } - waived


def identity(result: dict[str, Any]) -> str:
    found: str = result["partialFingerprints"]["credlyAuditFinding/v1"]
    return found
