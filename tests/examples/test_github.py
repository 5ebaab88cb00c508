"""The action and the workflows for GitHub, played by a runner: what they write, and what they never do."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.examples.conftest import ACME, EXAMPLES, ROOT, Place, reports
from tests.examples.runner import ACTION, OURS, Done, Runner, content
from tests.proof import in_proof

AUDIT = EXAMPLES / "github" / "credly-audit.yml"
PULL_REQUEST = EXAMPLES / "github" / "credly-audit-pull-request.yml"
WORKFLOWS = (AUDIT, PULL_REQUEST)


@pytest.fixture
def runner(place: Place) -> Runner:
    """A private repository whose configuration takes the token from the environment."""
    needs.program("jq")
    repository = place.folder / "repository"
    repository.mkdir()
    text = (place.folder / "credly-audit.toml").read_text().replace("file:secrets/acme", "env:CREDLY_TOKEN_ACME")
    (repository / "credly-audit.toml").write_text(text.replace("rotate = true\n", ""))
    played = Runner(place, secrets={"CREDLY_TOKEN_ACME": place.acme.auditor.token}, checkouts={"": repository})
    remember(played, private=True, runs=[], comments=[])
    return played


def remember(runner: Runner, **said: Any) -> dict[str, Any]:
    """Change what GitHub knows of the repository."""
    state: dict[str, Any] = json.loads(runner.state.read_text()) if runner.state.exists() else {}
    runner.state.write_text(json.dumps(state | said))
    return state | said


def ran(runner: Runner, number: int, done: Done, **said: Any) -> None:
    """Let GitHub know of a run, newest first, with the artifacts that it uploaded."""
    runner.store[number] = done.uploaded
    artifacts = [{"id": number, "name": name, "expired": False} for name in done.uploaded]
    run = {"id": number, "head_branch": "main", "status": "completed", "event": "schedule", "artifacts": artifacts}
    remember(runner, runs=[run | said, *remember(runner)["runs"]])


def violate(place: Place) -> None:
    place.acme.tokens[1].write_enabled = place.acme.tokens[1].delete_enabled = True


@pytest.fixture
def job(runner: Runner) -> tuple[Path, Path]:
    """The workspace and the folder for temporary files of one job, the configuration checked out."""
    work, temp = runner.begin()
    shutil.copytree(runner.checkouts[""], work, dirs_exist_ok=True)
    (work / "credly-audit.toml").write_text(
        (work / "credly-audit.toml").read_text().replace("env:CREDLY_TOKEN_ACME", "file:acme")
    )
    (work / "acme").write_text(runner.place.acme.auditor.token)
    (work / "acme").chmod(0o600)
    return work, temp


def test_the_action_annotates_sums_up_and_leaves_sarif(runner: Runner, job: tuple[Path, Path]) -> None:
    violate(runner.place)

    done = runner.act(*job)

    assert done.code == 1, done.log
    assert "::error " in done.log
    assert "Violations: 1 policy violation" in done.summary
    assert done.outputs == {"exit-code": "1", "sarif": "reports/credly-audit.sarif"}
    results = json.loads((job[0] / done.outputs["sarif"]).read_text())["runs"][0]["results"]
    assert "PRM001" in {each["ruleId"] for each in results}
    assert {".html", ".xlsx", ".json", ".sarif", ".snapshot"} <= reports(job[0] / "reports")


def test_a_step_that_fails_shows_nothing_of_an_earlier_one(runner: Runner, job: tuple[Path, Path]) -> None:
    violate(runner.place)
    first = runner.act(*job)

    second = runner.act(*job, config="nowhere.toml")

    assert first.outputs["sarif"]
    assert (second.code, second.outputs, second.summary) == (2, {"exit-code": "2"}, "")
    assert not (job[0] / first.outputs["sarif"]).exists()


def test_two_steps_of_one_job_each_have_their_own(runner: Runner, job: tuple[Path, Path]) -> None:
    violate(runner.place)

    first = runner.act(*job, output_dir="one")
    second = runner.act(*job, output_dir="two", fail_on="never")

    assert (first.outputs["sarif"], second.outputs["sarif"]) == ("one/credly-audit.sarif", "two/credly-audit.sarif")
    assert (first.code, second.code) == (1, 0)
    assert (first.summary.count("\n# "), second.summary.count("\n# ")) == (0, 0)
    assert first.summary.startswith("# ❌")
    assert second.summary.startswith("# ✅")


def test_each_input_is_an_option_and_takes_lines_blanks_and_quotes(runner: Runner, job: tuple[Path, Path]) -> None:
    violate(runner.place)
    work, _ = job
    odd = 'it\'s "the" $(audit) `of` our *tokens.toml'
    (work / "credly-audit.toml").rename(work / odd)
    where = "our \"reports\" & 'more'"

    done = runner.act(
        *job,
        config=f"{odd}\n",
        output_dir=where,
        formats="csv\n\n  json  \r\n",
        organizations=f"\n{ACME}\n",
        fail_on="critical\nEXP001\n",
        allow_partial="true",
        manifest="true",
        split_by="organization",
        history="false",
        notify="false",
    )

    assert done.code == 0, done.log
    assert done.outputs == {"exit-code": "0", "sarif": f"{where}/credly-audit.sarif"}
    found = {path.name for path in (work / where).iterdir()}
    for end in (".json", ".snapshot", ".manifest.json", "-tokens.csv"):
        assert [name for name in found if name.endswith(end)]
    assert not [name for name in found if name.endswith((".html", ".xlsx"))]
    assert [name for name in found if "-by-organization-" in name]
    assert not (runner.place.folder / "state").exists()


@pytest.mark.parametrize(
    "inputs",
    [
        {"config": "a.toml\nsarif=owned"},
        {"output_dir": "reports\nsarif=owned"},
        {"output_dir": "reports\rexit-code=0"},
        {"baseline": "a\nb"},
        {"allow_partial": "yes; touch owned"},
        {"new_only": "$(touch owned)"},
        {"command": "rotate"},
        {"command": "run --fail-on never"},
        {"options": '--output-dir "reports'},
    ],
)
def test_an_input_that_is_none_is_refused_by_its_name(
    runner: Runner, job: tuple[Path, Path], inputs: dict[str, str]
) -> None:
    done = runner.act(*job, **inputs)

    assert (done.code, done.outputs, done.summary) == (2, {"exit-code": "2"}, "")
    [name] = inputs
    *_, said = done.log.splitlines()
    assert said.startswith("::error title=credly-audit::")
    assert name.replace("_", "-") in said
    assert "owned" not in done.log
    assert not list(job[0].rglob("*owned*"))
    assert runner.place.sandbox.requests == []


HOSTILE = "$(touch owned)`touch owned`; touch owned & --output json=owned"


@pytest.mark.parametrize(
    "name",
    [
        *("config", "output_dir", "formats", "options"),
        *in_proof("organizations", "fail_on", "baseline", "split_by"),
    ],
)
def test_an_input_is_never_run_and_never_another_option(runner: Runner, job: tuple[Path, Path], name: str) -> None:
    runner.act(*job, **{name: HOSTILE.replace("/", "")})

    assert not (job[0] / "owned").exists()


def test_options_work_for_this_release_with_a_warning(runner: Runner, job: tuple[Path, Path]) -> None:
    violate(runner.place)

    done = runner.act(*job, options="--fail-on never\n  --output-dir 'else where'\n--output \"csv=a b.csv\"\n")

    assert done.code == 0, done.log
    assert "::warning title=credly-audit::the input options is removed in the next release" in done.log
    assert (job[0] / "else where").is_dir()
    assert list(job[0].glob("a b*"))


def test_validate_lists_for_review_in_the_step_summary(runner: Runner, job: tuple[Path, Path]) -> None:
    config = job[0] / "credly-audit.toml"
    config.write_text(config.read_text() + 'store = "exec:./deploy"\n')

    done = runner.act(*job, command="validate")

    assert (done.code, done.outputs) == (0, {"exit-code": "0"}), done.log
    lines = done.summary.splitlines()
    assert all(line.startswith("    ") for line in lines)
    assert [line for line in lines if "organizations[1].store = exec:./deploy" in line]
    assert [line for line in lines if "api.base_url" in line]
    assert runner.place.sandbox.requests == []

    config.write_text("[api]\nworkers = 0\n")
    done = runner.act(*job, command="validate")
    assert (done.code, done.outputs, done.summary) == (2, {"exit-code": "2"}, "")
    assert "credly-audit.toml:2: api.workers" in done.log


def test_nothing_of_the_checkout_is_imported(runner: Runner, job: tuple[Path, Path]) -> None:
    for name in ("json", "shlex", "venv", "pip", "credly_audit", "sitecustomize"):
        (job[0] / f"{name}.py").write_text("open('owned', 'w')")

    done = runner.act(*job, options="--fail-on never")

    assert done.code == 0, done.log
    assert not (job[0] / "owned").exists()
    [install] = [step for step in content(ACTION)["runs"]["steps"] if step["name"].startswith("Install")]
    started = re.findall(r"(?:\"\$PYTHON\"|bin/python) (\S+)", install["run"])
    assert len(started) > 4
    assert set(started) <= {"-I", '"${install[@]}"'}
    assert "install=(-I " in install["run"]


def test_every_output_and_input_is_documented_and_used() -> None:
    action = content(ACTION)
    script = "\n".join(json.dumps(step) for step in action["runs"]["steps"])

    assert all(each["description"] for each in (*action["inputs"].values(), *action["outputs"].values()))
    assert [name for name in action["inputs"] if f"inputs.{name} " not in script] == []
    page = (ROOT / "docs" / "unattended.md").read_text()
    assert [name for name in (*action["inputs"], *action["outputs"]) if f"`{name}`" not in page] == []


def test_the_monthly_audit_keeps_its_history_from_run_to_run(runner: Runner) -> None:
    violate(runner.place)
    first = runner.play(AUDIT, "audit")
    assert first.code == 1, first.log
    assert "this audit begins a new one" in first.log
    assert set(first.uploaded) == {"credly-audit-history", "credly-audit-snapshot", "credly-audit-reports"}
    assert [path.name for path in first.uploaded["credly-audit-history"].iterdir()] == ["history.sqlite"]
    ran(runner, 1, first)

    second = runner.play(AUDIT, "audit")

    assert "begins a new one" not in second.log
    [report] = second.uploaded["credly-audit-reports"].glob("*.json")
    told = json.loads(report.read_text())
    assert told["compared"] is not None
    assert {each["status"] for each in told["findings"]} == {"persisting"}
    assert "Show the findings under Security, Code scanning" in second.ran


def test_the_history_is_that_of_the_newest_audit_of_the_default_branch_that_still_has_one(runner: Runner) -> None:
    violate(runner.place)
    first = runner.play(AUDIT, "audit")
    for number, said in {
        1: {},
        2: {"artifacts": [{"id": 5, "name": "credly-audit-history", "expired": True}]},
        3: {"head_branch": "poisoned"},
        4: {"event": "pull_request"},
        5: {"status": "in_progress"},
    }.items():
        ran(runner, number, first, **said)

    assert runner.play(AUDIT, "audit").steps["last"]["outputs"]["run"] == "1"


def test_an_audit_of_a_public_repository_or_of_another_branch_is_not_begun(runner: Runner) -> None:
    runner.event = "workflow_dispatch"
    runner.github = {"ref_name": "change", "event": {"repository": {"default_branch": "main"}}}
    assert runner.play(AUDIT, "audit").ran == []

    runner.github["ref_name"] = "main"
    remember(runner, private=False)
    done = runner.play(AUDIT, "audit")

    assert done.code == 1
    assert "::error title=credly-audit::reports and history would be public" in done.log
    assert (done.uploaded, runner.place.sandbox.requests) == ({}, [])


@pytest.fixture
def pull_request(runner: Runner) -> Runner:
    """A pull request of a branch of the repository, after an audit; the runner has no secret any more."""
    violate(runner.place)
    ran(runner, 1, runner.play(AUDIT, "audit"))
    base = runner.checkouts[""]
    head = Path(shutil.copytree(base, runner.place.folder / "head"))
    runner.checkouts = {"": head, "before": base}
    repository = {"private": True, "default_branch": "main"}
    request = {"number": 7, "head": {"repo": {"full_name": "acme/audit"}}, "base": {"sha": "before"}}
    runner.event, runner.github = "pull_request", {"event": {"repository": repository, "pull_request": request}}
    runner.secrets = {}
    runner.place.sandbox.requests.clear()
    return runner


def change(runner: Runner, text: str) -> None:
    """Let the pull request add something to the configuration."""
    path = runner.checkouts[""] / "credly-audit.toml"
    path.write_text(path.read_text() + text)


def test_a_pull_request_is_told_what_it_changes_without_a_credential(pull_request: Runner) -> None:
    change(pull_request, '[policy.severity]\nEXP001 = "low"\n')
    path = pull_request.checkouts[""] / "credly-audit.toml"
    path.write_text(path.read_text().replace("[policy]\n", '[policy]\ndisable = ["PRM"]\n'))

    done = pull_request.play(PULL_REQUEST, "check")

    assert done.code == 0, done.log
    assert done.outputs["adds"] == "0"
    assert int(done.outputs["removes"]) >= 1
    assert re.fullmatch(r"(PRM\d{3}-\d+ ?)+", done.outputs["rules"])
    assert f"**This change adds 0 and removes {done.outputs['removes']} finding" in done.summary
    assert "For review: " in done.summary
    assert pull_request.place.sandbox.requests == []


def test_what_a_pull_request_would_run_is_refused(pull_request: Runner) -> None:
    change(pull_request, '[privacy]\nfingerprint_key = "exec:touch owned"\n')

    done = pull_request.play(PULL_REQUEST, "check")

    assert done.code == 2
    assert "--untrusted refuses exec:" in done.log
    assert done.outputs == {"adds": "", "removes": "", "rules": ""}
    assert list(pull_request.place.folder.rglob("owned")) == []


def test_a_pull_request_of_a_fork_is_not_begun(pull_request: Runner) -> None:
    pull_request.github["event"]["pull_request"]["head"]["repo"]["full_name"] = "stranger/audit"

    assert pull_request.play(PULL_REQUEST, "check").ran == []


@pytest.mark.parametrize("why", ["public", "no base", *in_proof("expired")])
def test_where_no_snapshot_may_be_used_the_change_is_validated_only(pull_request: Runner, why: str) -> None:
    if why == "public":
        pull_request.github["event"]["repository"]["private"] = False
    elif why == "expired":
        [run] = remember(pull_request)["runs"]
        remember(pull_request, runs=[run | {"artifacts": [each | {"expired": True} for each in run["artifacts"]]}])
    else:
        empty = pull_request.place.folder / "empty"
        empty.mkdir()
        pull_request.checkouts["before"] = empty

    done = pull_request.play(PULL_REQUEST, "check")

    assert done.code == 0, done.log
    assert done.outputs == {"adds": "", "removes": "", "rules": ""}
    assert ("Evaluate the change" in done.ran) == (why == "no base")
    assert "For review: " in done.summary


def test_the_comment_is_written_once_and_then_anew(pull_request: Runner) -> None:
    other = {"id": 1, "user": {"login": "somebody"}, "body": "<!-- credly-audit --> not ours"}
    remember(pull_request, comments=[other])

    for adds, rules in (("3", "EXP002+3 DOC001-41"), ("0", "")):
        outputs = {"adds": adds, "removes": "41", "rules": rules}
        done = pull_request.play(PULL_REQUEST, "comment", check={"outputs": outputs})
        assert done.code == 0, done.log
        kept, ours = remember(pull_request)["comments"]
        assert kept == other
        assert f"This change adds {adds} and removes 41 findings." in ours["body"]
        assert ("`EXP002+3 DOC001-41`" in ours["body"]) == bool(rules)


@pytest.mark.parametrize(
    "outputs",
    [
        {"adds": "3\n::error::x", "removes": "1", "rules": ""},
        {"adds": "3", "removes": "@octocat", "rules": ""},
        {"adds": "3", "removes": "1", "rules": "[a](http://e.example)"},
        {"adds": "3", "removes": "1", "rules": "EXP002+3\n@octocat"},
        {"adds": "3", "removes": "1", "rules": "$(touch owned)"},
    ],
)
def test_a_comment_holds_counts_and_rules_or_is_not_written(pull_request: Runner, outputs: dict[str, str]) -> None:
    done = pull_request.play(PULL_REQUEST, "comment", check={"outputs": outputs})

    assert done.code == 1
    assert remember(pull_request)["comments"] == []
    assert list(pull_request.place.folder.rglob("owned")) == []


def test_the_comment_s_job_runs_nothing_of_the_pull_request() -> None:
    jobs = content(PULL_REQUEST)["jobs"]

    assert [step for step in jobs["comment"]["steps"] if "uses" in step] == []
    assert jobs["comment"]["permissions"] == {"pull-requests": "write"}
    assert "write" not in jobs["check"]["permissions"].values()


def test_a_pull_request_s_workflow_names_no_secret_and_no_other_trigger() -> None:
    text = PULL_REQUEST.read_text()
    code = "\n".join(line.partition(" #")[0] for line in text.splitlines() if not line.startswith("#"))

    assert "secrets." not in code
    assert "pull_request_target" not in code
    assert "workflow_run" not in code.replace(".workflow_runs[]", "")
    assert list(content(PULL_REQUEST)[True]) == ["pull_request"]  # YAML takes `on` for true
    assert set(content(AUDIT)[True]) == {"schedule", "workflow_dispatch"}
    assert content(AUDIT)["jobs"]["audit"]["environment"] == "credly-audit"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_a_commit_and_no_cache_is_used(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(?:  # (.+))?", path.read_text())

    assert len(used) == path.read_text().count("uses:")
    assert [name for name, said in used if not (re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name) and said)] == []
    assert [name for name, _ in used if "cache" in name] == []


def test_the_workflows_give_the_action_what_it_takes() -> None:
    action = content(ACTION)
    steps = [step for path in WORKFLOWS for each in content(path)["jobs"].values() for step in each["steps"]]
    ours = [step for step in steps if step.get("uses", "").startswith(OURS)]

    assert len(ours) == 3
    assert all(set(step["with"]) <= set(action["inputs"]) for step in ours)
    assert not [step for step in steps if "${{" in step.get("run", "")]


def test_zizmor_finds_nothing() -> None:
    files = [ACTION, *WORKFLOWS, ROOT / ".github"]

    done = subprocess.run(
        [needs.script("zizmor"), "--offline", "--pedantic", "--no-progress", *files],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout + done.stderr


@pytest.mark.proof
def test_the_action_installs_what_it_runs(place: Place) -> None:
    [step] = [step for step in content(ACTION)["runs"]["steps"] if step["name"].startswith("Install")]
    temp = place.folder / "runner"
    temp.mkdir()

    done = place.bash(step["run"], RUNNER_TEMP=str(temp), ACTION=str(ROOT), PYTHON=sys.executable)

    assert done.returncode == 0, done.stderr
    assert place.run(temp / "credly-audit" / "bin" / "credly-audit", "--version").returncode == 0
    imported = place.run(temp / "credly-audit" / "bin" / "python", "-c", "import apprise, keyring, psycopg")
    assert imported.returncode == 0, imported.stderr
