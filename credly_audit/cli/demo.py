"""`demo`: the whole job against the embedded sandbox API, on the sample data."""

import os
import tempfile
from pathlib import Path

import click

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import FOLDER
from credly_audit.cli.screen import print_lines
from credly_audit.cli.summary import SummaryPrinter
from credly_audit.errors import ExitCode
from credly_audit.files.resources import shipped
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.audits import run_audit
from credly_audit.operations.demo_year import prepare, record_earlier_audits
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import World

MEANINGS = {
    ExitCode.OK: "policy holds and every organization was complete",
    ExitCode.VIOLATIONS: "there are policy violations",
    ExitCode.INCOMPLETE: "some organization is incomplete",
}


@click.command()
@click.option(
    "--output-dir",
    type=FOLDER,
    default=Path("credly-audit-demo"),
    show_default=True,
    help="Folder of the reports.",
)
def demo(output_dir: Path) -> ExitCode:
    """Audit sample organizations of the embedded sandbox API over a year, and keep the reports.

    No request is sent to Credly. The exit code is 0; the output names that of a real run.
    """
    data = shipped("sample_data")
    world = World.load(data)
    start_log(quiet=True, verbose=False, log_format="text")
    with tempfile.TemporaryDirectory(prefix="credly-audit-demo-") as folder, Sandbox(world, now=world.as_of) as sandbox:
        config = prepare(data, Path(folder), output_dir)
        print_lines("Running eleven monthly audits of the year before ...", err=True)
        record_earlier_audits(world, config, os.environ)
        environ = os.environ | {"CREDLY_API_URL": sandbox.base_url}
        options = AuditOptions(
            config=config, output_dir=output_dir, overwrite=True, as_of=world.as_of, record=True, parallel=True
        )
        start_log(quiet=options.quiet, verbose=options.verbose, log_format=options.log_format)
        code = run_audit(options, environ, SummaryPrinter(options.no_color))
    print_lines("", f"The reports are in {output_dir}/: open the .html in a browser and the .xlsx in a spreadsheet.")
    print_lines(f"A real run would have ended with exit code {int(code)}: {MEANINGS[code]}.")
    return ExitCode.OK
