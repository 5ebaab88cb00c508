"""A stand-in for `gh api`, as far as the examples use it: the repository is a JSON file, `--jq` is the real jq.

The token decides nothing here; that there is one is checked, as GitHub would.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    words = sys.argv[1:]
    assert words.pop(0) == "api"
    assert os.environ["GH_TOKEN"]
    options: dict[str, str] = {"--method": "GET"}
    fields: dict[str, str] = {}
    path = ""
    while words:
        word = words.pop(0)
        if word == "-f":
            name, _, value = words.pop(0).partition("=")
            fields[name] = value
        elif word in {"--method", "--jq"}:
            options[word] = words.pop(0)
        elif not word.startswith("--"):
            path = word
    file = Path(os.environ["GH_STATE"])
    state = json.loads(file.read_text())
    found = answer(state, options["--method"], path, fields)
    file.write_text(json.dumps(state))
    if "--jq" in options:
        done = subprocess.run(["jq", "-r", options["--jq"]], input=json.dumps(found), text=True, check=True, stdout=-1)
        sys.stdout.write(done.stdout)


def answer(state: dict[str, Any], method: str, path: str, fields: dict[str, str]) -> Any:
    """What GitHub would answer; 404 is an assertion."""
    here = path.removeprefix("repos/acme/audit").split("/")[1:]
    match method, here:
        case "GET", []:
            return {"private": state["private"]}
        case "GET", ["actions", "workflows", "credly-audit.yml", "runs"]:
            of_branch = [run for run in state["runs"] if run["head_branch"] == fields["branch"]]
            return {"workflow_runs": [run for run in of_branch if run["status"] == fields["status"]]}
        case "GET", ["actions", "runs", number, "artifacts"]:
            artifacts = next(run["artifacts"] for run in state["runs"] if run["id"] == int(number))
            return {"artifacts": [each for each in artifacts if each["name"] == fields["name"]]}
        case "GET", ["issues", "7", "comments"]:
            return state["comments"]
        case "POST", ["issues", "7", "comments"]:
            user = {"login": "github-actions[bot]"}
            state["comments"].append({"id": 100 + len(state["comments"]), "user": user, "body": fields["body"]})
            return {}
        case "PATCH", ["issues", "comments", number]:
            [comment] = [each for each in state["comments"] if each["id"] == int(number)]
            comment["body"] = fields["body"]
            return {}
    raise AssertionError((method, path))


if __name__ == "__main__":
    main()
