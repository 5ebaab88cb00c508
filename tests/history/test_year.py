"""A year of monthly audits over a sandbox that changes, held against a count that knows nothing of the store.

The count is kept in plain dictionaries: what each month's findings and tokens were, and what became of them.
"""

import copy
import random
from collections import Counter
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from credly_audit.audit.comparison import compute_remediation_times
from credly_audit.audit.model import Audit
from credly_audit.history.store import History
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import LIFETIME, SandboxOrganization, Token, World, made_up_organization, made_up_token
from credly_audit.sandbox.world import made_up_value as value
from credly_audit.severity import Severity
from credly_audit.snapshot import Snapshot
from tests.build import AS_OF, audited, plan, waiver
from tests.collection.gather import ask, gathered, without

MONTHS = 12
FAILS, CUT = {4: 1, 8: 0}, {6: 2}
"""By month the organization that cannot be read, and the one asked with a token that sees the read-only ones alone."""

ORGANIZATION_RULES = {"PRM006", "INV001", "INV003", "DOC005", "COV005"}
DUE = {"critical": 3, "high": 14, "medium": 30, "low": 90}
POLICY: dict[str, Any] = {"disable": ["COV005"]}


def when(month: int) -> datetime:
    return AS_OF + timedelta(days=30 * month)


class Year:
    """The sandbox as it goes through the months."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.now = AS_OF
        self.made = 0
        organizations = [
            made_up_organization(name, now=AS_OF, tokens=5, name=name) for name in ("Acme", "Beta", "Ceta")
        ]
        self.world = World(organizations, as_of=AS_OF)

    def goes_on(self, month: int) -> None:
        """What happens between two audits: rotation, a permission more, another description, removal, a new token."""
        self.now = when(month)
        for each in self.world.organizations if month else []:
            self._rotate(each.auditor)
            for token in each.tokens[1:]:
                if self.random.random() < 0.2:
                    self._rotate(token)
                if self.random.random() < 0.12:
                    token.write_enabled, token.delete_enabled = not token.write_enabled, self.random.random() < 0.3
                if self.random.random() < 0.25:
                    token.description = self.random.choice(["test", None, "Moodle of team learning", f"Badges {month}"])
            if self.random.random() < 0.4:
                each.tokens.pop()
            if self.random.random() < 0.5:
                self.made += 1
                write = self.random.random() < 0.5
                each.tokens.append(made_up_token(each.name, "more", self.made, now=self.now, write_enabled=write))

    def _rotate(self, token: Token) -> None:
        token.token = value("rotated", token.id, self.now)
        token.expires_at = self.now - timedelta(days=self.random.randrange(29)) + LIFETIME

    def collected(self, sandbox: Sandbox, month: int) -> Snapshot:
        asks = []
        for number, each in enumerate(self.world.organizations):
            if FAILS.get(month) == number:
                asks.append(without(each, "credential could not be read"))
            else:
                asks.append(ask(each, reader(each) if CUT.get(month) == number else None))
        snapshot = gathered(sandbox, asks)
        header = copy.copy(snapshot.header)
        object.__setattr__(header, "collected_at", self.now)
        return Snapshot(header, snapshot.tokens, snapshot.organizations)


def reader(organization: SandboxOrganization) -> str:
    """The value of a token that sees the read-only ones alone."""
    found = [token for token in organization.tokens if token.read_only]
    if not found:
        organization.tokens.append(made_up_token(organization.name, "reader", now=when(6)))
        found = organization.tokens[-1:]
    return found[0].token


class Count:
    """What the year came to, counted by hand."""

    def __init__(self) -> None:
        self.findings: dict[str, dict[str, Any]] = {}
        self.tokens: dict[tuple[str, str], dict[str, Any]] = {}
        self.remediated: list[tuple[str, timedelta]] = []
        self.trend: list[dict[str, Any]] = []
        self.fully_seen: dict[str, datetime] = {}
        self.months: list[tuple[dict[str, Any], dict[Any, Any]]] = []

    def check(self, audit: Audit, month: int) -> None:
        """Hold one audit against the count, and go on."""
        records = list(audit.findings.records())
        here = {row["finding_id"]: row for row in records if row["status"] != "unseen"}
        statuses = dict(audit.organizations[["organization_id", "status"]].itertuples(index=False))
        listed = [
            {name: None if entry != entry else entry for name, entry in row.items()}  # noqa: PLR0124 - NaN
            for row in audit.tokens.astype(object).where(audit.tokens.notna(), None).to_dict("records")
        ]
        self._check_rotation(listed, month)
        self._check_changes(here, listed, month)
        expected = self._check_findings(
            here, statuses, {(row["organization_id"], row["token_id"]) for row in listed}, month
        )
        self._check_unseen(records, expected["unseen"])
        self._check_trend(audit, here, expected, month)
        self._see(listed, statuses, month)
        self.months.append((copy.deepcopy(self.findings), copy.deepcopy(self.tokens)))

    def _check_rotation(self, listed: list[dict[str, Any]], month: int) -> None:
        for row in listed:
            known = self.tokens.get((row["organization_id"], row["token_id"]))
            seen = known and known["rotated_at"]
            if known and known["fingerprint"] != row["fingerprint"]:
                inferred = row["expires_at"].to_pydatetime() - LIFETIME
                seen = inferred if known["seen_at"] <= inferred <= when(month) else when(month)
            if seen:
                assert (row["rotation_evidence"], row["last_rotated_at"]) == ("seen", seen)
            else:
                assert row["rotation_evidence"] in {"created", "inferred"}
            row["seen_to_change"] = seen

    def _check_changes(self, here: dict[str, Any], listed: list[dict[str, Any]], month: int) -> None:
        found = {(row["rule_id"], row["token_id"]) for row in here.values() if row["family"] == "CHG"}
        expected = set()
        for row in listed:
            known = self.tokens.get((row["organization_id"], row["token_id"]))
            may = {name for name in ("read", "write", "delete") if row[f"{name}_enabled"]}
            alive = row["expires_at"] > when(month)
            if known and may & known["denied"] and alive:
                expected.add(("CHG001", row["token_id"]))
            if (
                known
                and known["fingerprint"] == row["fingerprint"]
                and row["expires_at"] > known["expires_at"]
                and alive
            ):
                expected.add(("CHG002", row["token_id"]))
            watched = row["organization_id"] in self.fully_seen
            if watched and may & {"write", "delete"} and alive and (not known or known["gone"]):
                expected.add(("CHG003", row["token_id"]))
        assert found == expected

    def _check_findings(
        self, here: dict[str, Any], statuses: dict[str, str], listed: set[tuple[str, str]], month: int
    ) -> dict[str, Any]:
        counts: Counter[str] = Counter()
        resolved, unseen = set(), set()
        for finding_id, row in here.items():
            known = self.findings.get(finding_id)
            status = "new" if known is None else "reopened" if known["gone"] else "persisting"
            assert row["status"] == status, (month, row)
            counts[status] += not row["waived"]
            first = known["first"] if known else when(month)
            assert row["first_seen_at"] == first
            opened = known["opened"] if known and not known["gone"] else when(month)
            days = DUE.get(row["severity"])
            if row["rule_id"] != "EXP002":
                assert row["due_at"] == (None if days is None else first + timedelta(days=days))
            self.findings[finding_id] = {
                "first": first, "opened": opened, "severity": row["severity"], "gone": False, "rule": row["rule_id"],
                "place": row["organization_id"], "token": row["token_id"], "seen": when(month),
            }  # fmt: skip
        for finding_id, known in self.findings.items():
            if finding_id in here or known["gone"]:
                continue
            status = statuses[known["place"]]
            on_listed = known["token"] is not None and (known["place"], known["token"]) in listed
            if (
                status == "complete"
                or known["rule"] in {"COV001", "COV002", "COV003", "COV004"}
                or (on_listed and known["rule"] not in ORGANIZATION_RULES)
            ):
                known["gone"] = True
                resolved.add(finding_id)
                self.remediated.append((known["severity"], when(month) - known["opened"]))
            else:
                unseen.add(finding_id)
        return {"counts": counts, "resolved": resolved, "unseen": unseen}

    def _check_unseen(self, records: list[dict[str, Any]], expected: set[str]) -> None:
        rows = {row["finding_id"]: row for row in records if row["status"] == "unseen"}
        assert set(rows) == expected
        for finding_id, row in rows.items():
            known = self.findings[finding_id]
            assert (row["rule_id"], row["token_id"], row["first_seen_at"], row["severity"]) == (
                known["rule"], known["token"], known["first"], known["severity"],
            )  # fmt: skip
            assert f"Last seen on {known['seen'].day} {known['seen']:%b %Y}" in row["message"]

    def _check_trend(self, audit: Audit, here: dict[str, Any], expected: dict[str, Any], month: int) -> None:
        live = [row for row in here.values() if not row["waived"]]
        self.trend.append(
            {
                "as_of": when(month),
                "outcome": audit.verdict.outcome,
                "organizations": 3,
                "fully_seen": sum(audit.organizations["status"] == "complete"),
                "tokens": len(audit.tokens),
                **{severity.value: sum(row["severity"] == severity for row in live) for severity in Severity},
                **{status: expected["counts"][status] for status in ("new", "persisting", "reopened")},
                "resolved": len(expected["resolved"]),
                "unseen": len(expected["unseen"]),
                "waived": len(here) - len(live),
            }
        )
        if month == 0:
            assert audit.compared is None
            return
        assert audit.compared is not None
        assert audit.compared.since == when(month - 1)
        assert audit.compared.trend.to_dict("records") == self.trend
        assert set(audit.compared.resolved["finding_id"]) == expected["resolved"]
        for row in audit.compared.resolved.to_dict("records"):
            known = self.findings[row["finding_id"]]
            assert (row["first_seen_at"], row["resolved_at"]) == (known["first"], when(month))
            assert row["days_open"] == (when(month) - known["opened"]).days
        for severity, time in compute_remediation_times(audit.compared.remediated).items():
            days = [took / timedelta(days=1) for weighs, took in self.remediated if weighs == severity]
            assert (time and (time.findings, time.median_days)) == ((len(days), median(days)) if days else None)

    def _see(self, listed: list[dict[str, Any]], statuses: dict[str, str], month: int) -> None:
        for row in listed:
            key = (row["organization_id"], row["token_id"])
            denied = {name for name in ("read", "write", "delete") if row[f"{name}_enabled"] is False}
            self.tokens[key] = {
                "fingerprint": row["fingerprint"],
                "expires_at": row["expires_at"].to_pydatetime(),
                "denied": denied | (self.tokens[key]["denied"] if key in self.tokens else set()),
                "may": {name for name in ("read", "write", "delete") if row[f"{name}_enabled"]},
                "rotated_at": row["seen_to_change"],
                "seen_at": when(month),
                "gone": False,
            }
        now = {(row["organization_id"], row["token_id"]) for row in listed}
        for key, known in self.tokens.items():
            if key not in now and statuses[key[0]] == "complete":
                known["gone"] = True
        self.fully_seen |= {place: when(month) for place, status in statuses.items() if status == "complete"}

    def difference(self, earlier: int, later: int) -> dict[str, set[Any]]:
        """What changed between two months."""
        (findings, tokens), (findings_now, tokens_now) = self.months[earlier], self.months[later]
        both = [key for key, row in tokens_now.items() if not row["gone"] and key in tokens and not tokens[key]["gone"]]
        here = {each for each, row in findings_now.items() if not row["gone"]}
        return {
            "made": {key[1] for key, row in tokens_now.items() if not row["gone"] and key not in both},
            "gone": {key[1] for key, row in tokens.items() if not row["gone"] and tokens_now[key]["gone"]},
            "rotated": {key[1] for key in both if tokens[key]["fingerprint"] != tokens_now[key]["fingerprint"]},
            "escalated": {key[1] for key in both if tokens_now[key]["may"] - tokens[key]["may"]},
            "new": {each for each in here if findings_now[each]["first"] > when(earlier)},
            "remediated": {each for each in findings if not findings[each]["gone"] and findings_now[each]["gone"]},
            "reopened": {each for each in here if each in findings and findings[each]["gone"]},
        }


def test_a_year_of_audits_tells_what_a_count_by_hand_tells(history: History) -> None:
    year, count = Year(), Count()
    acme, beta, _ = (each.id for each in year.world.organizations)
    waivers = [
        waiver("PRM003", acme, id="W-1", expires=when(5).date()),
        waiver("DOC", beta, id="W-2", expires=date(2027, 10, 1)),
    ]
    plans = [plan("PRM", beta, id="P-1", until=when(3).date())]
    with Sandbox(year.world, now=lambda: year.now) as sandbox:
        for month in range(MONTHS):
            year.goes_on(month)
            with history.past(year.now) as past:
                audit = audited(
                    year.collected(sandbox, month), as_of=year.now, past=past, waivers=waivers, plans=plans, **POLICY
                )
            assert set(audit.organizations["status"]) <= {"complete", "failed", "truncated"}
            count.check(audit, month)
            history.record(audit)
            [promise] = audit.decisions.plans
            assert month <= 3 or promise.state in {"overdue", "kept", "unjudged"}
            lapsed = any(row["rule_id"] == "WVR001" for row in audit.findings.records())
            assert month > 5 or not lapsed

    told = history.audits()
    assert told[list(count.trend[0])].to_dict("records") == count.trend
    for earlier, later in [(0, 1), (3, 5), (5, 7), (0, 11), (7, 9)]:
        changed = history.difference(int(told["id"][earlier]), int(told["id"][later]))
        expected = count.difference(earlier, later)
        for name in ("made", "gone", "rotated", "escalated"):
            assert set(getattr(changed, name)["token_id"]) == expected[name], name
        for name in ("new", "remediated", "reopened"):
            assert set(getattr(changed, name)["finding_id"]) == expected[name], name
    seen = Counter(name for pair in range(MONTHS - 1) for name, ids in count.difference(pair, pair + 1).items() if ids)
    assert set(seen) == {"made", "gone", "rotated", "escalated", "new", "remediated", "reopened"}
    assert sum(row["unseen"] for row in count.trend) > 10
