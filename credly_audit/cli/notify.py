"""`notify`: the channels and contacts that messages about audits go to."""

import os
from pathlib import Path

import click

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import config_option
from credly_audit.cli.screen import print_lines
from credly_audit.config.load import load
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import ExitCode, UsageError
from credly_audit.notify.notices import Notices
from credly_audit.text import one_line


@click.group()
def notify() -> None:
    """Test the channels and contacts that messages about audits go to (`[notify]`)."""
    start_log(quiet=True, verbose=False, log_format="text")


@notify.command()
@config_option
def test(config: Path | None) -> ExitCode:
    """Send a test message, marked as such, to every address of `[notify] urls` and to every contact.

    Nothing is collected, recorded or sent to the heartbeat.

    Exit codes: 0 every message was accepted; 4 one was not.
    """
    settings = load(config or DEFAULT_CONFIG, os.environ, for_collecting=False)
    if not settings.notify.urls and settings.notify.contacts is None:
        raise UsageError("[notify]: there is nothing to test; set `urls` or `contacts`")
    contacts = dict.fromkeys(each.contact for each in settings.organizations if each.contact)
    without_heartbeat = settings.notify.model_copy(update={"heartbeat": None})
    notices = Notices.from_settings(without_heartbeat, settings.folder, os.environ)
    failed = False
    for each in notices.test(contacts, settings.report.title):
        failed = failed or each.reason is not None
        result = "sent" if each.reason is None else f"not sent: {each.reason}"
        print_lines(f"{one_line(each.name, 254)} ({each.channel}): {result}")
    return ExitCode.UNEXPECTED if failed else ExitCode.OK
