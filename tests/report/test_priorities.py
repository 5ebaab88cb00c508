"""Top priorities: every open finding above info in one group, ordered by what breaks first, exposure, and age."""

from datetime import timedelta

import numpy as np
import pytest

from credly_audit.audit.model import Audit
from credly_audit.report.briefing import list_actions
from credly_audit.report.priorities import Priorities, Tier, describe_moment
from tests.build import ACME, AS_OF, BETA, audited, organization, snapshot, token
from tests.year import make_year

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Return the last audit of a small year."""
    return make_year(tmp_path_factory.mktemp("year"), organizations=12, tokens=12, audits=4)


def test_every_open_finding_above_info_is_in_exactly_one_group(year: Audit) -> None:
    priorities = Priorities(year)
    groups = list(priorities.groups(None))

    assert [each.number for each in groups] == list(range(1, priorities.many + 1))
    assert ((priorities.of_findings > 0) == year.findings.actionable).all()
    for each in groups:
        assert int((priorities.of_findings == each.number).sum()) == each.findings
        rules = year.findings.frame["rule_id"][priorities.of_findings == each.number].unique()
        assert list(rules) == [each.rule_id]


def test_groups_are_ordered_by_tier_and_name_one_token_an_organization(year: Audit) -> None:
    groups = list(Priorities(year).groups(None))

    assert [each.tier for each in groups] == sorted(each.tier for each in groups)
    for each in groups:
        named = [example.organization for example in each.examples]
        assert len(named) <= 3
        assert len(set(named)) == len(named)


def test_the_next_token_to_expire_is_named_by_its_hour(year: Audit) -> None:
    expires = year.tokens.loc[year.expiring, "expires_at"].min().to_pydatetime()
    [group] = [each for each in Priorities(year).groups() if (each.rule_id, each.tier) == ("EXP002", Tier.OUTAGE)]

    assert group.next_at == expires
    assert group.examples[0].when == expires
    assert describe_moment(expires, year.as_of) in group.describe_first(year.as_of)


def test_the_actions_are_in_the_order_of_the_priorities(year: Audit) -> None:
    of_findings = Priorities(year).of_findings
    found = list(list_actions(year, None))

    for group in Priorities(year).groups(None):
        its = [each for each in found if each.priority == group.number]
        assert sum(each.findings for each in its) == group.findings
        assert {each.what for each in its} == {year.rules[group.rule_id].remediation}
        assert all(year.rules[group.rule_id].name.replace("-", " ") not in each.also for each in its)
    assert any(each.also for each in found)

    assert [each.priority for each in found] == sorted(each.priority for each in found)
    assert {each.priority for each in found} <= set(of_findings[of_findings > 0])
    assert all((each.overdue_days is not None) == (each.due_at < year.as_of) for each in found if each.due_at)


def test_what_is_broken_comes_before_what_breaks_and_that_before_exposure_and_the_rest() -> None:
    rows = [
        token(1, description="test"),
        token(2, read_enabled=True, write_enabled=True, delete_enabled=True),
        token(3, BETA, expires_at=AS_OF + timedelta(hours=18, minutes=9)),
        token(4, expires_at=AS_OF + 3 * DAY),
        token(5, expires_at=AS_OF + 50 * DAY),
        token(6, expires_at=AS_OF - 3 * DAY),
    ]
    audit = audited(snapshot(rows, [organization(ACME), organization(BETA)]))

    groups = list(Priorities(audit).groups(None))

    assert [each.tier for each in groups] == [
        *(Tier.BROKEN, Tier.OUTAGE, Tier.OUTAGE, Tier.EXPOSURE, Tier.EXPIRING, Tier.OTHER)
    ]
    assert groups[1].title == "Rotate 2 tokens of 2 organizations that expire before the next audit"
    when = AS_OF + timedelta(hours=18, minutes=9)
    day = "tomorrow" if when.date() > AS_OF.date() else "today"
    assert groups[1].describe_dates(AS_OF) == f"first {day} {when:%H:%M} UTC"
    assert groups[0].title == "Replace 1 token of 1 organization that expired and is still listed"
    assert np.count_nonzero(Priorities(audit).of_findings) == int(audit.findings.actionable.sum())


@pytest.mark.parametrize(("days", "tier"), [(20, Tier.OUTAGE), (50, Tier.EXPIRING)])
def test_a_last_token_is_an_outage_only_where_it_expires_before_the_next_audit(days: int, tier: Tier) -> None:
    rules = {"INV003": {"no_successor_days": 60}}
    audit = audited(snapshot([token(1, expires_at=AS_OF + days * DAY)]), rules=rules)

    [group] = [each for each in Priorities(audit).groups(None) if each.rule_id == "INV003"]

    assert group.tier is tier
    assert group.next_at == AS_OF + days * DAY


def test_work_that_breaks_nothing_is_due_and_addresses_are_never_cut() -> None:
    address = f"{'a' * 60}@{'sub.' * 20}example.org"
    text = f"Reporting dashboard of the analytics team, owner {address}"
    rows = [token(1, description=text, read_enabled=True, write_enabled=True, delete_enabled=True)]
    audit = audited(snapshot(rows, [organization(ACME, contact=address)]))

    [group] = Priorities(audit).groups(None)

    assert group.describe_dates(AS_OF).startswith("due ")
    assert group.describe_contacts() == address
    assert "@" not in group.describe_first(AS_OF)
    assert "Reporting dashboard of the analytics team, owner …" in group.describe_first(AS_OF)


def test_nothing_open_makes_no_group() -> None:
    audit = audited(snapshot([token(1)]))

    assert list(Priorities(audit).groups()) == []
    assert Priorities(audit).many == 0
