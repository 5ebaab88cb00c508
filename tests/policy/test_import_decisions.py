"""An import of typed decisions: what it takes, what it refuses and why, and that what it wrote is what was meant."""

import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.decisions import read_decisions
from credly_audit.config.settings import PolicySettings
from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.policy.decision_workbook import Typed, read_typed_rows
from credly_audit.policy.import_decisions import import_rows
from tests.build import ACME, BETA, plan, token, waiver

TODAY = date(2026, 11, 23)
POLICY = PolicySettings(approvers=("ciso@acme.example",), max_waiver_days=100)
ANY = PolicySettings()


def row(number: int = 2, **said: Any) -> Typed:
    typed = {
        "decision": "accept",
        "reason": "Known",
        "approved_by": "ciso@acme.example",
        "until": date(2027, 1, 31),
        "rule": "PRM001",
        "organization": ACME,
        "token": token(1)["token_id"],
        "fingerprint": token(1)["fingerprint"],
    }
    return Typed(place=f"Findings row {number}", **(typed | said))


def refused(*rows: Typed, text: str = "", policy: PolicySettings = POLICY, elsewhere: Any = ()) -> list[str]:
    after, done = import_rows(text, rows, policy, TODAY, elsewhere)
    assert (after == text) == (not (done.added or done.changed))
    return done.refused


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"decision": ""}, "Decision is empty; choose accept, fix or false positive"),
        ({"decision": "maybe"}, "'maybe' is not a decision; choose accept, fix or false positive"),
        ({"reason": ""}, "Reason is empty; fill in what is missing"),
        (
            {"reason": "", "approved_by": "", "until": ""},
            "Reason and Approved by and Until are empty; fill in what is missing",
        ),
        ({"until": "31/3/27"}, "Until: must be a date such as 2027-03-31"),
        ({"until": "46418"}, "Until: must be a date such as 2027-03-31"),
        ({"until": TODAY - timedelta(days=1)}, "Until: 2026-11-22 is past; choose a day in the future"),
        ({"until": date(2027, 3, 4)}, "Until: 101 days after it was approved; [policy] max_waiver_days allows 100"),
        ({"approved_by": "me"}, "Approved by: me is not one of [policy] approvers: ciso@acme.example"),
        ({"faults": ("reason is odd", "until is odd")}, "reason is odd; until is odd"),
        ({"rule": "", "organization": ""}, "belongs to no finding; fill in the row of a finding"),
        ({"rule": "PRM999"}, "rule: names no rule or family: 'PRM999'; did you mean PRM?"),
        (
            {"rule": "WVR001"},
            "rule: reports an expired waiver and cannot be decided on; renew or remove that waiver",
        ),
        ({"organization": "acme"}, "organization: must be the organization's id, a UUID"),
    ],
)
def test_a_row_that_is_incomplete_or_not_allowed_is_refused_with_its_reason(said: dict[str, Any], why: str) -> None:
    assert refused(row(7, **said)) == [f"Findings row 7: {why}"]


@pytest.mark.parametrize("until", [TODAY, date(2027, 3, 3), "2027-03-03"])
def test_the_first_and_the_last_day_that_are_allowed_are_taken(until: date | str) -> None:
    assert refused(row(until=until)) == []


def test_who_mends_need_be_no_approver_and_may_take_longer_than_a_waiver() -> None:
    assert refused(row(decision="fix", approved_by="crm-team", until=date(2028, 1, 1))) == []


def test_rows_that_decide_otherwise_on_the_same_are_both_refused() -> None:
    assert refused(row(2), row(3, reason="Other"), row(4, rule="PRM002")) == [
        "Findings row 2: contradicts Findings row 3; make them equal",
        "Findings row 3: contradicts Findings row 2; make them equal",
    ]
    after, done = import_rows("", [row(2), row(3)], POLICY, TODAY)
    assert (after.count("[[waivers]]"), len(done.added), done.refused) == (1, 1, [])


def test_what_stands_elsewhere_is_not_doubled_and_is_changed_there() -> None:
    standing = Waiver.model_validate(waiver("PRM001", token=token(1)["fingerprint"], id="W-7"))
    same = row(reason=standing.reason, approved_by=standing.approved_by, until=standing.expires)
    after, done = import_rows("", [same], ANY, TODAY, [standing])
    assert (after, done.unchanged, done.refused) == ("", 1, [])
    assert refused(row(9), elsewhere=[standing]) == [
        "Findings row 9: W-7, in another file of the configuration, differs; change it there"
    ]


def test_a_row_filled_in_from_a_wider_decision_adds_nothing_and_cannot_contradict_it() -> None:
    wide = Waiver.model_validate(waiver("PRM", id="wide"))
    same = row(reason=wide.reason, approved_by=wide.approved_by, until=wide.expires)
    assert import_rows("", [same], ANY, TODAY, [wide])[1].unchanged == 1
    assert refused(row(), elsewhere=[wide]) == [
        "Findings row 2: wide, on PRM of the whole organization, also covers it and differs; change that decision"
    ]
    expired = wide.model_copy(update={"expires": TODAY - timedelta(days=1)})
    assert refused(row(), elsewhere=[expired]) == []
    assert refused(row(), elsewhere=[Plan.model_validate(plan("PRM"))]) == []


def test_a_waiver_that_is_not_yet_in_force_is_approved_by_the_import_from_today_on() -> None:
    later = {"approved_on": date(2026, 12, 1), "expires": date(2027, 1, 31), "reason": "Known"}
    kept = waiver("PRM001", token=row().token, **later)
    text = "[[waivers]]\n" + "".join(f"{key} = {tomlkit.item(value).as_string()}\n" for key, value in kept.items())

    after, done = import_rows(text, [row()], POLICY, TODAY)

    assert (done.added, len(done.changed), done.unchanged, done.refused) == ([], 1, 0, [])
    [made] = tomllib.loads(after)["waivers"]
    assert made == kept | {"approved_on": TODAY}


def test_an_overdue_plan_that_comes_back_as_it_was_is_left_alone() -> None:
    late = Plan.model_validate(plan("PRM001", until=TODAY - timedelta(days=9)))
    same = row(decision="fix", reason=late.reason, approved_by=late.owner, until=late.until)
    assert import_rows("", [same], ANY, TODAY, [late])[1].unchanged == 1


def test_a_list_in_one_line_is_not_torn_apart() -> None:
    text = f'plans = [{{ rule = "DOC", organization = "{ACME}", reason = "x", owner = "y", '
    text += "approved_on = 2026-01-01, until = 2027-01-01 }]\n"
    with pytest.raises(ValueError, match=r"plans is written as an inline list; write it as \[\[plans\]\] tables"):
        import_rows(text, [row()], ANY, TODAY)


ABOUT = [
    ("PRM001", token(1)["token_id"]),
    ("PRM001", token(2)["token_id"]),
    ("DOC001", token(1)["token_id"]),
    ("PRM006", ""),
]
rows = st.lists(
    st.builds(
        lambda about, **said: row(**said, rule=about[0], token=about[1]),
        decision=st.sampled_from(["accept", "fix", "false positive"]),
        reason=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs")), min_size=1, max_size=30),
        approved_by=st.sampled_from(['Ada "the boss"', "ciso@acme.example", "x\\y"]),
        until=st.sampled_from([TODAY, date(2027, 1, 31)]),
        organization=st.sampled_from([ACME, BETA]),
        fingerprint=st.just(""),
        about=st.sampled_from(ABOUT),
    ),
    max_size=8,
    unique_by=lambda each: each.subject,
)
LEAD = "# ünïcode before, so that bytes and letters differ\n\n[other]\nkey = 'kept'  # and this\n\n"


@given(first=rows, second=rows)
@settings(max_examples=30, deadline=None)
def test_the_file_says_in_the_end_what_was_typed_last_and_keeps_the_rest(
    first: list[Typed], second: list[Typed]
) -> None:
    typed: dict[tuple[str, str, str], Typed] = {}
    text = LEAD
    for batch in (first, second):
        text, done = import_rows(text, batch, ANY, TODAY)
        typed |= {each.subject: each for each in batch}
        assert done.refused == []
        assert import_rows(text, batch, ANY, TODAY + timedelta(days=1))[0] == text
    assert text.startswith(LEAD.rstrip("\n"))
    said = tomllib.loads(text)
    assert said.pop("other") == {"key": "kept"}
    waivers = [Waiver.model_validate(each) for each in said.get("waivers", [])]
    plans = [Plan.model_validate(each) for each in said.get("plans", [])]
    assert len(waivers) + len(plans) == len(typed)
    for each in typed.values():
        assert sum(each.says(decision) and each.is_on_the_same_as(decision) for decision in (*waivers, *plans)) == 1


@given(
    batches=st.lists(rows, min_size=1, max_size=2),
    mark=st.sampled_from(["", "\ufeff"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    last=st.sampled_from(["", "\n", "\n\n", "\n\n\n"]),
)
@settings(max_examples=40, deadline=None)
def test_a_file_is_changed_in_the_form_in_which_it_was_kept(
    batches: list[list[Typed]], mark: str, line_end: str, last: str
) -> None:
    """It begins, ends and breaks its lines as before, and says what a plain file would say."""
    plain, kept = LEAD, mark + (LEAD.rstrip() + last).replace("\n", line_end)
    for batch in batches:
        before = kept
        plain = import_rows(plain, batch, ANY, TODAY)[0]
        kept, done = import_rows(kept, batch, ANY, TODAY)
        assert kept.startswith(before) or done.changed

    assert kept.startswith(mark)
    assert mark or not kept.startswith("\ufeff")
    assert kept.count("\n") == kept.count(line_end)
    assert kept.endswith("\n") == bool(last)
    assert tomllib.loads(kept.removeprefix(mark)) == tomllib.loads(plain)


def test_in_a_file_of_mixed_line_ends_each_line_keeps_its_own() -> None:
    text = "# one\r\n# two\n# three\r\n"
    after, _ = import_rows(text, [row()], POLICY, TODAY)
    assert after.startswith(text)
    assert after.removeprefix(text).count("\n") == after.removeprefix(text).count("\r\n") > 3


def test_what_was_written_is_read_by_the_audit(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(import_rows("", [row(), row(decision="fix", rule="DOC001")], POLICY, TODAY)[0])
    waivers, plans = read_decisions(path, POLICY)
    assert [(each.rule, each.approved_on) for each in (*waivers, *plans)] == [("PRM001", TODAY), ("DOC001", TODAY)]


def test_a_workbook_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_typed_rows(tmp_path / "none.xlsx", date(2026, 11, 23))
    (tmp_path / "text.xlsx").write_text("no workbook")
    with pytest.raises(ConfigurationError, match="has the name of a workbook, but is a text file"):
        read_typed_rows(tmp_path / "text.xlsx", date(2026, 11, 23))
    openpyxl.Workbook().save(tmp_path / "other.xlsx")
    with pytest.raises(ConfigurationError, match=r"no sheet has the columns .*: none of them\)"):
        read_typed_rows(tmp_path / "other.xlsx", date(2026, 11, 23))
