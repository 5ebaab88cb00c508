"""`credly-audit sandbox serve`: the stand-in API, for people's own dry runs."""

import signal
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import click

from credly_audit.cli.options import LocalPath
from credly_audit.cli.screen import print_lines
from credly_audit.errors import ExitCode, UsageError
from credly_audit.files.resources import shipped
from credly_audit.sandbox.faults import explained
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import World, instant
from credly_audit.text import count

WIDTH = max(len(written) for written, _ in explained())

SERVE = """Serve made-up organizations as Credly's web service API would, on 127.0.0.1, until Ctrl-C or SIGTERM.

Both stop it with exit code 0. Its clock shows --now: expired tokens are refused, new ones are valid for 180 days.

\b
A fault has the form NAME[=VALUE][@SCOPE]...[+SKIP][xCOUNT], for example
  status=503x2               the first two requests are answered 503
  stall@list@page3           page 3 of a listing is never sent
  lost-after@rotate          a rotation is done, its response is lost
A scope is an organization's id, an action (list, create, rotate,
organizations, organization, oauth-applications, oauth-token), get, post or
pageN. The first SKIP requests are answered normally; the next COUNT get the fault.

\b
Faults:
""" + "\n".join(f"  {written:{WIDTH}}  {says}" for written, says in explained())


@click.group()
def sandbox() -> None:
    """Serve a stand-in for Credly's API."""


@sandbox.command(help=SERVE)
@click.option(
    "--data",
    type=LocalPath(exists=True, file_okay=False, path_type=Path),
    help="Folder in the form of sample_data, which is the default.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port to listen on.")
@click.option(
    "--now",
    metavar="INSTANT",
    help="Time of its clock (ISO 8601, UTC), or 'real'. Default: the as-of of the data, else the real clock.",
)
@click.option("--fault", "faults", multiple=True, metavar="FAULT", help="Simulate this fault; repeatable.")
def serve(data: Path | None, port: int, now: str | None, faults: tuple[str, ...]) -> ExitCode:
    """Serve until a signal comes; the help text is SERVE."""
    folder = data or shipped("sample_data")
    world = World.load(folder)
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Sandbox(world, port=port, now=_instant(now, world.as_of), faults=faults) as api:
        organizations = count(len(world.organizations), "organization", "organizations")
        tokens = sum(len(organization.tokens) for organization in world.organizations)
        print_lines(f"Serving {organizations} with {count(tokens, 'token', 'tokens')} at {api.base_url}")
        print_lines(f"They, and their made-up token values, are in {folder / 'organizations'}")
        if (folder / "credly-audit.toml").is_file():
            as_of = f" --as-of {world.as_of:%Y-%m-%dT%H:%M:%SZ}" if world.as_of else ""
            command = f"CREDLY_API_URL={api.base_url} credly-audit run -c {folder / 'credly-audit.toml'}{as_of}"
            print_lines(f"To audit them: {command}")
        print_lines("Press Ctrl-C to stop.")
        stopped.wait()
    return ExitCode.OK


def _instant(text: str | None, as_of: datetime | None) -> datetime | None:
    if text is None:
        return as_of
    try:
        return None if text == "real" else instant(text).astimezone(UTC)
    except ValueError:
        raise UsageError(f"--now {text}: write an instant such as 2026-11-23T00:00:00Z, or 'real'") from None
