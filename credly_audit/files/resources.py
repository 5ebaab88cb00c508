"""Where the files that ship with the package are: beside it in a checkout, inside it when installed."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """The folder `report_templates` or `sample_data`."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name
