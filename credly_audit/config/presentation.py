"""What a team adds of its own to the reports for people: a title, a logo, words for the first screen, templates."""

import base64
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from credly_audit.errors import ConfigurationError

LARGEST_LOGO, LARGEST_GUIDANCE = 512_000, 100_000
"""In bytes: both are in every page."""

SVG = "{http://www.w3.org/2000/svg}svg"


@dataclass(frozen=True, slots=True)
class Presentation:
    """`logo` is a `data:` address, `guidance` Markdown; `templates` a folder whose files take the place of ours.

    With `sarif_without_waived`, SARIF leaves out waived findings, which GitHub would show as open alerts.
    """

    title: str | None = None
    logo: str | None = None
    guidance: str | None = None
    templates: Path | None = None
    sarif_without_waived: bool = False

    @classmethod
    def read(
        cls, title: str | None, logo: Path | None, guidance: Path | None, templates: Path | None
    ) -> "Presentation":
        """What these files hold; ConfigurationError with every one that cannot serve."""
        mistakes: list[str] = []
        picture = None if logo is None else _read("logo", logo, LARGEST_LOGO, mistakes)
        kind = None if picture is None else detect_picture_kind(picture)
        if picture is not None and kind is None:
            mistakes.append(f"[report] logo: {logo} is not a PNG, JPEG or SVG picture")
        words = None if guidance is None else _read("guidance", guidance, LARGEST_GUIDANCE, mistakes)
        try:
            text = None if words is None else words.decode()
        except UnicodeDecodeError:
            mistakes.append(f"[report] guidance: {guidance} is not UTF-8 text")
        if templates is not None and not templates.is_dir():
            mistakes.append(f"[report] templates: {templates} is not a folder")
        if mistakes:
            raise ConfigurationError(mistakes)
        address = f"data:{kind};base64,{base64.b64encode(picture).decode()}" if picture and kind else None
        return cls(title, address, text, templates)


PLAIN = Presentation()
"""Nothing of one's own."""


def _read(key: str, path: Path, largest: int, mistakes: list[str]) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError as error:
        mistakes.append(f"[report] {key}: {path} cannot be read ({error.strerror})")
        return None
    if len(content) > largest:
        mistakes.append(f"[report] {key}: {path} has {len(content):,} bytes, and {largest:,} is the most")
        return None
    return content


def detect_picture_kind(content: bytes) -> str | None:
    """The media type of a picture that a page may hold, by what the file begins with; None for any other."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        return "image/svg+xml" if etree.fromstring(content, parser).tag == SVG else None
    except etree.XMLSyntaxError:
        return None
