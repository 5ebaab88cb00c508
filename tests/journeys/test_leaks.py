"""A value that the same run lists reaches no report, wherever else it was: at Credly, in the register, in decisions."""

import csv
import json
import zipfile
from pathlib import Path

import openpyxl
import pytest

from credly_audit.config.formats import formats
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import OAuthApplication, SandboxOrganization, World, made_up_organization
from credly_audit.secrets.redaction import REDACTED
from credly_audit.snapshot import Snapshot
from tests.build import AS_OF
from tests.journeys.conftest import Command, Outcome, configure
from tests.journeys.test_secrets_stay import everything, searched, unpacked

WORDS = "MADE-UP-value-of-plain-words"
"""A value that has not the shape of one, so that it is known only once it was listed."""

REGISTER = ("organization_id", "token_id", "owner", "purpose", "permissions", "token", "note")


@pytest.fixture
def acme() -> SandboxOrganization:
    acme = made_up_organization("Acme", now=AS_OF, tokens=5, name="Acme")
    acme.tokens[1].token = WORDS
    return acme


def asked(*more: object, command: str = "run") -> list[object]:
    to_files = [name for name in formats() if name != "github"]
    outputs = [option for name in to_files for option in ("--format", name)]
    return [
        command,
        "--as-of",
        "2026-11-23",
        "--manifest",
        "--verbose",
        "--output",
        "github=github.txt",
        *outputs,
        *more,
    ]


def values(organization: SandboxOrganization) -> set[str]:
    return {token.token for token in organization.tokens if token.token}


def places(folder: Path, *said: Outcome) -> dict[str, bytes]:
    """Everything that commands left, unpacked: a workbook and a snapshot are compressed."""
    found = everything(folder / "reports", folder / "state") | {"github": (folder / "github.txt").read_bytes()}
    for path in (folder / "reports").iterdir():
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as archive:
                found |= {f"{path}/{name}": archive.read(name) for name in archive.namelist()}
        elif path.suffix == ".snapshot":
            shown = folder / "shown" / path.stem
            shown.mkdir(parents=True)
            unpacked(path, shown)
            found |= everything(shown)
    assert len(found) > len(formats()) + 10
    for number, each in enumerate(said):
        found |= {f"standard output {number}": each.out.encode(), f"standard error {number}": each.err.encode()}
    return found


def document(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "register.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, REGISTER)
        writer.writeheader()
        writer.writerows(rows)


def entry(organization: SandboxOrganization, number: int, **said: str) -> dict[str, str]:
    token = organization.tokens[number]
    usual = {"owner": "crm-team@acme.example", "purpose": "Badge display", "permissions": "read"}
    return {"organization_id": organization.id, "token_id": token.id} | usual | said


def test_a_value_in_any_field_of_credlys_answer_is_redacted(
    credly_audit: Command, acme: SandboxOrganization, tmp_path: Path
) -> None:
    one, two, three, four, five = (token.token or "" for token in acme.tokens)
    acme.tokens[0].description = f"replaces {two[:12]}\u200b{two[12:]}"
    acme.tokens[1].raw = {"owner_id": three}
    acme.tokens[2].raw = {"owner": {"type": four, "id": acme.id, "name": f"Acme {two}"}}
    acme.tokens[3].raw = {"id": five, "created_at": one}
    acme.tokens[4].description = f"backup\n{one[:9]}\n{one[9:]}"
    acme.oauth_applications.append(OAuthApplication(7, f"App {two}", "MADE-UP-uid", "MADE-UP-x", f"with {four}--"))
    with Sandbox(World([acme]), now=AS_OF) as sandbox:
        path = configure(tmp_path, sandbox, [acme], extra="include_oauth_applications = true\n")
        path.write_text(path.read_text().replace('name = "Acme"\n', ""))
        done = credly_audit(*asked())

    assert done.code in {1, 3}, done.err
    assert searched(values(acme), places(tmp_path, done)) == []
    [snapshot] = (tmp_path / "reports").glob("*.snapshot")
    tokens = Snapshot.read(snapshot).tokens
    assert list(tokens["secrets_in_description"]) == [1, 0, 0, 0, 1]
    assert tokens["token_id"].is_unique


def test_a_value_known_after_the_listing_is_redacted_and_reported_with_file_and_row(
    credly_audit: Command, acme: SandboxOrganization, tmp_path: Path
) -> None:
    acme.oauth_applications.append(OAuthApplication(7, "App", "MADE-UP-uid", "MADE-UP-x", "Display"))
    document(
        tmp_path,
        [
            entry(acme, 0, permissions="read+write", token=acme.tokens[0].token or ""),
            entry(acme, 1, purpose=f"Display, {WORDS}", token=WORDS),
            entry(acme, 2, owner=WORDS, note=f"was {WORDS[:10]}\n{WORDS[10:]}"),
        ],
    )
    with Sandbox(World([acme]), now=AS_OF) as sandbox:
        path = configure(tmp_path, sandbox, [acme])
        path.write_text(
            path.read_text().replace('name = "Acme"', f'name = "Acme {WORDS}"\ncontact = "{WORDS}"\ntags = ["{WORDS}"]')
            + f'[report]\ntitle = "Tokens {WORDS}"\nguidance = "guidance.md"\n'
            + f'[policy]\nregister = "register.csv"\napprovers = ["{WORDS}"]\n'
            + f'[[policy.purposes]]\npattern = "Badge|{WORDS}"\nallow = ["read"]\n'
            + f'[[waivers]]\nid = "{WORDS}"\nrule = "INV"\norganization = "{acme.id}"\nreason = "Known: {WORDS}"\n'
            + f'approved_by = "{WORDS}"\napproved_on = 2026-11-01\nexpires = 2026-12-31\n'
            + f'[[plans]]\nrule = "EXP"\norganization = "{acme.id}"\nreason = "{WORDS}"\nowner = "{WORDS}"\n'
            + "approved_on = 2026-11-01\nuntil = 2026-12-31\n"
        )
        (tmp_path / "guidance.md").write_text(f"Ask before you use `{WORDS}`.\n")
        clean = credly_audit("collect", "-o", "it.snapshot")
        done = credly_audit(*asked("--split-by", "contact"))
        again = credly_audit(*asked("it.snapshot", "--no-history", command="check"))

    assert (clean.code, done.code, again.code) == (0, done.code, done.code), done.err
    assert searched(values(acme), places(tmp_path, clean, done, again)) == []
    report = json.loads((tmp_path / "reports" / "credly-audit-2026-11-23.json").read_text())
    assert report["tokens"][2]["register"]["owner"] == REDACTED
    found = [sentence.partition(f": it is {REDACTED}")[0] for sentence in report["limitations"]]
    lines = path.read_text().splitlines()
    line = {each: lines.index(each) + 1 for each in ("[[organizations]]", "[[waivers]]", "[[plans]]")}
    holds, shaped = "holds a token's value", "what is, or looks like, a token's value"
    assert sorted(found) == sorted([
        f"register.csv: rows 2, 3: token holds {shaped}",
        f"register.csv: row 3: purpose holds {shaped}",
        f"register.csv: row 4: owner holds {shaped}",
        f"register.csv: row 4: note holds {shaped}",
        *(f"credly-audit.toml:{line['[[organizations]]']}: {key} {holds}" for key in ("name", "contact", "tags")),
        f"credly-audit.toml: [report] title {holds}",
        f"guidance.md: it {holds}",
        *(f"credly-audit.toml: [policy] {key} {holds}" for key in ("approvers", "purposes")),
        *(f"credly-audit.toml:{line['[[waivers]]']}: {key} {holds}" for key in ("id", "reason", "approved_by")),
        *(f"credly-audit.toml:{line['[[plans]]']}: {key} {holds}" for key in ("reason", "owner")),
    ])  # fmt: skip
    assert all(sentence in done.err and sentence in again.err for sentence in found)


def test_what_a_part_of_a_snapshot_leaves_out_is_redacted_too(
    credly_audit: Command, acme: SandboxOrganization, tmp_path: Path
) -> None:
    beta = made_up_organization("Beta", now=AS_OF, tokens=2, name="Beta")
    beta.tokens[1].description = None
    with Sandbox(World([acme, beta]), now=AS_OF) as sandbox:
        path = configure(tmp_path, sandbox, [acme, beta])
        credly_audit("collect", "-o", "it.snapshot", "--quiet")
    path.write_text(
        path.read_text()
        + f'[[plans]]\nrule = "DOC"\norganization = "{beta.id}"\nreason = "{WORDS}"\nowner = "x"\n'
        + "approved_on = 2026-11-01\nuntil = 2026-11-02\n"
    )

    part = credly_audit("check", "it.snapshot", "--organization", beta.id, "--output", "json=it.json", "--no-history")
    decisions = credly_audit("waivers", "check", "it.snapshot", "--as-of", "2026-11-23")

    assert WORDS not in part.out + part.err + (tmp_path / "it.json").read_text()
    assert WORDS not in decisions.out + decisions.err
    assert "reason holds a token's value" in decisions.err
    assert decisions.code == 1


def test_collectors_that_did_not_know_each_others_values_are_checked_with_all_of_them(
    credly_audit: Command, acme: SandboxOrganization, tmp_path: Path
) -> None:
    beta = made_up_organization("Beta", now=AS_OF, tokens=2, name="Beta")
    beta.tokens[1].description = f"Made from {WORDS}"
    with Sandbox(World([acme, beta]), now=AS_OF) as sandbox:
        configure(tmp_path, sandbox, [acme, beta])
        for each in (acme, beta):
            credly_audit("collect", "-o", f"{each.name}.snapshot", "--quiet", "--organization", each.id)
    assert WORDS in Snapshot.read(tmp_path / "Beta.snapshot").tokens["description"].to_csv()

    credly_audit("check", "Acme.snapshot", "Beta.snapshot", "--output", "json=it.json", "--no-history")

    report = json.loads((tmp_path / "it.json").read_text())
    assert WORDS not in json.dumps(report)
    assert [each["rule_id"] for each in report["findings"] if each["severity"] == "critical"] == ["DOC006"]


@pytest.mark.parametrize("key", ["MADE-UP-key-of-fingerprints", None])
def test_check_knows_the_values_of_a_snapshot_by_its_lengths(
    credly_audit: Command, acme: SandboxOrganization, tmp_path: Path, key: str | None
) -> None:
    with Sandbox(World([acme]), now=AS_OF) as sandbox:
        path = configure(tmp_path, sandbox, [acme])
        if key:
            (tmp_path / "key").write_text(key)
            (tmp_path / "key").chmod(0o600)
            path.write_text(path.read_text() + '[privacy]\nfingerprint_key = "file:key"\n')
        credly_audit("collect", "-o", "it.snapshot", "--quiet")
    document(tmp_path, [entry(acme, 1, owner=WORDS)])
    path.write_text(path.read_text() + '[policy]\nregister = "register.csv"\n')

    done = credly_audit("check", "it.snapshot", "--output", "json=it.json", "--no-history")

    assert WORDS not in done.out + done.err + (tmp_path / "it.json").read_text()
    assert "register.csv: row 2: owner holds" in done.err


def test_without_the_key_of_a_snapshot_check_says_that_it_knows_values_by_shape_only(
    credly_audit: Command, acme: SandboxOrganization, tmp_path: Path
) -> None:
    with Sandbox(World([acme]), now=AS_OF) as sandbox:
        path = configure(tmp_path, sandbox, [acme])
        (tmp_path / "key").write_text("MADE-UP-key-of-fingerprints")
        path.write_text(path.read_text() + '[privacy]\nfingerprint_key = "file:key"\n')
        credly_audit("collect", "-o", "it.snapshot", "--quiet")
    (tmp_path / "key").unlink()

    done = credly_audit("check", "it.snapshot", "--output", "json=it.json", "--no-history")

    assert done.code == 0
    assert "searched only by the shape of values" in done.err


@pytest.mark.parametrize("broken", ["", "\u200b"])
def test_before_collection_what_looks_like_a_value_is_refused_with_its_place(
    credly_audit: Command, acme: SandboxOrganization, tmp_path: Path, broken: str
) -> None:
    value = acme.tokens[0].token or ""
    value = value[:20] + broken + value[20:]
    document(tmp_path, [entry(acme, 0, owner=value), entry(acme, 1, purpose=f"x {value}", token=value)])
    with Sandbox(World([acme]), now=AS_OF) as sandbox:
        path = configure(tmp_path, sandbox, [acme])
        path.write_text(path.read_text() + '[policy]\nregister = "register.csv"\nwaivers_file = "waivers.toml"\n')
        (tmp_path / "waivers.toml").write_text(
            f'[[waivers]]\nrule = "INV"\norganization = "{acme.id}"\nreason = "{value}"\n'
            f'approved_by = "a"\napproved_on = 2026-11-01\nexpires = 2026-12-31\n'
            f'[[plans]]\nrule = "EXP"\norganization = "{acme.id}"\nreason = "r"\nowner = "{value}"\n'
            "approved_on = 2026-11-01\nuntil = 2026-12-31\n"
        )
        done = [credly_audit(*command) for command in (["run"], ["config", "validate"])]
        (tmp_path / "waivers.toml").write_text("")
        done += [credly_audit(*command) for command in (["run"], ["config", "validate"])]
        requests = sandbox.counts["list"]

    assert [each.code for each in done] == [2, 2, 2, 2]
    assert requests == 0
    assert all(acme.tokens[0].token not in each.err and value not in each.err for each in done)
    for each in done[:2]:
        assert "waivers.toml:4: waivers[1].reason: holds what looks like a token's value" in each.err
        assert "waivers.toml:12: plans[1].owner: holds what looks like a token's value" in each.err
    for each in done[1:]:
        assert "register.csv: row 2: owner holds what looks like a token's value" in each.err
        assert "register.csv: row 3: purpose holds what looks like a token's value" in each.err


def test_a_workbook_that_holds_a_value_is_not_copied_into_the_manifest(
    credly_audit: Command, acme: SandboxOrganization, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(REGISTER)
    sheet.append([entry(acme, 0, token=WORDS).get(name) for name in REGISTER])
    book.save(tmp_path / "register.xlsx")
    with Sandbox(World([acme]), now=AS_OF) as sandbox:
        path = configure(tmp_path, sandbox, [acme])
        path.write_text(path.read_text() + '[policy]\nregister = "register.xlsx"\n')
        credly_audit("run", "--as-of", "2026-11-23", "--manifest", "--format", "json")

    [manifest] = (tmp_path / "reports").glob("*.manifest.json")
    [configuration, register] = json.loads(manifest.read_text())["policy"]
    assert ("redactions" in configuration, configuration["content"]) == (False, path.read_text())
    assert (register["redactions"], register["content"]) == (1, "")
    assert credly_audit("verify", manifest).code == 0
    manifest.write_text(manifest.read_text().replace('"content": ""', '"content": "cGxhbnRlZA=="'))
    assert credly_audit("verify", manifest).code == 1
