"""The zip that a workbook is: the same bytes for the same workbook, and long lists streamed into their sheets.

Measured: a styled cell costs openpyxl's writer 8 µs, and a list of 200,000 tokens has four million of them. So openpyxl
writes each list's sheet with its header row alone, and the other rows, as XML, are slipped in on the way to the zip.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

MANY_ROWS = 200_000
"""From here on a sheet's XML may pass 2 GiB, for which zip wants to be told beforehand."""


@dataclass(frozen=True, slots=True)
class SheetBody:
    """What a sheet has beside openpyxl's part of it: its rows, and the links, known once the rows are written."""

    many: int
    rows: Iterable[bytes]
    links: Callable[[], bytes]


class Archive(ZipFile):
    """A zip for openpyxl to write into; every member bears one instant, and `bodies` go into the sheets they name."""

    def __init__(self, out: BinaryIO, instant: datetime, bodies: Mapping[str, SheetBody]) -> None:
        super().__init__(out, "w", ZIP_DEFLATED)
        self._instant = instant
        self._bodies = bodies

    def writestr(self, zinfo_or_arcname: str | ZipInfo, data: Any, *_: Any, **__: Any) -> None:
        """A member from memory."""
        super().writestr(self._member(str(zinfo_or_arcname)), data)

    def write(self, filename: str | PathLike[str], arcname: Any = None, *_: Any, **__: Any) -> None:
        """A member from a file: a sheet."""
        name = str(arcname)
        sheet = Path(filename).read_bytes()
        body = self._bodies.get(name)
        with self.open(self._member(name), "w", force_zip64=body is not None and body.many > MANY_ROWS) as part:
            if body is None:
                part.write(sheet)
                return
            above, end_of_rows, below = sheet.partition(b"</sheetData>")
            between, margins, rest = below.partition(b"<pageMargins")
            part.write(above)
            for rows in body.rows:
                part.write(rows)
            part.write(end_of_rows + between + body.links() + margins + rest)

    def _member(self, name: str) -> ZipInfo:
        member = ZipInfo(name, self._instant.timetuple()[:6])
        member.compress_type = ZIP_DEFLATED
        member.create_system = 3
        member.external_attr = 0o600 << 16
        return member
