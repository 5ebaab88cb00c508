"""Decisions on groups: they cover the tokens of the audit that they were made on, and no one approves their own."""

from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pytest

from credly_audit.audit.model import Audit
from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.settings import PolicySettings
from credly_audit.history.store import History
from credly_audit.policy.decision_workbook import read_typed_rows
from credly_audit.policy.import_decisions import import_rows, write_rejected
from credly_audit.policy.toml_file import remove_decisions
from credly_audit.renderers.xlsx import render
from credly_audit.tables.values import as_day
from tests.build import ACME, AS_OF, BETA, audited, organization, snapshot, token, waiver
from tests.history.months import Months, when

DAY = timedelta(days=1)
TODAY = AS_OF.date()
FULL = {"write_enabled": True, "delete_enabled": True}
GROUP = waiver("PRM001", created_before=AS_OF - 10 * DAY, id="group")


def accepted(audit: Audit) -> set[str]:
    """Return the last two digits of the tokens whose PRM001 is accepted."""
    return {
        str(row["token_id"])[-2:] for row in audit.findings.records() if row["rule_id"] == "PRM001" and row["waived"]
    }


def test_a_decision_on_a_group_covers_only_tokens_that_were_created_before() -> None:
    rows = [
        token(1, **FULL, created_at=AS_OF - 30 * DAY),
        token(2, **FULL, created_at=AS_OF - 10 * DAY),
        token(3, **FULL, created_at=None),
        token(4, BETA, **FULL, created_at=AS_OF - 30 * DAY),
    ]

    assert accepted(audited(snapshot(rows), waivers=[GROUP])) == {"01"}


def test_a_decision_on_a_group_covers_findings_of_the_organization_itself() -> None:
    rows = [token(number, created_at=AS_OF - 30 * DAY) for number in range(12)]
    audit = audited(snapshot(rows), waivers=[waiver("INV001", created_before=AS_OF - DAY)])

    [row] = [each for each in audit.findings.records() if each["rule_id"] == "INV001"]
    assert row["waived"]


def test_a_token_with_more_permissions_since_is_not_accepted(tmp_path: Path) -> None:
    history = History.opened(f"sqlite:///{tmp_path}/h.sqlite", tmp_path / "c.toml", {}, create=True)
    assert history is not None
    months = Months(history)
    old = {"created_at": when(-6)}
    group = waiver("PRM", created_before=when(0.5), expires=date(2027, 12, 31))
    months.audit(0, [token(1, **old), token(2, **old, **FULL)])

    audit = months.audit(1, [token(1, **old, **FULL), token(2, **old, **FULL)], waivers=[group])

    assert accepted(audit) == {"02"}


def test_with_four_eyes_the_owner_s_own_waiver_is_refused_and_another_one_holds() -> None:
    rows = [token(1, **FULL), token(2, BETA, **FULL)]
    organizations = [organization(ACME, contact="CISO@acme.example"), organization(BETA, contact="b@x.example")]
    own = [waiver("PRM001", each, id=each[-2:]) for each in (ACME, BETA)]

    audit = audited(snapshot(rows, organizations), waivers=own, four_eyes=True)
    assert accepted(audit) == {"02"}
    assert [each.state for each in audit.decisions.waivers] == ["refused", "active"]
    assert accepted(audited(snapshot(rows, organizations), waivers=own)) == {"01", "02"}

    other = waiver("PRM001", ACME, id="other", approved_by="cto@acme.example", expires=date(2026, 12, 1))
    assert accepted(audited(snapshot(rows, organizations), waivers=[*own, other], four_eyes=True)) == {"01", "02"}


@pytest.mark.parametrize("four_eyes", [False, True])
def test_four_eyes_hold_for_findings_that_were_not_assessed(tmp_path: Path, *, four_eyes: bool) -> None:
    history = History.opened(f"sqlite:///{tmp_path}/h.sqlite", tmp_path / "c.toml", {}, create=True)
    assert history is not None
    months = Months(history)
    own = {"waivers": [waiver("PRM001", ACME, expires=date(2027, 12, 31))], "four_eyes": four_eyes}
    theirs = organization(ACME, contact="ciso@acme.example")
    months.audit(0, [token(1, **FULL)], [theirs], **own)

    audit = months.audit(1, [], [theirs | {"status": "failed", "reason": "503", "tokens": None}], **own)

    [row] = [each for each in audit.findings.records() if each["rule_id"] == "PRM001"]
    assert (row["status"], row["waived"]) == ("unseen", not four_eyes)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2027-03-31", date(2027, 3, 31)),
        ("31.3.2027", date(2027, 3, 31)),
        ("31. 3. 2027", date(2027, 3, 31)),
        ("3.4.2027", date(2027, 4, 3)),
        ("31 Mar 2027", date(2027, 3, 31)),
        ("31 March 2027", date(2027, 3, 31)),
        ("31-Mar-2027", date(2027, 3, 31)),
        ("March 31, 2027", date(2027, 3, 31)),
        ("31/3/2027", date(2027, 3, 31)),
        ("3/31/2027", date(2027, 3, 31)),
        ("4/4/2027", date(2027, 4, 4)),
    ],
)
def test_a_day_is_read_where_it_can_mean_one_day_only(written: str, day: date) -> None:
    assert as_day(written) == day


@pytest.mark.parametrize("written", ["3/4/2027", "31.3.27", "31.13.2027", "31 Foo 2027", "next week", "32/1/2027"])
def test_a_day_that_can_mean_several_or_none_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"is ambiguous|is not a date|which is ambiguous"):
        as_day(written)


def workbook_of(folder: Path) -> Path:
    """Return the workbook of two organizations with a tag, and three tokens with full access."""
    rows = [token(1, **FULL), token(2, **FULL), token(3, BETA, **FULL)]
    organizations = [organization(ACME, tags="prod"), organization(BETA, tags="prod,sandbox")]
    path = folder / "audit.xlsx"
    with path.open("wb") as file:
        render(audited(snapshot(rows, organizations)), file)
    return path


def type_into(path: Path, sheet: str, match: dict[str, str], said: dict[str, object]) -> None:
    """Type into the row of a sheet whose cells match."""
    book = openpyxl.load_workbook(path)
    titles = [cell.value for cell in book[sheet][1]]
    [found] = [
        row
        for row in book[sheet].iter_rows(min_row=2)
        if all(row[titles.index(k)].value == v for k, v in match.items())
    ]
    for title, value in said.items():
        found[titles.index(title)].value = value
    book.save(path)


ACCEPT = {"Decision": "accept", "Reason": "Known", "Approved by": "ciso@acme.example", "Until": date(2027, 1, 31)}


def test_one_row_decides_for_an_organization_and_one_for_all_with_a_tag(tmp_path: Path) -> None:
    path = workbook_of(tmp_path)
    type_into(path, "Decide by group", {"rule_id": "PRM001", "Group": "tag prod"}, ACCEPT | {"Reference": "RISK-17"})
    type_into(
        path,
        "Decide by group",
        {"rule_id": "PRM001", "Group": "Acme"},
        {"Decision": "fix", "Reason": "Later", "Assigned to": "crm-team", "Until": date(2027, 1, 31)},
    )

    _, done = import_rows("", read_typed_rows(path, TODAY), PolicySettings(), TODAY)
    assert len(done.refused) == 2  # Acme is decided on twice, in two ways

    path = workbook_of(tmp_path)
    type_into(path, "Decide by group", {"rule_id": "PRM001", "Group": "tag prod"}, ACCEPT | {"Reference": "RISK-17"})
    text, done = import_rows("", read_typed_rows(path, TODAY), PolicySettings(), TODAY)
    assert (len(done.added), done.refused) == (2, [])
    assert text.count('reference = "RISK-17"') == 2
    assert text.count("created_before = 2026-11-23T00:00:00Z") == 2
    assert text.count('source = "audit.xlsx, sha256:') == 2
    again, done = import_rows(text, read_typed_rows(path, TODAY), PolicySettings(), TODAY)
    assert (again, done.unchanged) == (text, 2)


def test_a_tag_of_hundreds_of_organizations_is_decided_on_with_one_row(tmp_path: Path) -> None:
    ids = [f"00000000-0000-4000-9000-{number:012d}" for number in range(300)]
    rows = [token(number, each, **FULL) for number, each in enumerate(ids)]
    path = tmp_path / "audit.xlsx"
    with path.open("wb") as file:
        render(audited(snapshot(rows, [organization(each, tags="prod") for each in ids])), file)
    tag = {"rule_id": "PRM001", "Group": "tag prod"}
    type_into(path, "Decide by group", tag, ACCEPT)

    _, done = import_rows("", read_typed_rows(path, TODAY), PolicySettings(), TODAY)
    assert (len(done.added), done.refused) == (300, [])

    type_into(path, "Decide by group", tag, {"organization_ids": " ".join(ids[:54])})
    _, done = import_rows("", read_typed_rows(path, TODAY), PolicySettings(), TODAY)
    assert done.added == []
    assert "organization_ids has 54 IDs for 300 organizations" in done.refused[0]


def test_a_plan_is_assigned_and_two_different_names_are_refused(tmp_path: Path) -> None:
    path = workbook_of(tmp_path)
    token_id = token(1)["token_id"]
    fix = {"Decision": "fix", "Reason": "Moves", "Assigned to": "crm-team", "Until": date(2027, 1, 31)}
    type_into(path, "Findings", {"rule_id": "PRM001", "token_id": token_id}, fix)
    text, done = import_rows("", read_typed_rows(path, TODAY), PolicySettings(), TODAY)
    assert (text.count('owner = "crm-team"'), done.refused) == (1, [])

    type_into(path, "Findings", {"rule_id": "PRM001", "token_id": token_id}, fix | {"Approved by": "someone else"})
    [refusal] = import_rows("", read_typed_rows(path, TODAY), PolicySettings(), TODAY)[1].refused
    assert "Assigned to and Approved by name different people" in refusal
    assert "“Reporting dashboard number 1 of team analytics”, Acme" in refusal


def test_every_mistake_of_a_row_is_reported_and_the_rejected_rows_can_be_corrected_and_imported(
    tmp_path: Path,
) -> None:
    path = workbook_of(tmp_path)
    wrong = {"Decision": "acept", "Reason": "Known", "Approved by": "ciso@acme.example", "Until": "3/4/2027"}
    type_into(path, "Findings", {"rule_id": "PRM001", "token_id": token(1)["token_id"]}, wrong)
    rows = read_typed_rows(path, TODAY)
    done = import_rows("", rows, PolicySettings(), TODAY)[1]
    [refusal] = done.refused
    assert "'3/4/2027' is 3/4/2027, which is ambiguous" in refusal

    rejected = tmp_path / "rejected.xlsx"
    write_rejected(rejected, rows, done.rejected)
    sheet = openpyxl.load_workbook(rejected)["Findings"]
    assert "ambiguous" in str(sheet["A2"].value)
    titles = [cell.value for cell in sheet[1]]
    for title, value in ACCEPT.items():
        sheet.cell(2, titles.index(title) + 1).value = value  # type: ignore[assignment] - a date is one
    assert sheet.parent is not None
    sheet.parent.save(rejected)
    text, done = import_rows("", read_typed_rows(rejected, TODAY), PolicySettings(), TODAY)
    assert (text.count("[[waivers]]"), done.refused) == (1, [])


def test_decisions_are_moved_with_their_comments_and_the_rest_stays() -> None:
    text = (
        '# first\n\n[[waivers]]\nid = "a"  # why\nrule = "PRM001"\norganization = "'
        + ACME
        + '"\nreason = "x"\napproved_by = "y"\napproved_on = 2026-01-01\nexpires = 2026-02-01\n\n[other]\nkey = 1\n'
    )

    after, moved, tables = remove_decisions(text, {"a"})

    assert moved == ["a"]
    assert "[[waivers]]" not in after
    assert after.startswith("# first\n")
    assert "key = 1" in after
    assert 'id = "a"  # why' in tables


def test_models_take_evidence_and_refuse_an_instant_without_a_zone() -> None:
    said = waiver("PRM001", reference="RISK-17", source="a.xlsx, sha256:" + "0" * 64 + ", 2026-11-23")
    assert Waiver.model_validate(said).reference == "RISK-17"
    with pytest.raises(ValueError, match="created_before"):
        Waiver.model_validate(said | {"created_before": AS_OF.replace(tzinfo=None)})
    with pytest.raises(ValueError, match="created_before"):
        Plan.model_validate(said | {"created_before": AS_OF, "owner": "x", "until": date(2027, 1, 1)})
