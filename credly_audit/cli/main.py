"""Where every command begins and ends: errors become one line and an exit code here, and nowhere else.

Commands are loaded when they are called, so that `--help` loads no pandas.
"""

import gc
import importlib
import logging
import os
import sys
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from credly_audit import __version__
from credly_audit.cli.completion import make_stand_in
from credly_audit.cli.logs import end_log, is_json
from credly_audit.cli.screen import print_lines
from credly_audit.cli.variables import defaults_of, describe_variable
from credly_audit.errors import AuditError, ConfigurationError, ExitCode, Unfinished, without_values
from credly_audit.files.streams import ignore_unraisable, tolerant_streams, trouble_of
from credly_audit.process.interruption import watch_signals
from credly_audit.secrets.shape import mask_shapes

log = logging.getLogger(__name__)

COMMANDS = {
    "demo": "audit sample organizations of the embedded sandbox API over a year",
    "run": "collect, evaluate, report and enforce policy: the main command",
    "collect": "collect tokens into a snapshot only",
    "check": "evaluate stored snapshots, report and enforce policy",
    "verify": "compare an audit's files with its manifest",
    "leaks": "search files and git histories for values of inventoried tokens",
    "orgs": "list the organizations that credentials can access, as configuration",
    "doctor": "check every credential: access, coverage, expiration",
    "rotate": "rotate tokens that are due and store the new values",
    "create": "create a token; replace one without an interruption",
    "succession": "track tokens that are being replaced: list, show, confirm, abandon",
    "notify": "test the channels and contacts that messages go to",
    "history": "list and compare earlier audits, show the trend, delete",
    "baseline": "write a report's findings as a baseline for --new-only",
    "rules": "list and show the rules",
    "waivers": "list, check and import decisions on findings",
    "config": "create, validate and explain the configuration",
    "sandbox": "serve a stand-in for Credly's API, for dry runs",
}


class Commands(click.Group):
    """A command NAME is the attribute `NAME` of the module `credly_audit.cli.NAME`, loaded on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return all commands, the main ones first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; for completion only, its stand-in."""
        if cmd_name not in COMMANDS:
            return None
        if ctx.resilient_parsing:
            return make_stand_in(cmd_name)
        command: click.Command = getattr(importlib.import_module(f"credly_audit.cli.{cmd_name}"), cmd_name)
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        ctx.default_map = {cmd_name: defaults_of(command, (cmd_name,), os.environ)}
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; where it is not to trust its configuration, rules of other packages are refused first.

        To load the command would import them.
        """
        if "--untrusted" in args:
            from credly_audit.rules import refuse_packages  # noqa: PLC0415 - loads pandas

            refuse_packages()
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what would end the process with an exit code that is not ours is a defect like others.

        That is SystemExit and its like, which anything that is loaded may raise, and what click takes for a reader that
        went away.
        """
        try:
            return super().invoke(ctx)
        except BaseException as error:
            if isinstance(error, Exception | KeyboardInterrupt) and not isinstance(error, BrokenPipeError):
                raise
            raise AuditError(f"unexpected error: {without_values(error)}; please report it") from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name without loading any."""
        names = [CompletionItem(name, help=said) for name, said in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Audit the authorization tokens of Credly organizations.

    Reports tokens that expire soon, have more permissions than they need or are not documented, and organizations that
    could not be collected completely.

    Exit codes: 0 policy holds and every organization is complete; 1 violations; 2 usage or configuration error;
    3 incomplete; 4 unexpected error; 130 interrupted.
    """


def main() -> NoReturn:
    """Run the command line and leave with its exit code.

    What a command loads is never garbage, and to look through it again and again costs a quarter of a second: Python's
    collector begins when it is loaded (`get_command`), and leaves it out.
    """
    gc.disable()
    sys.unraisablehook = ignore_unraisable
    sys.exit(outcome(sys.argv[1:]))


def outcome(arguments: list[str]) -> int:
    """Run a command; return its exit code, or that of the error that one line on standard error describes."""
    watch_signals()
    end_log()
    with tolerant_streams():
        try:
            return _with_lost_output(cli.main(arguments, prog_name="credly-audit", standalone_mode=False))
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every way to fail has its line and its code
            return report_error(error)


def _with_lost_output(code: int | None) -> int:
    """Report a standard output that did not accept what was printed, unless its reader ended.

    A command that returns an exit code has done its work. One that does not is there for what it prints.
    """
    trouble = trouble_of(sys.stdout)
    if trouble is None or isinstance(trouble, BrokenPipeError):
        return code or ExitCode.OK
    _print_error(f"standard output could not be written ({trouble.strerror})")
    return code if isinstance(code, ExitCode) else ExitCode.UNEXPECTED


def report_error(error: BaseException) -> ExitCode:
    """Print on standard error what went wrong; return its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return ExitCode.USAGE
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "credly-audit"
        of_variable = describe_variable(error) if isinstance(error, click.BadParameter) else None
        what = of_variable or error.format_message()
        _print_error(f"{' '.join(what.split()).rstrip('.')}: see {command} --help")
        return ExitCode.USAGE
    if isinstance(error, click.Abort | KeyboardInterrupt):
        _print_error("interrupted")
        return ExitCode.INTERRUPTED
    if isinstance(error, AuditError):
        for line in error.mistakes if isinstance(error, ConfigurationError | Unfinished) else [str(error)]:
            _print_error(line)
        return error.exit_code
    _print_error(f"unexpected error: {without_values(error)}; please report it")
    return ExitCode.UNEXPECTED


def _print_error(line: str) -> None:
    """Print an error; what was typed is repeated unless it looks like a secret."""
    line = mask_shapes(line)
    if is_json():
        log.error(line)
    else:
        print_lines(f"credly-audit: {line}", err=True)
