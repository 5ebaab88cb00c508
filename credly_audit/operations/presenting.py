"""What a team adds to the reports, read and tried before anything is asked of Credly."""

from dataclasses import replace

from credly_audit.config.presentation import Presentation
from credly_audit.config.settings import ReportSettings


def presented(settings: ReportSettings, *, sarif_without_waived: bool = False) -> Presentation:
    """What `[report]` says; a UsageError where a file cannot serve, or a template of one's own is broken."""
    presentation = replace(
        Presentation.read(settings.title, settings.logo, settings.guidance, settings.templates),
        sarif_without_waived=sarif_without_waived,
    )
    if presentation.templates is not None:
        from credly_audit.renderers.html.check_templates import tried  # noqa: PLC0415 - few have templates of their own

        tried(presentation)
    return presentation
