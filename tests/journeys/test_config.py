"""The configuration as people come to it: a start, every mistake in one pass, a schema, and what holds for whom."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from credly_audit.config.json_schema import schema
from credly_audit.config.settings import Settings
from credly_audit.files.resources import shipped
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import World
from tests.build import ACME, BETA
from tests.journeys.conftest import Command, configure

HARBORVIEW = "8f0786b2-2c89-44ee-873b-e2907df17b9a"


NO_SELECTOR = "names no severity, rule or family, and is not `never`: 'hihg'; did you mean high?"
NO_OVERRIDE = "applies to no organization; select some by `ids`, `tags` or `contact`"
NO_ID = "must be the organization's id, a UUID; Credly shows it under Organization Management > Developers"


def uncommented(text: str) -> str:
    """The file with every key that is commented out written."""
    return re.sub(r"(?m)^# (?=\[{1,2}[a-z.A-Z0-9]+\]{1,2}$|[A-Za-z0-9_]+ = )", "", text)


def test_the_start_passes_its_own_validation_and_runs_against_the_sandbox(
    credly_audit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert credly_audit("config", "init").code == 0
    done = credly_audit("config", "validate")
    assert (done.code, done.out) == (0, "credly-audit.toml is valid: 1 organization.\n")
    missing = credly_audit("config", "validate", "--secrets")
    assert missing.code == 2
    assert "Harborview University: environment variable CREDLY_TOKEN is not set" in missing.err

    world = World.load(shipped("sample_data"))
    with Sandbox(world, now=world.as_of) as sandbox:
        monkeypatch.setenv("CREDLY_API_URL", sandbox.base_url)
        [harborview] = [each for each in world.organizations if each.id == HARBORVIEW]
        monkeypatch.setenv("CREDLY_TOKEN", harborview.auditor.token)
        assert credly_audit("config", "validate", "--secrets").code == 0
        ran = credly_audit("run", "--as-of", "2026-11-23", "--output", "json=report.json")
    assert ran.code == 1, ran.err
    [audited] = json.loads((tmp_path / "report.json").read_text())["organizations"]
    assert audited["status"] == "complete"


def wait_for(port: int, *, free: bool) -> None:
    """Wait until nothing, or something, listens there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as there:
            if (there.connect_ex(("127.0.0.1", port)) != 0) is free:
                return
        time.sleep(0.05)
    raise AssertionError(f"port {port}: still {'taken' if free else 'free'}")


def test_the_sandbox_recipe_works_as_printed_line_by_line(credly_audit: Command, tmp_path: Path) -> None:
    credly_audit("config", "init")
    printed = (tmp_path / "credly-audit.toml").read_text().splitlines()
    serve, *lines = [line.removeprefix("#   ") for line in printed if line.startswith("#   ")]
    [port] = re.findall(r"--port (\d+)", serve)
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    wait_for(int(port), free=True)
    with subprocess.Popen(["bash", "-c", f"exec {serve}"], env=environ, stdout=subprocess.PIPE, text=True) as other:
        try:
            wait_for(int(port), free=False)
            script = "\n".join(f"{line}\necho $? >&3" for line in lines)
            done = subprocess.run(
                ["bash", "-c", f"exec 3>codes\n{script}"], env=environ, capture_output=True, text=True, check=False
            )
        finally:
            other.terminate()
    assert (tmp_path / "codes").read_text().split() == ["0", "0", "1", "0"], done.stderr
    assert done.stdout.startswith("Violations: ")
    assert {path.suffix for path in (tmp_path / "reports").iterdir()} == {".html", ".json", ".snapshot", ".xlsx"}


@pytest.mark.parametrize(
    ("fail_on", "disable"), [("PRM001", "PRM001"), ("PRM001", "PRM"), ("PRM", "PRM"), ("OAU", "OAU001 OAU002 OAU003")]
)
def test_a_gate_on_what_is_disabled_is_a_mistake(
    fail_on: str, disable: str, credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = configure(tmp_path, sandbox)
    policy = f"[policy]\nfail_on = ['high', '{fail_on}']\ndisable = {disable.split()}\n"
    path.write_text(f"{policy}{path.read_text()}")

    for command in (("config", "validate"), ("run", "--no-history")):
        done = credly_audit(*command)
        assert done.code == 2
        assert f"fail_on names {fail_on}" in done.err

    path.write_text(path.read_text().replace(f", '{fail_on}'", ""))
    done = credly_audit("run", "--no-history", "--fail-on", fail_on)
    assert (done.code, done.out) == (2, "")
    assert f"--fail-on {fail_on}: turned off" in done.err


def test_the_start_replaces_no_file_unless_told(credly_audit: Command, tmp_path: Path) -> None:
    (tmp_path / "credly-audit.toml").write_text("# mine\n")

    done = credly_audit("config", "init")

    assert (done.code, (tmp_path / "credly-audit.toml").read_text()) == (2, "# mine\n")
    assert "credly-audit.toml already exists" in done.err
    assert credly_audit("config", "init", "--overwrite").code == 0


def test_what_the_start_has_commented_out_is_right_and_says_the_defaults(credly_audit: Command, tmp_path: Path) -> None:
    credly_audit("config", "init")
    lines = (tmp_path / "credly-audit.toml").read_text().splitlines()
    everything = uncommented("\n".join(lines))
    assert everything.count("\n# ") < len(lines) / 2
    Settings.model_validate(tomllib.loads(everything))

    defaults_alone = uncommented(
        "\n".join(line for line in lines if "an example" not in line and "oauth =" not in line)
    )
    for table in ("api", "policy", "notify"):
        said = tomllib.loads(defaults_alone)[table]
        keys = {key: value for key, value in said.items() if key not in {"purposes", "overrides"}}
        assert Settings.model_validate({table: keys}).model_dump()[table] == Settings().model_dump()[table]
        assert keys


def test_every_mistake_is_told_in_one_pass_with_its_place(credly_audit: Command, tmp_path: Path) -> None:
    (tmp_path / "credly-audit.toml").write_text(
        f"""organizations_file = "organizations.csv"

[api]
worker = 3

[[organizations]]
id = "{ACME}"
token = "env:CREDLY_TOKEN"
line = 7

[policy]
fail_on = "hihg"
waivers_file = "waivers.toml"
register = "register.csv"

[policy.rules.INV001]
max_token = 3

[[policy.overrides]]
disable = ["PRM"]
"""
    )
    (tmp_path / "organizations.csv").write_text("id,token\nacme,env:A\n")
    (tmp_path / "waivers.toml").write_text(f'[[waivers]]\nrule = "PRM999"\norganization = "{ACME}"\nreason = "x"\n')
    (tmp_path / "register.csv").write_text(f"organization_id,token_id,permissions\n{ACME},1,read\n")

    done = credly_audit("config", "validate")

    assert done.code == 2
    assert {line.removeprefix("credly-audit: ") for line in done.err.splitlines()} == {
        "credly-audit.toml:4: api.worker: unknown key; did you mean workers?",
        "credly-audit.toml:9: organizations[1].line: unknown key; did you mean name?",
        f"credly-audit.toml:12: policy.fail_on[1]: {NO_SELECTOR}",
        "credly-audit.toml:17: policy.rules.INV001.max_token: unknown key; did you mean max_tokens?",
        f"credly-audit.toml:19: policy.overrides[1]: {NO_OVERRIDE}",
        f"organizations.csv:2: id: {NO_ID}",
        "waivers.toml:1: waivers[1].approved_by: is missing",
        "waivers.toml:1: waivers[1].approved_on: is missing",
        "waivers.toml:1: waivers[1].expires: is missing",
        "waivers.toml:2: waivers[1].rule: names no rule or family: 'PRM999'; did you mean PRM?",
        "register.csv: row 2: token_id is not a token's id; write its UUID, and never the token's value",
    }


def test_the_schema_is_valid_and_takes_what_the_tool_takes(credly_audit: Command, tmp_path: Path) -> None:
    printed = json.loads(credly_audit("config", "schema").out)
    credly_audit("config", "schema", "-o", "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text()) == printed == schema()

    validator = jsonschema.Draft202012Validator
    validator.check_schema(printed)
    credly_audit("config", "init")
    for text in (
        (shipped("sample_data") / "credly-audit.toml").read_text(),
        uncommented((tmp_path / "credly-audit.toml").read_text()),
    ):
        validator(printed).validate(json.loads(json.dumps(tomllib.loads(text), default=date.isoformat)))


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ({"api": {"worker": 1}}, ["api"]),
        ({"organizations": [{"id": ACME, "token": "MADE-UP-LITERAL"}]}, ["organizations", 0, "token"]),
        ({"organizations": [{"id": ACME, "file": "x"}]}, ["organizations", 0]),
        ({"policy": {"disable": ["PRM999"]}}, ["policy", "disable", 0]),
        ({"policy": {"rules": {"INV001": {"max_tokens": -1}}}}, ["policy", "rules", "INV001", "max_tokens"]),
        ({"policy": {"severity": {"PRM999": "high"}}}, ["policy", "severity"]),
    ],
)
def test_the_schema_marks_the_mistake_where_it_is(said: dict[str, Any], at: list[object]) -> None:
    [mistake] = jsonschema.Draft202012Validator(schema()).iter_errors(said)

    assert list(mistake.absolute_path) == at


def test_every_key_of_the_schema_is_described() -> None:
    tables = {name: each for name, each in schema()["$defs"].items() if each.get("type") == "object"}
    assert len(tables) > 10
    undescribed = [
        f"{name}.{key}"
        for name, table in tables.items()
        for key, said in table.get("properties", {}).items()
        if not said.get("description") and "$ref" not in said
    ]
    assert not undescribed


EXPLAINED = f"""[api]
workers = 3

[[organizations]]
id = "{ACME}"
name = "Acme"
contact = "crm@acme.example"
tags = ["prod"]

[[organizations]]
id = "{BETA}"
tags = ["sandbox"]
token = "exec:vault read -field=MADE-UP secret"

[defaults]
token = "file:/run/{{id}}"

[policy]
disable = ["DOC007"]

[policy.severity]
DOC005 = "info"

[policy.rules.INV001]
max_tokens = 20

[[policy.overrides]]
tags = "sand*"
disable = ["PRM", "DOC007"]
severity = {{ DOC005 = "low" }}

[[policy.overrides]]
ids = ["{BETA}"]
rules = {{ INV001 = {{ max_tokens = 30 }} }}
purposes = []
"""


def test_what_holds_for_an_organization_is_told_with_where_it_comes_from(
    credly_audit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credly-audit.toml").write_text(EXPLAINED)
    monkeypatch.setenv("CREDLY_API_URL", "https://credly.example/v1")

    def told(organization: str) -> dict[str, tuple[object, str, int | None]]:
        done = credly_audit("config", "explain", "--organization", organization, "--format", "json")
        assert done.code == 0, done.err
        settings = json.loads(done.out)["settings"]
        return {each["key"]: (each["value"], each["origin"], each["line"]) for each in settings}

    beta = told(BETA.upper())
    assert beta["organization.token"] == ("exec:vault …", "[[organizations]]", 13)
    assert beta["api.workers"] == (3, "[api]", 2)
    assert beta["api.timeout"] == (30.0, "default", None)
    assert beta["api.base_url"] == ("https://credly.example/v1", "CREDLY_API_URL in the environment", None)
    assert beta["DOC007.enabled"] == (False, "[policy]", 19)
    assert beta["PRM001.enabled"] == (False, "[[policy.overrides]] 1", 29)
    assert beta["DOC005.severity"] == ("low", "[[policy.overrides]] 1", 30)
    assert beta["INV001.max_tokens"] == (30, "[[policy.overrides]] 2", 34)
    assert beta["policy.purposes"] == ([], "[[policy.overrides]] 2", 35)
    acme = told(ACME)
    assert acme["organization.token"] == (f"file:/run/{ACME}", "[defaults]", 16)
    assert acme["PRM001.enabled"] == (True, "default", None)
    assert acme["DOC005.severity"] == ("info", "[policy]", 22)
    assert acme["INV001.max_tokens"] == (20, "[policy]", 25)
    assert set(acme) - {"organization.name", "organization.contact"} == set(beta)

    changed = credly_audit("config", "explain", "--organization", ACME, "--changed").out
    assert "INV001.max_tokens     20  ([policy], line 25)" in changed
    assert "(default)" not in changed
    assert "did you mean" in credly_audit("config", "explain", "--organization", BETA[:-1] + "0").err


NO_TOKEN = "must be a token's id (a UUID) or its fingerprint (16 hex digits), never a token's value"


def told(err: str) -> list[str]:
    return [line.removeprefix("credly-audit: decisions/waivers.toml:") for line in err.splitlines()]


def test_what_the_policy_has_against_a_decision_is_told_where_the_decision_stands(
    credly_audit: Command, tmp_path: Path
) -> None:
    waiver = f"""[[waivers]]
rule = "PRM001"
organization = "{ACME}"
reason = "Known"
approved_on = 2026-11-01
approved_by = "ciso@acme.example"
expires = 2026-12-31
"""
    (tmp_path / "credly-audit.toml").write_text(
        f"""[policy]
waivers_file = "decisions/waivers.toml"
approvers = ["CISO@acme.example"]
max_waiver_days = 60

{waiver}
[[organizations]]
id = "{ACME}"
token = "env:CREDLY_TOKEN"
"""
    )
    path = tmp_path / "decisions" / "waivers.toml"
    path.parent.mkdir()
    path.write_text(
        "\n".join(
            [
                waiver,
                waiver.replace("PRM001", "PRM002").replace("ciso@", "me@"),
                waiver.replace("PRM001", "PRM003").replace("2026-12-31", "2027-01-01"),
                waiver.replace("PRM001", "PRM004").replace("2026-12-31", "2026-10-31"),
                waiver.replace("PRM001", "PRM005").replace('reason = "Known"', 'reason = " "\ntoken = "MADE-UP-VALUE"'),
            ]
        )
    )

    done = credly_audit("config", "validate")

    assert done.code == 2
    assert told(done.err) == [
        "25: waivers[4]: expires on 2026-10-31, before it was approved on 2026-11-01",
        f"37: waivers[5].token: {NO_TOKEN}",
        "36: waivers[5].reason: is empty; say something in words",
    ]
    path.write_text("\n".join(path.read_text().split("\n\n")[:3]))
    assert told(credly_audit("config", "validate").err) == [
        "1: waivers[1]: the same id as credly-audit.toml:6; change that decision, or give this one another id",
        "8: waivers[2].approved_by: me@acme.example is not one of [policy] approvers: CISO@acme.example",
        "15: waivers[3].expires: 61 days after it was approved; [policy] max_waiver_days allows 60",
    ]
    path.write_text("")
    assert credly_audit("config", "validate").out == "credly-audit.toml is valid: 1 organization, 1 waiver.\n"


CAN_SEND = f"""
[api]
base_url = "https://api.example/v1"
proxy = "http://user:MADE-UP-password@proxy.example:3128"
ca_bundle = "company-ca.pem"
oauth_token_url = "https://api.example/oauth/token"

[history]
name = "production"
url = "env:DATABASE"

[defaults]
token = "exec:vault read MADE-UP-path"

[notify]
urls = [
  "env:TEAM",
  "exec:./address of the team",
]

[[organizations]]
id = "{ACME}"
oauth = {{ client_id = "env:ID", client_secret = "exec:vault secret" }}

[[organizations]]
id = "{BETA}"
token = "file:secrets/beta"
store = "file:secrets/beta"
read_back = "exec:cat secrets/beta"

[[organizations]]
id = "{HARBORVIEW}"
token = "env:HARBORVIEW"
store = "exec:put"
read_back = "none"

[[consumers]]
name = "CRM"
organizations = ["{BETA}"]
deploy = "exec:deploy crm"
verify = "exec:verify crm"
"""

LISTED = {
    "api.base_url": "https://api.example/v1",
    "api.proxy": "http://…@proxy.example:3128",
    "api.ca_bundle": "company-ca.pem",
    "api.oauth_token_url": "https://api.example/oauth/token",
    "history.url": "env:DATABASE",
    "defaults.token": "exec:vault",
    "notify.urls[2]": "exec:./address",
    "organizations[1].oauth.client_secret": "exec:vault",
    "organizations[2].store": "file:secrets/beta",
    "organizations[2].read_back": "exec:cat",
    "organizations[3].store": "exec:put",
    "consumers[1].deploy": "exec:deploy",
    "consumers[1].verify": "exec:verify",
}


def test_strict_lists_with_its_line_every_setting_that_can_send_a_secret_elsewhere(
    credly_audit: Command, tmp_path: Path
) -> None:
    (tmp_path / "credly-audit.toml").write_text(CAN_SEND)

    done = credly_audit("config", "validate", "--strict")

    assert done.code == 0, done.err
    *listed, how_many, valid = done.out.splitlines()
    shown = [re.fullmatch(r"credly-audit\.toml:(\d+): (\S+) = (.*?): (.+)", line) for line in listed]
    assert {each[2]: each[3] for each in shown if each} == LISTED
    lines = CAN_SEND.splitlines()
    for each in shown:
        assert each is not None
        key, value = each[2].rpartition(".")[2].partition("[")[0], each[3].partition("…")[0]
        assert value.split(" ")[0] in lines[int(each[1]) - 1]
        assert key in lines[int(each[1]) - 1] or key == "urls"
    assert how_many == f"For review: {len(LISTED)} settings can send a secret elsewhere."
    assert valid.startswith("credly-audit.toml is valid: ")
    assert "MADE-UP" not in done.out


def test_strict_lists_programs_of_the_organizations_file_and_what_the_environment_overrides(
    credly_audit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credly-audit.toml").write_text('organizations_file = "organizations.csv"\n')
    (tmp_path / "organizations.csv").write_text(f"id,token\n{ACME},env:ACME\n{BETA},exec:vault read beta\n")
    monkeypatch.setenv("CREDLY_API_URL", "https://other.example/v1")

    done = credly_audit("config", "validate", "--strict")

    first, second, *_ = done.out.splitlines()
    assert first.startswith("organizations.csv:3: token = exec:vault: ")
    assert second == "environment: CREDLY_API_URL = https://other.example/v1: receives every credential"


def test_strict_says_where_there_is_nothing_to_review_and_lists_nothing_of_a_file_with_mistakes(
    credly_audit: Command, tmp_path: Path
) -> None:
    (tmp_path / "credly-audit.toml").write_text(f'[[organizations]]\nid = "{ACME}"\ntoken = "env:ACME"\n')
    assert "no setting can send a secret elsewhere" in credly_audit("config", "validate", "--strict").out

    (tmp_path / "credly-audit.toml").write_text("[api]\nworkers = 0\n")
    done = credly_audit("config", "validate", "--strict")
    assert (done.code, done.out) == (2, "")


ALONE = """
import sys
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto")
PROGRAMS = ("subprocess.Popen", "os.exec", "os.system", "os.posix_spawn", "os.fork")
def watch(event, arguments):
    if event in NETWORK + PROGRAMS or (event == "open" and str(arguments[0]).endswith("secrets/beta")):
        print("ASKED", event, arguments, file=sys.stderr)
sys.addaudithook(watch)
from credly_audit.cli.main import outcome
sys.exit(outcome(sys.argv[1:]))
"""
"""The command, telling of each connection, program and secret file that it opens."""


@pytest.mark.parametrize("words", [("config", "validate", "--strict"), ("waivers", "check")])
def test_it_needs_no_secret_and_no_network(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "credly-audit.toml").write_text(
        CAN_SEND.replace('ca_bundle = "company-ca.pem"\n', "")
        + '[privacy]\nfingerprint_key = "keyring:credly/key"\n[policy]\nwaivers_file = "waivers.toml"\n'
    )
    (tmp_path / "waivers.toml").write_text("")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "beta").write_text("MADE-UP-value")
    environ = {"PATH": "/nowhere", "HOME": str(tmp_path / "home")}

    done = subprocess.run(
        [sys.executable, "-c", ALONE, *words], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "ASKED" not in done.stderr
    assert not (tmp_path / "home").exists()
