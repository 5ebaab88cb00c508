"""Rules from another package: installed, found, set, judged by, and told of when they are broken."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build import ACME, BETA, organization, snapshot, token
from tests.proof import in_proof

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-rules"

ONE_BY_ONE = """
import contextlib, io, json, shlex, sys
from credly_audit.cli.main import outcome
told = []
for command in sys.argv[1:]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = outcome(shlex.split(command))
    told.append([int(code), out.getvalue(), err.getvalue()])
print(json.dumps(told))
"""

BROKEN = """
from credly_audit.rules.declare import rule
from credly_audit.severity import Severity

@rule("ZZZ001", "always-broken", Severity.LOW, summary="s", rationale="r", remediation="r", controls={})
def always_broken(facts, options):
    return facts.tokens["no such column"]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed as people install it, without asking any network."""
    copy = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / "own-rules")
    target = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, copy], check=True)
    return target


@dataclass(frozen=True)
class Told:
    """What a command left in a process of its own."""

    code: int
    out: str
    err: str


def run(folder: Path, packages: Path, *commands: str) -> list[Told]:
    """The commands one after the other in that folder, in one process that has the packages installed beside it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CREDLY")}
    done = subprocess.run(
        [sys.executable, "-c", ONE_BY_ONE, *commands],
        cwd=folder,
        env=environ | {"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [Told(*each) for each in json.loads(done.stdout)]


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    """Acme with a ticket on one of its tokens, Beta with nobody to ask."""
    tokens = [token(1), token(2, description="Badge issuer of events, SEC-12"), token(3, BETA)]
    organizations = [organization(), organization(BETA, contact=None)]
    snapshot(tokens, organizations).write(path := tmp_path / "today.snapshot")
    return path


@pytest.mark.usefixtures("collected")
def test_the_example_s_rules_are_rules_like_any_other(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "set.toml").write_text('[policy.rules.ACM001]\nprefixes = ["IT", "SEC"]\n')
    (tmp_path / "off.toml").write_text('[policy]\ndisable = ["ACM"]\n')
    (tmp_path / "wrong.toml").write_text('[policy.rules.ACM001]\nprefix = "IT"\n')
    check = "check today.snapshot --fail-on ACM"
    listed, shown, docs, ours, schema, judged, off, wrong = run(
        tmp_path,
        installed,
        "rules list --format json",
        "rules show acm001",
        "rules docs",
        "rules docs --built-in",
        "config schema",
        f"{check} -c set.toml --output json=report.json --output sarif=report.sarif",
        "check today.snapshot -c off.toml --output json=off.json",
        f"{check} -c wrong.toml --output json=wrong.json",
    )

    [rule] = [each for each in json.loads(listed.out) if each["id"] == "ACM001"]
    options = [{"name": "prefixes", "default": ["IT"], "description": "The prefixes of ticket numbers."}]
    assert rule["options"] == options
    assert "Option prefixes" in shown.out
    assert "ACM002" in docs.out
    assert "ACM002" not in ours.out
    assert "ACM001" in schema.out

    assert judged.code == 1, judged.err
    report = json.loads((tmp_path / "report.json").read_text())
    assert {(each["rule_id"], each["token_id"], each["message"]) for each in report["findings"]} == {
        ("ACM001", token(1)["token_id"], "The description names no ticket (IT-… or SEC-…)."),
        ("ACM001", token(3)["token_id"], "The description names no ticket (IT-… or SEC-…)."),
        ("ACM002", None, "No contact is configured."),
    }
    rules = json.loads((tmp_path / "report.sarif").read_text())["runs"][0]["tool"]["driver"]["rules"]
    assert {"ACM001", "ACM002"} <= {each["id"] for each in rules}

    assert off.code == 0
    assert wrong.code == 2
    assert "policy.rules.ACM001.prefix: unknown key; did you mean prefixes?" in wrong.err


def package(folder: Path, code: str) -> Path:
    """A package as installed, with an entry point for its module."""
    (folder / "broken.dist-info").mkdir(parents=True)
    (folder / "broken_rules.py").write_text(code)
    (folder / "broken.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (folder / "broken.dist-info" / "entry_points.txt").write_text("[credly_audit.rules]\nbad = broken_rules\n")
    return folder


@pytest.mark.usefixtures("collected")
def test_a_rule_that_raises_is_never_no_finding(tmp_path: Path) -> None:
    check = "check today.snapshot --output"
    done, skipped = run(
        tmp_path,
        package(tmp_path / "packages", BROKEN),
        f"{check} json=raised.json",
        f"{check} json=skipped.json --skip-broken-rules",
    )

    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("credly-audit: rule ZZZ001 (always-broken) is broken: KeyError")
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "raised.json").exists()
    assert skipped.code == 3
    assert "failed rule: ZZZ001" in skipped.out
    report = json.loads((tmp_path / "skipped.json").read_text())
    assert report["verdict"]["outcome"] == "incomplete"
    assert list(report["verdict"]["broken_rules"]) == ["ZZZ001"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1", "names no rule; it has to name a module with rules, or one rule"),
        (BROKEN.replace("ZZZ001", "EXP001"), "has a rule EXP001, but that id is taken; give it another"),
    ],
)
def test_a_package_whose_rules_cannot_be_had_is_named(tmp_path: Path, code: str, said: str) -> None:
    [done] = run(tmp_path, package(tmp_path / "packages", code), "rules list")

    assert done.code == 4
    assert done.err.startswith("credly-audit: entry point bad of broken ")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


RETURNS = 'return facts.tokens["no such column"]'


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize(
    "code",
    [
        BROKEN.replace(RETURNS, "raise SystemExit(0)"),
        BROKEN.replace("return", "yield"),
        BROKEN.replace(RETURNS, 'facts.organizations["status"] = "complete"'),
        *in_proof(
            BROKEN.replace(RETURNS, "raise KeyboardInterrupt"),
            BROKEN.replace(RETURNS, "raise GeneratorExit"),
            BROKEN.replace('facts.tokens["no such column"]', "exit(0)"),
        ),
    ],
)
def test_nothing_that_a_rule_does_ends_the_command_as_passed(tmp_path: Path, code: str) -> None:
    check = f"{sys.executable} -m credly_audit check today.snapshot --output json=report.json"
    packages = package(tmp_path / "packages", code)
    done = subprocess.run(
        check.split(),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{packages}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("credly-audit: rule ZZZ001 (always-broken) is broken: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "report.json").exists()


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(0)",
        BROKEN + BROKEN.replace("def always_broken", "def another"),
        f"{BROKEN}\nclass Odd:\n    __class__ = property(lambda self: exit(0))\nodd = Odd()",
        *in_proof("raise KeyboardInterrupt", "raise GeneratorExit", BROKEN.replace("Severity.LOW", '"severe"')),
    ],
)
def test_a_module_that_cannot_be_loaded_is_a_broken_rule(tmp_path: Path, code: str) -> None:
    named = '[policy]\nfail_on = ["ZZZ", "high"]\ndisable = ["ZZZ002"]\nwaivers_file = "w.toml"\n'
    (tmp_path / "named.toml").write_text(named + "[policy.rules.ZZZ001]\nit = 1\n[policy.severity]\nZZZ001 = 'low'\n")
    (tmp_path / "w.toml").write_text(
        f'[[waivers]]\nrule = "ZZZ001"\norganization = "{ACME}"\nreason = "r"\napproved_by = "me"\n'
        "approved_on = 2026-11-01\nexpires = 2026-12-31\n"
    )
    check = "check today.snapshot --output"
    done, skipped, named_done = run(
        tmp_path,
        package(tmp_path / "packages", code),
        f"{check} json=raised.json",
        f"{check} json=skipped.json --skip-broken-rules",
        f"{check} json=named.json --skip-broken-rules -c named.toml --fail-on ZZZ001",
    )

    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("credly-audit: entry point bad of broken ")
    assert "--skip-broken-rules" in done.err
    assert len(done.err.splitlines()) == 1
    assert (skipped.code, named_done.code) == (3, 3), skipped.err + named_done.err
    report = json.loads((tmp_path / "named.json").read_text())
    assert list(report["verdict"]["broken_rules"]) == ["entry point bad of broken"]
    assert [each["state"] for each in report["waivers"]] == ["unjudged"]


OPTIONS = """
from pydantic import field_validator
from credly_audit.rules.declare import Options, flag, rule

class Mine(Options):
    it: int = 1
    @field_validator("it")
    @classmethod
    def check(cls, it):
        if it == 2:
            raise SystemExit(0)
        return it

@rule("ZZZ001", "mine", "low", summary="s", rationale="r", remediation="r", controls={}, options=Mine)
def mine(facts, options):
    hit = facts.tokens.iloc[:0]
    return flag(hit, hit["token_id"])
"""


@pytest.mark.usefixtures("collected")
def test_options_whose_own_code_fails_are_a_broken_rule(tmp_path: Path) -> None:
    for number in (2, 3):
        (tmp_path / f"{number}.toml").write_text(f"[policy.rules.ZZZ001]\nit = {number}\n")
    packages = package(tmp_path / "packages", OPTIONS)
    failing, sound = run(tmp_path, packages, "check today.snapshot -c 2.toml", "check today.snapshot -c 3.toml")

    assert (failing.code, failing.out) == (4, "")
    assert failing.err == "credly-audit: rule ZZZ001 (mine) is broken: its options raise SystemExit: 0\n"
    assert sound.code == 0
