"""A script that plays a runner of GitHub Actions: jobs of workflows, steps of composite actions, files for outputs.

`run:` steps are run by bash as GitHub runs them, this repository's action is run from action.yml, and GitHub's own
actions are stood in for by what they do to files. An expression of which anything is unknown fails the test.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests import needs
from tests.examples.conftest import ROOT, Place

ACTION = ROOT / "action.yml"
OURS = "your-organization/credly-audit@"
GH = Path(__file__).with_name("gh.py")

Context = Mapping[str, Any]


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def evaluate(expression: str, context: Context) -> Any:
    """An expression of a workflow: names, comparisons, `&&`, `||`, `!`, `always()`."""

    def value_of(name: str) -> Any:
        found: Any = context
        for part in name.split("."):
            found = found[part]
        return found

    python = re.sub(r"(?<![\w'.-])([a-z_]\w*(?:\.[\w-]+)+)", r"value_of('\1')", expression)
    python = re.sub(r"!(?!=)", " not ", python.replace("&&", " and ").replace("||", " or "))
    return eval(python, {"__builtins__": {}}, {"value_of": value_of, "always": lambda: True})  # noqa: S307 - our files


def fill(text: Any, context: Context) -> str:
    """A value of a workflow as an action or a program gets it."""

    def shown(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: shown(evaluate(found[1], context)), shown(text))


def outputs_of(path: Path) -> dict[str, str]:
    """What a step wrote to GITHUB_OUTPUT, by its one-line form; each name once."""
    lines = path.read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert len(found) == len(lines), lines
    return found


@dataclass
class Done:
    """What a job left."""

    code: int = 0
    log: str = ""
    summary: str = ""
    steps: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    uploaded: dict[str, Path] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)


@dataclass
class Runner:
    """A machine that plays one job after the other; `store` holds the artifacts of runs by their number."""

    place: Place
    event: str = "schedule"
    github: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    checkouts: dict[str, Path] = field(default_factory=dict)
    store: dict[int, dict[str, Path]] = field(default_factory=dict)
    jobs: int = 0

    @property
    def state(self) -> Path:
        return self.place.folder / "github.json"

    def begin(self) -> tuple[Path, Path]:
        """A workspace and a folder for temporary files, both of this job alone; the action is installed there."""
        self.jobs += 1
        folder = self.place.folder / f"job-{self.jobs}"
        (folder / "work").mkdir(parents=True)
        programs = folder / "temp" / "credly-audit" / "bin"
        programs.mkdir(parents=True)
        for name in ("credly-audit", "python"):
            (programs / name).symlink_to(Path(sys.executable).parent / name)
        (folder / "bin").mkdir()
        (folder / "bin" / "gh").write_text(f'#!/bin/sh\nexec {sys.executable} {GH} "$@"\n')
        (folder / "bin" / "gh").chmod(0o755)
        return folder / "work", folder / "temp"

    def context(self, temp: Path, **more: Any) -> dict[str, Any]:
        github = {
            "event_name": self.event,
            "repository": "acme/audit",
            "ref_name": "main",
            "token": "MADE-UP-token-of-the-job",
            "event": {},
        }
        return {"github": github | self.github, "secrets": self.secrets, "runner": {"temp": str(temp)}, **more}

    def play(self, workflow: Path, job: str, **needed: Any) -> Done:
        """Run a job as far as its steps' conditions let it; one whose own condition does not hold is not begun."""
        said = content(workflow)["jobs"][job]
        work, temp = self.begin()
        done = Done()
        steps: dict[str, Any] = {
            step["id"]: {"outputs": dict.fromkeys(self._promised(step), "")} for step in said["steps"] if "id" in step
        }
        context = self.context(temp, steps=steps, needs=needed)
        if "if" in said and not evaluate(_bare(said["if"]), context):
            return done
        for step in said["steps"]:
            condition = _bare(step.get("if", "true == true").replace("true == true", "1 == 1"))
            if (done.code and "always()" not in condition) or not evaluate(condition, context):
                continue
            done.ran.append(step["name"])
            code, outputs = self._step(step, context, work, temp, done)
            done.code = done.code or code
            if "id" in step:
                steps[step["id"]]["outputs"] |= outputs
        done.steps = steps
        done.outputs = {name: fill(text, context) for name, text in said.get("outputs", {}).items()}
        return done

    def act(self, place: Path | None = None, temp: Path | None = None, **inputs: str) -> Done:
        """One step that uses the action, in a job of its own unless the folders of another are given."""
        work, own = (place, temp) if place and temp else self.begin()
        done = Done()
        step = {"uses": OURS, "with": {name.replace("_", "-"): value for name, value in inputs.items()}}
        done.code, done.outputs = self._action(step, self.context(own), work, own, done)
        return done

    def _promised(self, step: dict[str, Any]) -> set[str]:
        """The outputs that a step can have: the action's, or those that its script writes."""
        if "uses" in step:
            return set(content(ACTION)["outputs"])
        return set(re.findall(r'echo "([\w-]+)=', step["run"]))

    def _step(
        self, step: dict[str, Any], context: Context, work: Path, temp: Path, done: Done
    ) -> tuple[int, dict[str, str]]:
        if "run" in step:
            environ = {name: fill(text, context) for name, text in step.get("env", {}).items()}
            return self._bash(step["run"], environ, work, temp, done, "-e")
        if step["uses"].startswith(OURS):
            return self._action(step, context, work, temp, done)
        name = step["uses"].partition("@")[0]
        own = {key: fill(text, context) for key, text in step.get("with", {}).items()}
        doers: dict[str, Callable[[dict[str, str], Path, Done], None]] = {
            "actions/checkout": self._check_out,
            "actions/upload-artifact": _upload,
            "actions/download-artifact": self._download,
            "github/codeql-action/upload-sarif": _read_sarif,
        }
        doers[name](own, work, done)
        return 0, {}

    def _action(
        self, step: dict[str, Any], context: Context, work: Path, temp: Path, done: Done
    ) -> tuple[int, dict[str, str]]:
        """Our action, with the inputs of a step; nothing is installed, since `begin` has done that."""
        action = content(ACTION)
        given = {name: fill(text, context) for name, text in step.get("with", {}).items()}
        assert set(given) <= set(action["inputs"]), given
        inputs = {name: fill(said["default"], context) for name, said in action["inputs"].items()} | given
        [audit] = [each for each in action["runs"]["steps"] if each.get("id") == "audit"]
        environ = {name: fill(text, {"inputs": inputs}) for name, text in audit["env"].items()}
        environ |= {name: fill(text, context) for name, text in step.get("env", {}).items()}
        return self._bash(audit["run"], environ, work, temp, done, "--noprofile", "--norc", "-eo", "pipefail")

    def _bash(
        self, script: str, environ: dict[str, str], work: Path, temp: Path, done: Done, *options: str
    ) -> tuple[int, dict[str, str]]:
        """A script with the files that a runner gives each step."""
        assert "${{" not in script
        number = len(list(temp.iterdir()))
        files = {name: temp / f"{name}-{number}" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        (temp / "script.sh").write_text(script)
        base = {
            "PATH": f"{work.parent / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(temp),
            "CREDLY_API_URL": self.place.sandbox.base_url,
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "acme/audit",
            "GITHUB_WORKSPACE": str(work),
            "RUNNER_TEMP": str(temp),
            "GH_STATE": str(self.state),
        }
        ended = subprocess.run(
            [needs.program("bash"), *options, temp / "script.sh"],
            cwd=work,
            env=base | environ | {name: str(file) for name, file in files.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        done.log += ended.stdout
        done.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        return ended.returncode, outputs_of(files["GITHUB_OUTPUT"])

    def _check_out(self, own: dict[str, str], work: Path, _: Done) -> None:
        assert own["persist-credentials"] == "false"
        shutil.copytree(self.checkouts[own.get("ref", "")], work / own.get("path", "."), dirs_exist_ok=True)

    def _download(self, own: dict[str, str], _: Path, __: Done) -> None:
        assert own["github-token"]
        shutil.copytree(self.store[int(own["run-id"])][own["name"]], own["path"], dirs_exist_ok=True)


def _read_sarif(own: dict[str, str], work: Path, _: Done) -> None:
    json.loads((work / own["sarif_file"]).read_text())


def _bare(condition: str) -> str:
    return condition.removeprefix("${{").removesuffix("}}").strip()


def _upload(own: dict[str, str], work: Path, done: Done) -> None:
    """Keep what a path or a pattern names, without its folders."""
    found = sorted(Path("/").glob(str(work / own["path"]).lstrip("/")))
    kept = work.parent / "artifacts" / own["name"]
    kept.mkdir(parents=True)
    for path in found:
        if path.is_dir():
            shutil.copytree(path, kept, dirs_exist_ok=True)
        else:
            shutil.copy(path, kept)
    if found:
        done.uploaded[own["name"]] = kept
