"""The register: what it may look like, what is said of a bad row, and what it changes in an audit."""

import io
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.policy.register_file import Register
from credly_audit.renderers.base import renderer
from tests.build import ACME, AS_OF, BETA, audited, organization, register, snapshot, token

FULL = {"write_enabled": True, "delete_enabled": True}
ENTRY = {
    "organization_id": ACME,
    "token_id": token(1)["token_id"],
    "owner": "ada@acme.example",
    "purpose": "CRM sync",
    "permissions": "read+write+delete",
    "review_by": "2027-03-31",
}


def rules_of(audit: Any) -> list[str]:
    return [row["rule_id"] for row in audit.findings.records()]


def written(folder: Path, text: str) -> Path:
    path = folder / "register.csv"
    path.write_text(text)
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        Register.read(path)
    return [line.removeprefix(f"{path}: ") for line in raised.value.mistakes]


def test_a_documented_token_is_approved_and_its_findings_are_its_owners() -> None:
    audit = audited(snapshot([token(1, **FULL, description="test")]), register=register([ENTRY]))

    assert [(row["rule_id"], row["owner"]) for row in audit.findings.records()] == [("DOC002", "ada@acme.example")]


def test_without_a_register_nothing_is_said_of_one() -> None:
    assert rules_of(audited(snapshot([token(1)]))) == []


def test_a_token_that_the_register_lacks_is_told_and_its_findings_go_to_the_contact() -> None:
    audit = audited(snapshot([token(1), token(2)]), register=register([ENTRY]))

    [finding] = audit.findings.records()
    assert (finding["rule_id"], finding["token_id"]) == ("INV005", token(2)["token_id"])
    assert finding["owner"] == "crm-team@acme.example"


def test_a_register_entry_without_its_token_is_told_to_the_entry_s_owner() -> None:
    audit = audited(snapshot([], [organization()]), register=register([ENTRY]))

    [finding] = audit.findings.records()
    assert (finding["rule_id"], finding["token_id"], finding["owner"]) == ("INV006", None, "ada@acme.example")
    assert finding["message"] == f"Row 2 of the register: “CRM sync”, token {token(1)['token_id']}."


def test_two_entries_gone_are_two_findings() -> None:
    entries = [ENTRY, ENTRY | {"token_id": token(2)["token_id"], "purpose": ""}]
    audit = audited(snapshot([], [organization()]), register=register(entries))

    assert len({row["finding_id"] for row in audit.findings.records()}) == 2


@pytest.mark.parametrize("status", ["truncated", "unverified", "mismatch", "failed"])
def test_of_an_organization_not_fully_seen_no_entry_is_called_gone(status: str) -> None:
    audit = audited(snapshot([], [organization(status=status)]), disable=["COV"], register=register([ENTRY]))

    assert rules_of(audit) == []


def test_an_entry_by_fingerprint_of_a_token_that_another_names_by_id_is_not_gone() -> None:
    entries = [ENTRY, ENTRY | {"token_id": "", "fingerprint": token(1)["fingerprint"]}]

    assert rules_of(audited(snapshot([token(1, **FULL)]), register=register(entries))) == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"permissions": "read"}, "Permissions (write, delete) exceed those approved in the register."),
        ({"review_by": "2026-11-22"}, "The review of its register entry was due by 22 Nov 2026 (1 day ago)."),
        ({"review_by": "2026-11-23"}, None),
        ({"review_by": ""}, None),
        (
            {"permissions": "none", "review_by": "2026-01-01"},
            (
                "Permissions (read, write, delete) exceed those approved in the register. "
                "The review of its register entry was due by 1 Jan 2026 (326 days ago)."
            ),
        ),
    ],
)
def test_what_exceeds_the_register_is_told(entry: dict[str, str], message: str | None) -> None:
    audit = audited(snapshot([token(1, **FULL)]), register=register([ENTRY | entry]))

    found = [row["message"] for row in audit.findings.records() if row["rule_id"] == "INV007"]
    assert found == ([] if message is None else [message])
    assert ("PRM001" in rules_of(audit)) == (message is not None)


def test_organizations_that_only_the_register_names_are_named() -> None:
    audit = audited(snapshot([token(1)]), register=register([ENTRY, ENTRY | {"organization_id": BETA}]))

    assert audit.unaudited == [BETA]


def test_column_names_have_no_case_and_the_team_s_own_columns_are_kept(tmp_path: Path) -> None:
    path = written(
        tmp_path, f"Organization ID;Fingerprint;PERMISSIONS;Cost centre\n{ACME};{'A' * 16};read, write;CC-7\n"
    )
    found = Register.read(path)

    assert list(found.extra["cost_centre"]) == ["CC-7"]
    assert list(found.entries["fingerprint"]) == ["a" * 16]
    assert found.entries.loc[0, ["read_approved", "write_approved", "delete_approved"]].tolist() == [True, True, False]


def test_a_workbook_is_read_as_well(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append([*ENTRY, "Remark"])
    book.active.append([*(ENTRY | {"review_by": datetime(2027, 3, 31)}).values(), 7])  # noqa: DTZ001 - as Excel has it
    book.active.append([None] * 7)
    book.active.append([*(ENTRY | {"token_id": token(2)["token_id"], "review_by": date(2027, 3, 31)}).values(), None])
    book.save(path := tmp_path / "register.xlsx")
    found = Register.read(path)

    assert list(found.entries["row"]) == [2, 4]
    assert found.entries["reviewed_until"].dt.strftime("%F %T").unique().tolist() == ["2027-04-01 00:00:00"]
    assert found.extra["remark"].fillna("").tolist() == ["7", ""]


def test_every_bad_row_is_told_in_one_pass(tmp_path: Path) -> None:
    rows = [
        f"acme,{ENTRY['token_id']},,read,",
        f"{ACME},Made-Up-Value,,read,",
        f"{ACME},,12,read,",
        f"{ACME},{ENTRY['token_id']},,,",
        f"{ACME},{ENTRY['token_id']},,read+admin,31/3/27",
        f"{ACME},,,read,",
        f"{ACME},{ENTRY['token_id']},,read,2027-03-31",
        f"{ACME},{ENTRY['token_id'].upper()},,read,",
    ]
    path = written(tmp_path, "organization_id,token_id,fingerprint,permissions,review_by\n" + "\n".join(rows))

    assert mistakes(path) == [
        "row 2: organization_id is not an organization's id; write its UUID",
        "row 3: token_id is not a token's id; write its UUID, and never the token's value",
        "row 4: fingerprint is not a fingerprint; write its 16 hex digits, and never the token's value",
        "row 5: permissions is empty; write read, read+write, read+write+delete … or none",
        (
            "row 6: permissions contains an unknown permission: 'admin'; write read, read+write, read+write+delete … "
            "or none"
        ),
        "row 6: review_by is not a date; write one such as 2027-03-31",
        "row 7: names no token; fill in token_id or fingerprint",
        "row 9: the same token as row 8; keep one",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "row 1: no column organization_id, no column permissions, no column token_id or fingerprint"),
        ("organization_id,token_id\n", "row 1: no column permissions"),
        (
            "organization_id,token_id,permissions,Permissions\n",
            "row 1: two columns are called permissions (C and D); keep one",
        ),
        (
            "organization_id,token_id,permissions\n1,2,3,4\n",
            "row 2: more cells than columns; quote a cell with a comma",
        ),
    ],
)
def test_a_file_that_is_no_register_is_told(tmp_path: Path, text: str, mistake: str) -> None:
    [found] = mistakes(written(tmp_path, text))

    assert found.startswith(mistake)


def test_a_fingerprint_that_the_spreadsheet_took_for_a_number_is_told(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["organization_id", "fingerprint", "permissions"])
    book.active.append([ACME, 1234567890123456, "read"])
    book.save(path := tmp_path / "register.xlsx")

    assert mistakes(path) == [
        (
            "Sheet row 2: fingerprint is a number in the file and has lost digits; format the column as text and enter "
            "it again"
        )
    ]


def test_a_register_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "damaged.xlsx").write_bytes(b"PK no workbook")

    [damaged] = mistakes(tmp_path / "damaged.xlsx")
    assert damaged.startswith("has the name of a workbook, but is a text file; rename it")
    with pytest.raises(UsageError, match=r"register cannot be read \(No such file"):
        Register.read(tmp_path / "none.csv")


def test_an_expired_token_needs_no_entry() -> None:
    audit = audited(snapshot([token(2, expires_at=AS_OF)]), register=register([ENTRY]))

    assert "INV005" not in rules_of(audit)


def test_the_reports_say_of_each_token_what_the_register_says_the_team_s_own_columns_too(tmp_path: Path) -> None:
    long = "_x0041_" + "ü" * 293
    rows = [ENTRY | {"Cost centre": "=CC-7", long: "1"}, ENTRY | {"token_id": token(9)["token_id"], "Cost centre": ""}]
    audit = audited(snapshot([token(1, **FULL), token(2), token(9)]), register=register(rows))
    out = io.BytesIO()
    renderer("json").render(audit, out)
    told = [each["register"] for each in json.loads(out.getvalue())["tokens"]]
    own = {
        "owner": "ada@acme.example",
        "purpose": "CRM sync",
        "permissions": "read+write+delete",
        "review_by": "2027-03-31",
        "cost_centre": "=CC-7",
        long: "1",
    }
    assert told == [own, None, own | {"cost_centre": None, long: None}]

    with (tmp_path / "report.xlsx").open("wb") as file:
        renderer("xlsx").render(audit, file)
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    titles, *lines = book["Tokens"].iter_rows(values_only=True)
    [table] = book["Tokens"].tables.values()
    assert [each.name for each in table.tableColumns] == [unescape(title) for title in titles]
    assert max(len(title) for title in titles) < 255
    told = [dict(zip(titles, line, strict=True)) for line in lines]
    assert [each["Register: owner"] for each in told] == ["ada@acme.example", None, "ada@acme.example"]
    assert told[0]["Register: cost_centre"] == "'=CC-7"


@pytest.mark.parametrize(
    ("column", "value", "where"),
    [
        ("deploy", "", "column 'deploy'"),
        (" Verify", "/opt/check", "column 'verify'"),
        ("how", "exec:/opt/crm/set-token", "row 2: how"),
        ("consumers", " exec:/opt/crm/set-token", "row 2: consumers"),
    ],
)
def test_a_register_with_commands_is_refused_in_one_line(tmp_path: Path, column: str, value: str, where: str) -> None:
    head = f"organization_id,token_id,permissions,{column}\n"
    path = written(tmp_path, f"{head}{ACME},{token(1)['token_id']},read,{value}\n")

    assert mistakes(path) == [
        f"{where}: a register contains no commands; name them in [[consumers]] of the configuration, and remove this"
    ]
