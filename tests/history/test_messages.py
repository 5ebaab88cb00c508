"""What a history remembers of messages, in both kinds of database."""

from datetime import timedelta

import pandas as pd

from credly_audit.audit.memory import Memory, Recipient
from credly_audit.history.messages import MessageLog
from credly_audit.history.store import History
from tests.build import AS_OF, token
from tests.history.conftest import Open
from tests.history.months import Months, return_to, when

SEVERE = {"write_enabled": True, "delete_enabled": True}


def begin(log: MessageLog, recipient: Recipient, month: float, ids: list[str], days_left: float = 35) -> int:
    items = pd.DataFrame({"finding_id": ids, "days_left": days_left, "overdue": days_left == float("inf")})
    return log.begin(recipient, when(month), "violations", items)


def known(memory: Memory) -> list[tuple[str, float, bool]]:
    return sorted(memory.known[["finding_id", "days_left", "overdue"]].itertuples(index=False, name=None))


def test_what_was_sent_is_remembered_and_what_was_not_is_reported(history: History) -> None:
    audit = Months(history).audit(0, [token(1, **SEVERE), token(2, **SEVERE)])
    one, other, *_ = ids = [row["finding_id"] for row in audit.findings.records()]
    log = history.open_messages(None)
    crm = Recipient(log.identify("contact", "crm@acme.example"), "CRM", "E-Mail")
    team = Recipient(log.identify("reference", "env:TEAM"), "env:TEAM", "Slack")
    assert log.recall(crm.id, AS_OF).last is None

    log.end(begin(log, crm, 0, [one, other]), None)
    log.end(begin(log, crm, 1, [one], 14), None)
    log.end(begin(log, crm, 2, [other], float("inf")), None)
    log.end(begin(log, crm, 3, [one], 1), "refused")
    begin(log, team, 3, ids)

    memory = log.recall(crm.id, when(4))
    assert known(memory) == sorted([(one, 14, False), (other, 35, True)])
    assert (memory.last, memory.outcome, memory.failed) == (when(2), "violations", when(3))
    assert known(log.recall(crm.id, when(0.5))) == sorted([(one, 35, False), (other, 35, False)])
    assert log.recall(team.id, when(4)).interrupted == when(3)
    lost = {each.recipient: (each.as_of, each.reason) for each in history.undelivered().messages}
    assert lost == {crm: (when(3), "refused"), team: (when(3), None)}

    log.drop_unsent({team.id})
    assert [each.recipient for each in history.undelivered().messages] == [team]
    reopened = history.open_messages(None)
    assert reopened.identify("contact", "crm@acme.example") == crm.id, "the key stays"


def test_a_finding_that_is_resolved_is_told_anew_when_it_comes_back(history: History) -> None:
    months = Months(history)
    audit = months.audit(0, [token(1, **SEVERE)], disable=["INV", "DOC", "EXP"])
    [finding] = [row["finding_id"] for row in audit.findings.records()]
    log = history.open_messages(None)
    crm = Recipient(log.identify("contact", "crm@acme.example"), None, "E-Mail")
    log.end(begin(log, crm, 0, [finding]), None)

    months.audit(1, [token(1, **SEVERE)], disable=["INV", "DOC", "EXP"])
    assert known(log.recall(crm.id, when(1))) == [(finding, 35, False)]
    months.audit(2, [token(1)], disable=["INV", "DOC", "EXP"])
    assert known(log.recall(crm.id, when(2))) == []

    history.purge(when(1))
    assert log.recall(crm.id, when(2)).last is None


def test_a_history_from_before_messages_is_upgraded(history: History, opened: Open) -> None:
    Months(history).audit(0, [token(1, **SEVERE)])
    return_to(history.database, "0004")

    upgraded = opened("credly-audit.toml")

    assert upgraded.undelivered().messages == ()
    log = upgraded.open_messages(None)
    log.end(begin(log, Recipient("0" * 16, None, "E-Mail"), 0, []), None)
    assert log.recall("0" * 16, AS_OF + timedelta(days=1)).last == AS_OF
