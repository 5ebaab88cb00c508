"""The examples for GitHub, GitLab, Jenkins and Kubernetes: valid by their schemas, and their commands do the job."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.examples.conftest import EXAMPLES, ROOT, Place, expressions, reports

ACTION = ROOT / "action.yml"
WORKFLOW = EXAMPLES / "github" / "credly-audit.yml"
GITLAB = EXAMPLES / "gitlab" / ".gitlab-ci.yml"
KUBERNETES = EXAMPLES / "kubernetes" / "cronjob.yaml"


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


@pytest.mark.parametrize(
    ("path", "schema"),
    [(ACTION, "vendor.github-actions"), (WORKFLOW, "vendor.github-workflows"), (GITLAB, "vendor.gitlab-ci")],
)
def test_it_is_valid_by_its_platforms_schema(path: Path, schema: str) -> None:
    program = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path)

    done = subprocess.run(program, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_cron_job_is_valid_for_kubernetes() -> None:
    program = (sys.executable, "-m", "kubernetes_validate", "--strict", KUBERNETES)

    done = subprocess.run(program, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert [each["kind"] for each in yaml.safe_load_all(KUBERNETES.read_text())] == [
        "ConfigMap",
        "PersistentVolumeClaim",
        "CronJob",
    ]


def act(place: Place, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """The action's audit step as a runner runs it: the outcome, the outputs, the step summary."""
    temp = place.folder / "runner"
    (temp / "credly-audit" / "bin").mkdir(parents=True)
    (temp / "credly-audit" / "bin" / "credly-audit").symlink_to(Path(sys.executable).parent / "credly-audit")
    action = content(ACTION)
    defaults = {f"inputs.{name}": said["default"] for name, said in action["inputs"].items()}
    values = defaults | {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
    [step] = [step for step in action["runs"]["steps"] if step.get("id") == "audit"]
    said = {name: expressions(value, values) for name, value in step["env"].items()}
    files = {name: str(temp / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        Path(file).touch()
    assert "${{" not in step["run"]
    done = place.bash(step["run"], RUNNER_TEMP=str(temp), **said, **files)
    outputs = dict(line.split("=", 1) for line in Path(files["GITHUB_OUTPUT"]).read_text().splitlines())
    return done, outputs, Path(files["GITHUB_STEP_SUMMARY"]).read_text()


def test_the_action_annotates_sums_up_and_leaves_sarif(place: Place) -> None:
    place.acme.tokens[1].write_enabled = place.acme.tokens[1].delete_enabled = True

    done, outputs, summary = act(place)

    assert done.returncode == 1, done.stderr
    assert "::error " in done.stdout
    assert "Violations: 1 policy violation" in summary
    assert outputs == {"exit-code": "1", "sarif": "reports/credly-audit.sarif"}
    results = json.loads((place.folder / outputs["sarif"]).read_text())["runs"][0]["results"]
    assert "PRM001" in {each["ruleId"] for each in results}
    assert {".html", ".xlsx", ".json", ".sarif", ".snapshot"} <= reports(place.folder / "reports")


def test_the_documented_step_summary_is_added_to_what_other_steps_wrote(place: Place) -> None:
    [command] = re.findall(
        r"^    (credly-audit run .*GITHUB_STEP_SUMMARY.*)$", (ROOT / "docs/formats.md").read_text(), re.MULTILINE
    )
    summary = place.folder / "summary"
    summary.write_text("# Another step\n")

    done = place.bash(command, GITHUB_STEP_SUMMARY=str(summary))

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert summary.read_text().startswith("# Another step\n#")
    assert "✅ Pass" in summary.read_text()


def test_no_example_replaces_a_file_that_a_runner_shares_between_steps() -> None:
    texts = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        ACTION,
        *(each for each in EXAMPLES.rglob("*") if each.is_file()),
    ]
    lines = [
        line
        for path in texts
        for line in path.read_text().splitlines()
        if "GITHUB_" in line and "credly-audit run" in line
    ]
    written = [
        line
        for path in texts
        for line in path.read_text().splitlines()
        if re.search(r'"\$GITHUB_(STEP_SUMMARY|OUTPUT)"', line)
    ]

    assert lines
    assert len(written) > 2
    assert [line for line in written if ">>" not in line] == []


def test_the_action_passes_options_on_and_takes_none_for_a_command(place: Place) -> None:
    place.acme.tokens[1].write_enabled = place.acme.tokens[1].delete_enabled = True

    done, outputs, _ = act(place, options="--fail-on never --output-dir elsewhere", config="credly-audit.toml")
    assert (done.returncode, outputs["exit-code"]) == (0, "0"), done.stderr
    assert (place.folder / "elsewhere").is_dir()


def test_an_input_of_the_action_is_never_run(place: Place) -> None:
    done, outputs, summary = act(place, config="$(touch owned)`touch owned`; touch owned", options="; touch owned")

    assert (done.returncode, outputs, summary) == (2, {"exit-code": "2"}, "")
    assert not (place.folder / "owned").exists()


def test_the_workflow_asks_the_action_for_what_it_has() -> None:
    action, steps = content(ACTION), content(WORKFLOW)["jobs"]["audit"]["steps"]
    [audit] = [step for step in steps if step.get("id") == "audit"]

    assert set(audit["with"]) <= set(action["inputs"])
    used = set(re.findall(r"steps\.audit\.outputs\.([\w-]+)", WORKFLOW.read_text()))
    assert used
    assert used <= set(action["outputs"])
    assert not [line for step in steps for line in [step.get("run", "")] if "${{" in line]


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


def test_the_gitlab_job_leaves_what_it_says(place: Place) -> None:
    job = content(GITLAB)["credly-audit"]

    done = place.bash("\n".join(job["script"]), XDG_STATE_HOME=str(place.folder / ".state"))

    assert done.returncode == 0, done.stderr
    assert (place.folder / job["artifacts"]["reports"]["junit"]).exists()
    assert (place.folder / job["artifacts"]["paths"][0]).is_dir()
    assert (place.folder / job["cache"]["paths"][0]).is_dir()


def test_the_jenkins_pipeline_leaves_what_it_says(place: Place) -> None:
    text = (EXAMPLES / "jenkins" / "Jenkinsfile").read_text()
    [script] = re.findall(r"script: '''(.*?)'''", text, re.DOTALL)
    assert all(text.count(one) == text.count(other) for one, other in ("{}", "()", "[]"))

    done = place.run("sh", "-xe", "-c", script)

    assert done.returncode == 0, done.stderr
    [junit] = re.findall(r"junit testResults: '(.*?)'", text)
    assert (place.folder / junit).exists()


def test_the_cron_job_runs_what_its_configuration_says(place: Place) -> None:
    configured, _, job = yaml.safe_load_all(KUBERNETES.read_text())
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    (place.folder / "credly-audit.toml").write_text(configured["data"]["credly-audit.toml"])
    mounts = {"/etc/credly-audit": place.folder, "/data": place.folder / "data"}
    arguments = shlex.join(container["args"])
    for path, folder in mounts.items():
        assert path in {mount["mountPath"] for mount in container["volumeMounts"]}
        arguments = arguments.replace(path, str(folder))

    done = place.run("credly-audit", *shlex.split(arguments))

    assert done.returncode == 0, done.stderr
    assert ".html" in reports(place.folder / "data" / "reports")
    assert {json.loads(line)["level"] for line in done.stderr.splitlines()} == {"info"}


def test_the_cron_jobs_container_can_do_next_to_nothing() -> None:
    *_, job = yaml.safe_load_all(KUBERNETES.read_text())
    spec = job["spec"]["jobTemplate"]["spec"]
    pod = spec["template"]["spec"]
    [container] = pod["containers"]

    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert spec["backoffLimit"] == 0
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
