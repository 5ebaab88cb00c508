"""The package as a library: the examples of docs/api.md run, and its tables name the columns that are there."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import credly_audit
from credly_audit import library
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import World, made_up_organization
from tests.build import ACME, AS_OF, BETA, organization, snapshot, token
from tests.journeys.conftest import configure

PAGE = (Path(__file__).parent.parent / "docs" / "api.md").read_text()

FULL = {"write_enabled": True, "delete_enabled": True}


def test_the_public_names_are_those_of_the_page() -> None:
    assert credly_audit.__all__ == library.__all__ == sorted(credly_audit.__all__)
    assert set(credly_audit.__all__) <= set(dir(credly_audit))
    for name in credly_audit.__all__:
        assert f"`{name}" in PAGE, name
        assert getattr(credly_audit, name) is getattr(library, name)
    with pytest.raises(AttributeError, match="no attribute 'collekt'"):
        credly_audit.collekt  # type: ignore[attr-defined] # noqa: B018


def test_importing_the_package_loads_none_of_its_modules() -> None:
    code = "import credly_audit, sys; print(sorted(m for m in sys.modules if m.startswith(('credly_audit', 'pandas'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['credly_audit']\n"


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    world = World([made_up_organization(1, name="Acme", now=now), made_up_organization(2, name="Beta", now=now)])
    with Sandbox(world, now=now) as sandbox:
        configure(tmp_path, sandbox)
        monkeypatch.chdir(tmp_path)
        names: dict[str, object] = {}
        for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
            exec(block, names)  # noqa: S102 - the page's own examples

    audit = names["audit"]
    assert isinstance(audit, credly_audit.Audit)
    assert len(audit.tokens) == sum(len(each.tokens) for each in world.organizations)
    assert openpyxl.load_workbook(tmp_path / "audit.xlsx").sheetnames[0] == "Summary"


@pytest.mark.parametrize("name", ["findings", "tokens", "organizations", "oauth_applications"])
def test_a_frame_has_the_columns_of_the_page(name: str) -> None:
    section = re.search(rf"### `?{name}`?\n(.*?)(?:\n##|\Z)", PAGE, re.DOTALL)
    assert section
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", section[1], re.MULTILINE)
    documented = {column: dtype for columns, dtype in rows for column in re.findall("`(.*?)`", columns)}

    for rows_of in ([token(1, **FULL)], []):
        frame = getattr(credly_audit.evaluate(snapshot(rows_of)), name)
        assert {column: str(frame[column].dtype) for column in frame} == documented


def test_findings_are_those_of_the_json_report(tmp_path: Path) -> None:
    audit = credly_audit.evaluate(snapshot([token(1, **FULL), token(2, description=None)]), as_of=AS_OF)

    [path] = credly_audit.render(audit, "json", tmp_path / "audit.json")

    report = pd.read_json(path, typ="series")
    assert audit.outcome == report["verdict"]["outcome"] == "violations"
    assert (audit.exit_code, audit.violations) == (1, report["verdict"]["violations"])
    assert audit.findings["finding_id"].tolist() == [each["finding_id"] for each in report["findings"]]
    assert audit.findings["controls"].tolist() == [each["controls"] for each in report["findings"]]
    assert audit.as_of == AS_OF


def test_a_frame_that_is_changed_changes_no_report(tmp_path: Path) -> None:
    audit = credly_audit.evaluate(snapshot([token(1, **FULL)]), as_of=AS_OF)
    [before] = credly_audit.render(audit, "csv", tmp_path / "a.csv")[:1]
    audit.tokens["description"] = "changed"
    audit.organizations["status"] = "changed"
    [after] = credly_audit.render(audit, "csv", tmp_path / "b.csv")[:1]
    assert before.read_bytes() == after.read_bytes()


def test_an_incomplete_collection_is_never_a_pass() -> None:
    parts = snapshot([], [organization(ACME), organization(BETA, status="failed", reason="503", tokens=None)])
    audit = credly_audit.evaluate(parts, {"fail_on": ["never"]})
    assert (audit.outcome, audit.exit_code) == ("incomplete", 3)


def test_stored_snapshots_are_read_as_one(tmp_path: Path) -> None:
    for number, each in enumerate((ACME, BETA)):
        credly_audit.save_snapshot(snapshot([token(number, each)], [organization(each)]), tmp_path / str(number))

    both = credly_audit.open_snapshot(tmp_path / "0", tmp_path / "1")

    assert len(credly_audit.evaluate(both).organizations) == 2


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    stored = snapshot([token(1)])
    with pytest.raises(credly_audit.ConfigurationError, match="policy: fail_on"):
        credly_audit.evaluate(stored, {"fail_on": ["urgent"]})
    with pytest.raises(credly_audit.ConfigurationError, match=r"fial_on: unknown key; did you mean fail_on\?"):
        credly_audit.evaluate(stored, {"fial_on": ["high"]})
    with pytest.raises(credly_audit.UsageError, match=r"as_of: .* has no time zone"):
        credly_audit.evaluate(stored, as_of=datetime(2026, 11, 23))  # noqa: DTZ001 - that is the mistake
    with pytest.raises(credly_audit.UsageError, match="format: 'pdf' is unknown; the formats are "):
        credly_audit.render(credly_audit.evaluate(stored), "pdf", tmp_path / "audit.pdf")
    with pytest.raises(credly_audit.UsageError, match="at least one"):
        credly_audit.open_snapshot()
    with pytest.raises(credly_audit.UsageError):
        credly_audit.open_snapshot(tmp_path / "none.snapshot")
    with pytest.raises(credly_audit.UsageError, match="collect needs at least one organization"):
        credly_audit.collect(credly_audit.Settings())
    with pytest.raises(credly_audit.UsageError, match=r"none\.toml: cannot be read"):
        credly_audit.collect(tmp_path / "none.toml")
