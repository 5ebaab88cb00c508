"""The examples for cron and systemd: what they start, and that they start it."""

import getpass
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import needs
from tests.examples.conftest import EXAMPLES, Place, reports

MONTHLY = EXAMPLES / "monthly"
CRON = EXAMPLES / "cron" / "credly-audit"
SERVICE = EXAMPLES / "systemd" / "credly-audit.service"
TIMER = EXAMPLES / "systemd" / "credly-audit.timer"


def monthly(place: Place, **environ: str) -> subprocess.CompletedProcess[str]:
    return place.run(MONTHLY, "credly-audit.toml", "reports", environ=environ)


JSON_ALONE = {"CREDLY_AUDIT_RUN_FORMAT": "json"}


def test_what_is_due_is_rotated_and_then_audited(place: Place) -> None:
    before = place.acme.auditor.token
    place.acme.auditor.expires_at = datetime.now(UTC) + timedelta(days=20)

    done = monthly(place)

    assert done.returncode == 0, done.stdout + done.stderr
    assert place.secret.read_text() == place.acme.auditor.token != before
    assert {".html", ".xlsx", ".json", ".snapshot"} <= reports(place.folder / "reports")
    assert place.acme.auditor.token not in done.stdout + done.stderr


def test_nothing_is_printed_when_all_is_well(place: Place) -> None:
    done = monthly(place, **JSON_ALONE)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert reports(place.folder / "reports")


def test_violations_are_printed_for_cron_to_mail(place: Place) -> None:
    place.acme.tokens[1].write_enabled = place.acme.tokens[1].delete_enabled = True

    done = monthly(place, **JSON_ALONE)

    assert done.returncode == 1
    assert done.stdout.startswith("Violations: 1 finding breaks policy.")


def test_the_audit_runs_whatever_became_of_the_rotation(place: Place) -> None:
    """The store is in a folder that is gone, so that nothing is rotated."""
    place.acme.auditor.expires_at = datetime.now(UTC) + timedelta(days=20)
    config = place.folder / "credly-audit.toml"
    config.write_text(config.read_text().replace("rotate = true", 'rotate = true\nstore = "file:gone/acme"'))

    done = monthly(place, **JSON_ALONE)

    assert done.returncode == 2
    assert "gone" in done.stderr
    assert ".json" in reports(place.folder / "reports")


def in_place(text: str, place: Place) -> str:
    """An example with its folders in the place of the test."""
    bin_folder = place.folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    shutil.copy(MONTHLY, bin_folder)
    for name in ("credly-audit", "python"):
        link = bin_folder / name
        if not link.is_symlink():
            link.symlink_to(Path(sys.executable).parent / name)
    folders = {
        "/opt/credly-audit/bin": bin_folder,
        "/etc/credly-audit": place.folder,
        "/var/lib/credly-audit": place.folder / "var",
    }
    for folder, here in folders.items():
        assert folder in text
        text = text.replace(folder, str(here))
    return text


def test_the_table_is_one_by_crons_own_check(place: Place) -> None:
    """`crontab -n` knows a person's table: the same without the column of the user."""
    crontab = needs.program("crontab")
    table = place.folder / "table"
    table.write_text(CRON.read_text().replace("* credly-audit /opt", "* /opt"))

    assert place.run(crontab, "-n", table).returncode == 0
    table.write_text(table.read_text().replace("17 6 1 * *", "17 36 1 * *"))
    assert place.run(crontab, "-n", table).returncode != 0


@pytest.mark.parametrize("when", ["@reboot", pytest.param("* * * * *", marks=pytest.mark.proof, id="the next minute")])
def test_a_real_cron_runs_an_audit(place: Place, when: str) -> None:
    """Debian's cron in the foreground, in a mount namespace where its tables, spool and process id are the test's."""
    needs.mounts()
    cron, unshare = needs.program("cron"), needs.program("unshare")
    table = in_place(CRON.read_text(), place).replace("17 6 1 * *", when)
    table = table.replace(f"{when} credly-audit ", f"{when} {getpass.getuser()} ").replace("MAILTO=security", "#")
    place.acme.tokens[1].description = None  # a finding below the gate
    mine = place.folder / "cron"
    for name in ("cron.d", "crontabs", "run"):
        (mine / name).mkdir(parents=True)
    (mine / "cron.d" / "credly-audit").write_text(table + f"# {place.sandbox.base_url}\n")
    (mine / "crontab").touch()
    script = (
        f"mount --bind {mine}/cron.d /etc/cron.d && mount --bind {mine}/crontab /etc/crontab && "
        f"mount --bind {mine}/crontabs /var/spool/cron/crontabs && mount --bind {mine}/run /run && exec {cron} -f"
    )
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}  # nothing but the table tells the job where things are
    with subprocess.Popen([unshare, "--mount", "sh", "-c", script], env=environ) as process:
        try:
            deadline = time.monotonic() + 120
            report = place.folder / "var" / "reports"
            while not list(report.glob("*.json")):
                assert process.poll() is None
                assert time.monotonic() < deadline, "cron ran no audit"
                time.sleep(0.2)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)
    assert {".html", ".xlsx", ".json", ".snapshot"} <= reports(report)
    assert place.sandbox.requests


def test_the_units_are_sound_by_systemds_own_check(place: Place) -> None:
    analyze = needs.program("systemd-analyze")
    units = [place.folder / each.name for each in (SERVICE, TIMER)]
    units[0].write_text(in_place(SERVICE.read_text(), place))
    units[1].write_text(TIMER.read_text())

    done = place.run(analyze, "verify", "--man=no", "--recursive-errors=no", *units)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    exposure = place.run(analyze, "security", "--offline=true", "--threshold=40", units[0])
    assert exposure.returncode == 0, exposure.stdout
    [when] = [line.partition("=")[2] for line in TIMER.read_text().splitlines() if line.startswith("OnCalendar=")]
    told = place.run(analyze, "calendar", "--iterations=3", "--base-time=2026-11-24 00:00:00 UTC", when)
    assert [day in told.stdout for day in ("2026-12-01 06:17", "2027-01-01 06:17", "2027-02-01 06:17")] == [True] * 3


def test_the_service_starts_what_cron_starts(place: Place) -> None:
    text = in_place(SERVICE.read_text(), place)
    settings = [line.split("=", 1) for line in text.splitlines() if "=" in line]
    environ = dict(value.split("=", 1) for name, value in settings if name == "Environment")
    [start] = [value for name, value in settings if name == "ExecStart"]

    done = subprocess.run(
        start.split(), env=environ | {"HOME": "/"} | JSON_ALONE, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert ".json" in reports(place.folder / "var" / "reports")
    assert (place.folder / "var").is_relative_to(environ["XDG_STATE_HOME"])
    assert CRON.read_text().count(" ".join(SERVICE.read_text().split("ExecStart=")[1].split("\n")[0].split())) == 1
    assert os.access(MONTHLY, os.X_OK)
