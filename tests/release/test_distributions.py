"""What keeps a distribution from being released: a build that differs, a file that is missing or does not belong."""

import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from release.check import judge_vulnerabilities
from release.distributions import Distributions, NotReady, build, build_from_sdist, require_complete, require_equal

TRACKED = ["LICENSE", "credly_audit/__init__.py", "sample_data/world.json", "report_templates/html/report.html"]
IN_WHEEL = [
    "credly_audit/__init__.py",
    "credly_audit/sample_data/world.json",
    "credly_audit/report_templates/html/report.html",
]

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "made-up"
version = "1"
[tool.hatch.build.targets.wheel]
packages = ["made_up"]
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A package of one module, in one commit."""
    folder = tmp_path / "repository"
    (folder / "made_up").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "made_up" / "__init__.py").write_text("")
    who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    for words in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def test_a_commit_is_built_to_the_same_bytes_whatever_lies_beside_it(repository: Path, tmp_path: Path) -> None:
    first = build(repository, "HEAD", tmp_path / "one")
    (repository / "made_up" / "left_over.py").write_text("")

    second = build(repository, "HEAD", tmp_path / "two")

    require_equal(first.sdist, second.sdist, "two builds")
    require_equal(first.wheel, second.wheel, "two builds")
    epoch = int(
        subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=repository, capture_output=True, check=True).stdout
    )
    require_equal(first.wheel, build_from_sdist(first.sdist, tmp_path / "three", epoch), "builds from both")
    later = build_from_sdist(first.sdist, tmp_path / "four", epoch + 86_400)
    with pytest.raises(NotReady, match="two builds differ; something in the build depends on time, place or machine"):
        require_equal(first.wheel, later, "two builds")


def test_a_build_that_fails_says_why(repository: Path, tmp_path: Path) -> None:
    (repository / "pyproject.toml").write_text(PROJECT.replace('version = "1"\n', ""))
    who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *who, "commit", "--quiet", "-am", "Break"], cwd=repository, check=True)

    with pytest.raises(NotReady, match=r"^the build failed: ValueError: Field `project.version`[^\n]+$"):
        build(repository, "HEAD", tmp_path / "one")


def written(folder: Path, in_sdist: list[str], in_wheel: list[str]) -> Distributions:
    """Distributions with these files."""
    folder.mkdir()
    with tarfile.open(folder / "credly_audit-1.tar.gz", "w:gz") as tar:
        for name in ["PKG-INFO", *in_sdist]:
            tar.addfile(tarfile.TarInfo(f"credly_audit-1/{name}"), io.BytesIO())
    with zipfile.ZipFile(folder / "credly_audit-1-py3-none-any.whl", "w") as archive:
        for name in ["credly_audit-1.dist-info/METADATA", *in_wheel]:
            archive.writestr(name, "")
    return Distributions.in_folder(folder)


def test_complete_distributions_have_every_file_and_no_other(tmp_path: Path) -> None:
    require_complete(written(tmp_path / "whole", TRACKED, IN_WHEEL), TRACKED)
    for name, in_sdist, in_wheel, said in (
        ("a", TRACKED[1:], IN_WHEEL, r"credly_audit-1.tar.gz: lacks LICENSE"),
        ("b", TRACKED, IN_WHEEL[:-1], r"whl: lacks credly_audit/report_templates/html/report.html"),
        ("c", TRACKED, [*IN_WHEEL, "tests/x.py"], r"whl: has tests/x.py, not in the repository"),
        ("d", [*TRACKED, "secret"], IN_WHEEL, r"tar.gz: has secret, not in the repository"),
    ):
        with pytest.raises(NotReady, match=said):
            require_complete(written(tmp_path / name, in_sdist, in_wheel), TRACKED)
    (tmp_path / "whole" / "credly_audit-2.tar.gz").touch()
    with pytest.raises(NotReady, match=r"expected one \.tar\.gz and one \.whl, found 2 and 1"):
        Distributions.in_folder(tmp_path / "whole")


KNOWN = {"name": "click", "version": "8.5.1", "vulns": []}
VULNERABLE = {"name": "lxml", "version": "1.0", "vulns": [{"id": "MADE-UP-2026-1"}]}
PASSED_OVER = {"name": "rich", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize(
    ("packages", "said", "fails"),
    [
        ([KNOWN], "no known vulnerability in 1 packages (pip-audit)", ()),
        ([KNOWN, VULNERABLE, PASSED_OVER], "known vulnerabilities: lxml 1.0 (MADE-UP-2026-1)", (True, False)),
        ([KNOWN, PASSED_OVER], "pip-audit could not look up 1 of 2 packages (Dependency not found)", (True,)),
        (None, "pip-audit could not look up any package (no route to host)", (True,)),
    ],
)
def test_what_was_not_looked_up_is_not_free_of_vulnerabilities(
    tmp_path: Path, packages: list[object] | None, said: str, fails: tuple[bool, ...], *, online: bool
) -> None:
    report = tmp_path / "report.json"
    if packages is not None:
        report.write_text(json.dumps({"dependencies": packages}))

    if online in fails:
        with pytest.raises(NotReady) as caught:
            judge_vulnerabilities(report, "a line\nno route to host\n", online=online)
        assert str(caught.value) == said
    else:
        found = judge_vulnerabilities(report, "a line\nno route to host\n", online=online)
        assert found == (f"skipped: {said}" if fails else said)
