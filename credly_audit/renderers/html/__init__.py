"""The page: one file that answers a head of security in ten seconds and an analyst in an hour, on any screen."""

from typing import BinaryIO

from credly_audit.audit.model import Audit
from credly_audit.renderers.base import Renderer
from credly_audit.renderers.html.page import facts
from credly_audit.renderers.html.templates import templates


def render(audit: Audit, out: BinaryIO) -> None:
    """The whole page."""
    out.writelines(templates(audit.presentation.templates).page(facts(audit)))


RENDERER = Renderer(".html", render)
