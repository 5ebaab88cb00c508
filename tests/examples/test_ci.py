"""The examples for GitHub, GitLab, Jenkins and Kubernetes: valid by their schemas, and their commands do the job."""

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest
import yaml

from tests.examples.conftest import EXAMPLES, ROOT, Place, reports
from tests.examples.runner import ACTION, content
from tests.notify.conftest import Receiver, receiver

__all__ = ["receiver"]

JENKINS = EXAMPLES / "jenkins" / "Jenkinsfile"
JENKINS_PULL_REQUEST = EXAMPLES / "jenkins" / "Jenkinsfile.pull-request"
GITLAB = EXAMPLES / "gitlab" / ".gitlab-ci.yml"
KUBERNETES = EXAMPLES / "kubernetes" / "cronjob.yaml"


def violate(place: Place) -> None:
    """Let a token have more permissions than anyone approved."""
    place.acme.tokens[1].write_enabled = place.acme.tokens[1].delete_enabled = True


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        (ACTION, "vendor.github-actions"),
        (ROOT / ".github" / "dependabot.yml", "vendor.dependabot"),
        *((path, "vendor.github-workflows") for path in sorted((EXAMPLES / "github").iterdir())),
        (GITLAB, "vendor.gitlab-ci"),
    ],
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


class Gitlab(BaseHTTPRequestHandler):
    """GitLab's API as far as the pipeline uses it: the last audit's artifacts, from a storage of another address."""

    artifacts: bytes | None = None
    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("JOB-TOKEN")))
        stored = self.path == "/stored"
        if not stored and (self.headers.get("JOB-TOKEN") != "MADE-UP-job-token" or self.artifacts is None):
            self.send_error(404)
            return
        self.send_response(200 if stored else 302)
        if not stored:
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/stored")
        self.end_headers()
        self.wfile.write(self.artifacts or b"" if stored else b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gitlab() -> Iterator[tuple[type[Gitlab], dict[str, str]]]:
    """The API, and the variables that a job of a private project has."""
    handler = type("Handler", (Gitlab,), {"artifacts": None, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        variables = {
            "CI_API_V4_URL": f"http://127.0.0.1:{server.server_address[1]}/api/v4",
            "CI_PROJECT_ID": "42",
            "CI_JOB_TOKEN": "MADE-UP-job-token",
            "CI_DEFAULT_BRANCH": "feature/main",
            "CI_PROJECT_VISIBILITY": "private",
        }
        yield handler, variables
        server.shutdown()


def zipped(folder: Path, paths: list[str]) -> bytes:
    """A job's artifacts as GitLab keeps them: what is there of the paths, under their names."""
    out = io.BytesIO()
    with ZipFile(out, "w") as archive:
        for file in (file for path in paths for file in [folder / path, *(folder / path).rglob("*")] if file.is_file()):
            archive.write(file, file.relative_to(folder))
    return out.getvalue()


def audit_in_gitlab(place: Place, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The scheduled job, in a checkout that holds nothing of an earlier one."""
    job = content(GITLAB)["credly-audit"]
    for name in ("reports", "state", "last-audit"):
        shutil.rmtree(place.folder / name, ignore_errors=True)
    state = job["variables"]["XDG_STATE_HOME"].replace("$CI_PROJECT_DIR", str(place.folder))
    return place.bash("\n".join(job["script"]), XDG_STATE_HOME=state, **variables)


def test_the_gitlab_job_leaves_what_it_says_and_takes_up_the_history(
    place: Place, gitlab: tuple[type[Gitlab], dict[str, str]]
) -> None:
    handler, variables = gitlab
    artifacts = content(GITLAB)["credly-audit"]["artifacts"]
    violate(place)
    first = audit_in_gitlab(place, variables)
    assert first.returncode == 1, first.stderr
    assert "No artifacts of an earlier audit are available (HTTP 404)." in first.stdout
    assert (place.folder / artifacts["reports"]["junit"]).exists()
    handler.artifacts = zipped(place.folder, artifacts["paths"])

    second = audit_in_gitlab(place, variables)

    assert second.returncode == 1, second.stderr
    assert ", 2 persisting, " in second.stdout
    assert handler.asked[-2:] == [
        ("/api/v4/projects/42/jobs/artifacts/feature%2Fmain/download?job=credly-audit", "MADE-UP-job-token"),
        ("/stored", None),
    ]


def test_the_gitlab_job_keeps_nothing_of_a_project_that_is_not_private(
    place: Place, gitlab: tuple[type[Gitlab], dict[str, str]]
) -> None:
    done = audit_in_gitlab(place, gitlab[1] | {"CI_PROJECT_VISIBILITY": "internal"})

    assert done.returncode == 1
    assert "The project is not private" in done.stderr
    assert place.sandbox.requests == []


def test_a_merge_request_is_told_what_it_changes_without_a_credential(
    place: Place, gitlab: tuple[type[Gitlab], dict[str, str]]
) -> None:
    handler, variables = gitlab
    jobs = content(GITLAB)
    violate(place)
    assert audit_in_gitlab(place, variables).returncode == 1
    handler.artifacts = zipped(place.folder, jobs["credly-audit"]["artifacts"]["paths"])
    shutil.rmtree(place.folder / "reports")
    place.sandbox.requests.clear()
    place.environ.pop("CREDLY_TOKEN_ACME")
    place.secret.unlink()
    config = place.folder / "credly-audit.toml"
    config.write_text(config.read_text().replace("[policy]\n", '[policy]\ndisable = ["PRM001"]\n'))

    script = "\n".join(jobs["credly-audit-merge-request"]["script"])
    done = place.bash(script, **variables)

    assert done.returncode == 0, done.stderr
    assert "This change adds 0 and removes 1 finding." in done.stdout
    assert "removes 1 finding" in (place.folder / "change.md").read_text()
    assert place.sandbox.requests == []

    for said in ({"CI_PROJECT_VISIBILITY": "public"}, {"CI_JOB_TOKEN": "MADE-UP-of-a-tier-that-may-not"}):
        shutil.rmtree(place.folder / "last-audit", ignore_errors=True)
        done = place.bash(script, **variables | said)
        assert done.returncode == 0, done.stderr
        assert "For review: 2 settings can send a secret elsewhere." in done.stdout
        assert "This change" not in done.stdout


def test_a_merge_request_s_job_has_no_secret_and_is_of_the_same_project() -> None:
    jobs = content(GITLAB)
    request = jobs["credly-audit-merge-request"]

    assert "environment" not in request
    assert [rule["if"] for rule in request["rules"]] == ['$CI_PIPELINE_SOURCE == "merge_request_event"']
    assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in jobs["workflow"]["rules"][1]["if"]
    assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in jobs["workflow"]["rules"][0]["if"]
    assert jobs["credly-audit"]["environment"]["name"] == "credly-audit"
    assert "cache" not in GITLAB.read_text().replace("cached", "")


def scripts_of(path: Path) -> list[str]:
    """The shell scripts of a pipeline for Jenkins."""
    text = path.read_text()
    assert all(text.count(one) == text.count(other) for one, other in ("{}", "()", "[]"))
    return re.findall(r"'''(.*?)'''", text, re.DOTALL)


def test_the_jenkins_pipelines_leave_what_they_say(place: Place) -> None:
    violate(place)
    [audit] = scripts_of(JENKINS)
    validate, change = scripts_of(JENKINS_PULL_REQUEST)
    done = place.run("sh", "-xe", "-c", audit)
    assert done.returncode == 1, done.stderr
    [junit] = re.findall(r"junit testResults: '(.*?)'", JENKINS.read_text())
    assert (place.folder / junit).exists()
    last = place.folder / "last-audit"
    last.mkdir()
    shutil.copy(place.folder / "credly-audit.toml", last)
    shutil.move(place.folder / "reports", last)
    place.sandbox.requests.clear()
    place.environ.pop("CREDLY_TOKEN_ACME")
    place.secret.unlink()
    config = place.folder / "credly-audit.toml"
    config.write_text(config.read_text().replace("[policy]\n", '[policy]\ndisable = ["PRM001"]\n'))

    assert "For review: " in place.run("sh", "-xe", "-c", validate).stdout
    done = place.run("sh", "-xe", "-c", change)

    assert done.returncode == 0, done.stderr
    assert "This change adds 0 and removes 1 finding." in done.stdout
    assert (place.folder / "change.md").exists()
    assert place.sandbox.requests == []
    shutil.rmtree(last)
    assert place.run("sh", "-xe", "-c", change).returncode == 0


def test_a_pull_request_in_jenkins_reads_no_credential() -> None:
    code = re.sub(r"(?m)^//.*$", "", JENKINS_PULL_REQUEST.read_text())

    assert "credentials" not in code.lower()
    assert code.count("changeRequest()") == code.count("stage(")
    assert JENKINS.read_text().count("when { not { changeRequest() } }") == 2


def test_the_cron_job_runs_what_its_configuration_says_and_its_reports_leave_the_volume(
    place: Place, receiver: Receiver
) -> None:
    configured, _, job = yaml.safe_load_all(KUBERNETES.read_text())
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    (place.folder / "credly-audit.toml").write_text(configured["data"]["credly-audit.toml"])
    mounts = {"/etc/credly-audit": place.folder, "/data": place.folder / "data"}
    arguments = shlex.join(container["args"])
    for path, folder in mounts.items():
        assert path in {mount["mountPath"] for mount in container["volumeMounts"]}
        arguments = arguments.replace(path, str(folder))

    team = {"AUDIT_TEAM": f"json://{receiver.address}"}
    done = place.run("credly-audit", *shlex.split(arguments), environ=team)

    assert done.returncode == 0, done.stderr
    [(_, _, sent, _)] = receiver.asked
    names = [each["filename"] for each in json.loads(sent)["attachments"]]
    assert {Path(name).suffix for name in names} == {".xlsx", ".html"}
    assert ".html" in reports(place.folder / "data" / "reports")
    assert {json.loads(line)["level"] for line in done.stderr.splitlines()} == {"info"}


def test_the_cron_jobs_container_can_do_next_to_nothing() -> None:
    *_, job = yaml.safe_load_all(KUBERNETES.read_text())
    spec = job["spec"]["jobTemplate"]["spec"]
    pod = spec["template"]["spec"]
    [container] = pod["containers"]

    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert spec["backoffLimit"] == 0
    assert spec["ttlSecondsAfterFinished"] >= 86_400
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
