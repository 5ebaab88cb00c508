"""Lists whose columns hold what their rows show: the first rows are HTML, all are data for the page's script."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from credly_audit.renderers.html.columns import block, script_block
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


def list_blocks(lists: Iterable[PlainList]) -> Iterator[Markup]:
    """Yield every column of the lists, and how each list sorts and is filtered."""
    lists = list(lists)
    yield script_block(
        "lists",
        {
            each.name: {
                "many": len(each),
                "columns": list(each.frame),
                "sorts": each.sorts,
                "filters": list(each.filters),
            }
            for each in lists
        },
    )
    for each in lists:
        for name in each.frame:
            yield from block(f"{each.name}.{name}", each.frame[name], len(each))
