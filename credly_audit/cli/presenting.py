"""What a team adds to the reports, read and tried before anything is asked of Credly."""

from credly_audit.config.settings import ReportSettings
from credly_audit.presentation import Presentation


def presented(settings: ReportSettings) -> Presentation:
    """What `[report]` says; a UsageError where a file cannot serve, or a template of one's own is broken."""
    presentation = Presentation.read(settings.title, settings.logo, settings.guidance, settings.templates)
    if presentation.templates is not None:
        from credly_audit.renderers.html.trial import tried  # noqa: PLC0415 - few have templates of their own

        tried(presentation)
    return presentation
