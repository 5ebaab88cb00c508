"""Lists whose columns hold what their rows show: the first rows are HTML, all are data for the page's script."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from credly_audit.renderers.html.rows import Row


@dataclass(frozen=True, slots=True)
class PlainList:
    """A list in the section of its name.

    `frame` has a column a name that the template uses. The list sorts by `sorts` (the head's name: the column) and is
    filtered by the values of the columns `filters`.
    """

    name: str
    frame: pd.DataFrame
    sorts: dict[str, str]
    filters: tuple[str, ...]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.frame)

    def rows(self, most: int) -> list[Row]:
        """Return the first rows."""
        columns = self.frame.head(most).astype(object)
        rows: list[Row] = columns.where(columns.notna(), None).to_dict("records")
        return rows

    def describe(self) -> dict[str, Any]:
        """Return what the script must know of the list besides its columns."""
        return {
            "many": len(self),
            "columns": list(self.frame),
            "sorts": self.sorts,
            "filters": list(self.filters),
        }
