"""LibreOffice, without a window: opens a workbook, types into it as a person does, and saves it."""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from tests.needs import runner

MODULE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Typing" script:language="StarBasic">
{code}
</script:module>
"""
LIBRARY = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" library:readonly="false"
 library:passwordprotected="false"><library:element library:name="Typing"/></library:library>
"""


def type_into(workbook: Path, sheet: str, cells: Mapping[str, str], profile: Path) -> None:
    """Type texts into cells (`B7`) of a sheet, as at the keyboard, and save the workbook where it is.

    `profile` is a folder of its own for LibreOffice's settings.
    """
    typed = "\n".join(
        f"  page.getCellRangeByName({_basic(cell)}).setFormula({_basic(text)})" for cell, text in cells.items()
    )
    code = f"""Sub Main
  Dim nothing()
  Dim hidden(0) As New com.sun.star.beans.PropertyValue
  hidden(0).Name = "Hidden"
  hidden(0).Value = True
  document = StarDesktop.loadComponentFromURL({_basic(workbook.as_uri())}, "_blank", 0, hidden())
  page = document.Sheets.getByName({_basic(sheet)})
{typed}
  document.store()
  document.close(True)
End Sub"""
    _soffice(profile, "--terminate_after_init")  # the first start makes the profile, over whatever is there
    library = profile / "user" / "basic" / "Standard"
    (library / "Typing.xba").write_text(MODULE.format(code=escape(code)))
    (library / "script.xlb").write_text(LIBRARY)
    before = workbook.read_bytes()
    _soffice(profile, "macro:///Standard.Typing.Main")
    assert workbook.read_bytes() != before, "LibreOffice saved nothing"


def _soffice(profile: Path, *arguments: str) -> None:
    done = runner("soffice")(f"-env:UserInstallation={profile.as_uri()}", "--headless", *arguments)
    done.check_returncode()


def _basic(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
