"""What a team adds of its own to the reports for people: a title, a logo, words for the first screen, templates."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Presentation:
    """`logo` is a `data:` address, `guidance` Markdown; `templates` a folder whose files take the place of ours."""

    title: str | None = None
    logo: str | None = None
    guidance: str | None = None
    templates: Path | None = None


PLAIN = Presentation()
"""Nothing of one's own."""
