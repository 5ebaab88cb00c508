"""The page's templates: ours, or a team's own in their place, in a sandbox; and what its style and script hash to.

Every value that a template shows passes `shown`: made harmless there, then escaped.
"""

import base64
import hashlib
import re
import traceback
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from credly_audit.errors import UsageError
from credly_audit.files.resources import shipped
from credly_audit.text import NOTHING, count, harmless, number, one_line, yes_no

PAGE, STYLES, SCRIPTS = "report.html", ("report.css",), ("tables.js", "report.js")

FOLDER = shipped("report_templates") / "html"
OURS = tuple(sorted(path.name for path in FOLDER.iterdir()))

BUFFER = 1 << 16


class Templates:
    """The templates of the page; those of `folder`, where there is one, take the place of ours of the same name."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._loader = ChoiceLoader([FileSystemLoader(each) for each in (folder, FOLDER) if each is not None])
        self._environment = ImmutableSandboxedEnvironment(
            loader=self._loader,
            autoescape=True,
            undefined=StrictUndefined,
            finalize=shown,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"number": number, "yes_no": yes_no, "one_line": one_line}
        self._environment.globals |= {"count": count}

    def page(self, facts: Mapping[str, Any]) -> Iterator[bytes]:
        """The page, a piece at a time; UsageError, with file and line, where a template is broken."""
        try:
            style, script = self._joined(STYLES, "</style"), self._joined(SCRIPTS, "</script")
            policy = content_security_policy(style, script, pictures=bool(facts["logo"]))
            template = self._environment.get_template(PAGE)
            stream = template.generate(facts, style=Markup(style), script=Markup(script), policy=policy)  # noqa: S704
            yield from _buffered(stream)
        except TemplateSyntaxError as error:
            raise UsageError(f"{error.filename}: line {error.lineno}: {one_line(error.message or '')}") from None
        except UsageError:
            raise
        except Exception as error:
            if self._folder is None:
                raise
            raise UsageError(one_line(self._told(error), 1_000)) from None

    def _joined(self, names: tuple[str, ...], end: str) -> str:
        texts = []
        for name in names:
            text, path, _ = self._loader.get_source(self._environment, name)
            before, found, _ = text.lower().partition(end)
            if found:
                line = before.count("\n") + 1
                raise UsageError(f"{path}: line {line}: {end} would end it there; write it in two parts")
            texts.append(text)
        return "\n".join(texts)

    def _told(self, error: Exception) -> str:
        """The file and line of a team's own template that is broken, or that does not fit one of ours, and why."""
        frames = list(reversed(traceback.extract_tb(error.__traceback__)))
        for frame in frames:
            if self._folder is not None and Path(frame.filename).is_relative_to(self._folder):
                return f"{frame.filename}: line {frame.lineno}: {_said(error)}"
        ours = next((frame for frame in frames if Path(frame.filename).is_relative_to(FOLDER)), None)
        needs = f", as our {Path(ours.filename).name} needs it in line {ours.lineno}" if ours else ""
        macros = Path(self._folder or "", "macros.html")
        return f"{macros if macros.is_file() else self._folder}: {_said(error)}{needs}"


def _said(error: Exception) -> str:
    """Finding, in a template's terms."""
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name}"
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    lacking = re.fullmatch(r"'jinja2\.\S*TemplateModule object' has no attribute '(\w+)'", str(error))
    return f"has no macro {lacking[1]}" if lacking else str(error) or type(error).__name__


def templates(folder: Path | None) -> Templates:
    """The templates of a folder, or ours, compiled once however many pages are made."""
    return _compiled(None if folder is None else folder.resolve())


_compiled = cache(Templates)


def shown(value: Any) -> Any:
    """A value as a template shows it: no control or direction character, `–` for nothing."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return harmless(value)
    return NOTHING if value is None else value


def content_security_policy(style: str, script: str, *, pictures: bool) -> str:
    """Nothing from anywhere but this style and this script, and where there is a logo pictures within the page."""
    sources = {"default-src": "'none'", "script-src": _hash(script), "style-src": _hash(style)}
    if pictures:
        sources["img-src"] = "data:"
    sources |= {"base-uri": "'none'", "form-action": "'none'"}
    return "; ".join(f"{name} {source}" for name, source in sources.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _buffered(stream: Iterator[str]) -> Iterator[bytes]:
    parts, size = [], 0
    for part in stream:
        parts.append(part)
        size += len(part)
        if size > BUFFER:
            yield "".join(parts).encode()
            parts, size = [], 0
    yield "".join(parts).encode()
