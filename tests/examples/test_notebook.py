"""The notebook runs from its first to its last cell on what `credly-audit demo` leaves."""

import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.examples.conftest import EXAMPLES


def test_the_notebook_runs_on_the_demo_s_snapshot(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "credly_audit", "demo"], cwd=tmp_path, capture_output=True, check=True)
    book = nbformat.read(EXAMPLES / "notebook" / "audit.ipynb", as_version=4)
    nbformat.validate(book)

    NotebookClient(book, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()

    shown = [output["data"]["text/plain"] for cell in book.cells for output in cell.get("outputs", [])]
    assert shown[0].startswith("('incomplete', ")
    assert shown[-1] == "[PosixPath('audit.xlsx')]"
    assert (tmp_path / "audit.xlsx").stat().st_size > 0
    assert all(not cell.get("outputs") for cell in nbformat.read(EXAMPLES / "notebook" / "audit.ipynb", 4).cells)
