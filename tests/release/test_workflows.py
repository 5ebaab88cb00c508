"""The workflows of this repository: what they run is pinned, and what is published is what was built."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CI, RELEASE = (ROOT / ".github" / "workflows" / f"{name}.yml" for name in ("ci", "release"))


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


@pytest.mark.parametrize("path", [CI, RELEASE], ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_say_their_version(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text())

    assert used
    assert not [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", each)]


def test_one_commit_of_each_action_is_used_everywhere() -> None:
    files = [CI, RELEASE, *(ROOT / "examples" / "github").glob("*.yml")]
    used = {each for path in files for each in re.findall(r"uses: (actions/\S+@\S+)", path.read_text())}

    assert len(used) == len({each.partition("@")[0] for each in used})


def test_ci_runs_every_python_that_the_package_allows_on_both_systems() -> None:
    matrix = jobs(CI)["test"]["strategy"]["matrix"]

    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert {each.partition("-")[0] for each in matrix["system"]} == {"ubuntu", "macos"}
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()
    assert jobs(CI)["windows"]["continue-on-error"] is True


def test_a_release_is_built_once_and_published_only_after_it_was_installed_and_attested() -> None:
    found = jobs(RELEASE)

    assert [name for name, job in found.items() if "release-check" in str(job["steps"])] == ["build"]
    assert {name: job.get("needs") for name, job in found.items()} == {
        "build": None,
        "install": "build",
        "attest": "install",
        "publish": "attest",
        "announce": "publish",
    }
    assert found["install"]["strategy"]["matrix"]["kind"] == ["wheel", "sdist"]
    assert "credly-audit demo" in str(found["install"]["steps"])
    writers = {name for name, job in found.items() if "write" in job["permissions"].values()}
    assert writers == {"attest", "publish", "announce"}
    assert found["publish"]["environment"] == "release"
    assert "secrets." not in RELEASE.read_text()
