"""Tables on standard output: plain text in columns as wide as their content."""

from collections.abc import Iterator, Sequence


def in_columns(heads: Sequence[str], table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table as lines: text is aligned left, numbers right."""
    widths = [max(map(len, column)) for column in zip(heads, *table, strict=True)]
    numbers = [all(each.isdecimal() for each in column) for column in zip(*table, strict=True)]
    for line in (heads, *table):
        cells = (
            each.rjust(width) if right else each.ljust(width)
            for each, width, right in zip(line, widths, numbers, strict=True)
        )
        yield "  ".join(cells).rstrip()
