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
ROTATION = EXAMPLES / "systemd" / "credly-audit-rotate.service"
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
    assert done.stdout.startswith("Violations: 1 policy violation.")


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


@pytest.mark.parametrize(("days", "printed"), [(6, "Expires "), (30, "")])
def test_only_a_credential_that_expires_soon_is_printed_for_cron_to_mail(place: Place, days: int, printed: str) -> None:
    place.acme.auditor.expires_at = datetime.now(UTC) + timedelta(days=days)
    [line] = [line for line in in_place(CRON.read_text(), place).splitlines() if "--within" in line]
    command = line.partition(" credly-audit ")[2].replace("$(credly-audit", f"$({place.folder}/bin/credly-audit")

    done = place.run("/bin/sh", "-c", command)

    assert (printed in done.stdout, bool(done.stdout)) == (True, bool(printed))
    assert done.stderr == ""


def test_the_table_is_one_by_crons_own_check(place: Place) -> None:
    """`crontab -n` knows a person's table: the same without the column of the user."""
    crontab = needs.program("crontab")
    table = place.folder / "table"
    table.write_text(CRON.read_text().replace("* credly-audit ", "* "))

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
    table = table.replace("* * * credly-audit ", f"* * * {getpass.getuser()} ")
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
    units = [place.folder / each.name for each in (SERVICE, ROTATION, TIMER)]
    for unit, example in zip(units, (SERVICE, ROTATION), strict=False):
        unit.write_text(in_place(example.read_text(), place))
    units[2].write_text(TIMER.read_text())

    done = place.run(analyze, "verify", "--man=no", "--recursive-errors=no", *units)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    for service in units[:2]:
        exposure = place.run(analyze, "security", "--offline=true", "--threshold=40", service)
        assert exposure.returncode == 0, exposure.stdout
    [when] = [line.partition("=")[2] for line in TIMER.read_text().splitlines() if line.startswith("OnCalendar=")]
    told = place.run(analyze, "calendar", "--iterations=3", "--base-time=2026-11-24 00:00:00 UTC", when)
    assert [day in told.stdout for day in ("2026-12-01 06:17", "2027-01-01 06:17", "2027-02-01 06:17")] == [True] * 3


def started(place: Place, unit: Path) -> subprocess.CompletedProcess[str]:
    """The service as systemd starts it: with what its unit says and with copies of its credentials."""
    settings = [line.split("=", 1) for line in in_place(unit.read_text(), place).splitlines() if "=" in line]
    said = {name: [value for each, value in settings if each == name] for name, _ in settings}
    loaded = place.folder / f"credentials-of-{unit.stem}"
    loaded.mkdir()
    for credential in said["LoadCredential"]:
        name, _, path = credential.partition(":")
        (loaded / name).write_bytes(Path(path).read_bytes())
    environ = dict(value.split("=", 1) for value in said["Environment"]) | {"CREDENTIALS_DIRECTORY": str(loaded)}
    [start] = said["ExecStart"]
    assert (place.folder / "var").is_relative_to(environ["XDG_STATE_HOME"])
    return subprocess.run(
        start.split(), env=environ | {"HOME": "/"} | JSON_ALONE, capture_output=True, text=True, check=False
    )


def test_the_services_rotate_what_is_due_and_audit_with_the_new_value(place: Place) -> None:
    config = place.folder / "credly-audit.toml"
    lines = config.read_text().splitlines()
    kept = [line for line in lines if not line.startswith('token = "file:')]
    config.write_text(
        "\n".join(line.removeprefix("# ") if line.startswith(("# token", "# store")) else line for line in kept)
    )
    assert 'token = "systemd:acme"' in config.read_text()
    before = place.acme.auditor.token
    place.acme.auditor.expires_at = datetime.now(UTC) + timedelta(days=20)

    done = [started(place, unit) for unit in (ROTATION, SERVICE)]

    assert [(each.returncode, each.stdout) for each in done] == [(0, "")] * 2, done
    assert place.secret.read_text() == place.acme.auditor.token != before
    assert ".json" in reports(place.folder / "var" / "reports")


def test_the_audit_comes_after_the_rotation_and_needs_no_write_access_to_secrets() -> None:
    said = [line.split("=", 1) for line in SERVICE.read_text().splitlines() if "=" in line]
    for order in ("Wants", "After"):
        assert [ROTATION.name in value.split() for name, value in said if name == order] == [True]
    assert not [value for name, value in said if name == "ReadWritePaths"]
    assert os.access(MONTHLY, os.X_OK)
