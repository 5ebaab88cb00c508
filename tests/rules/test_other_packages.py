"""A rule is anybody's code: what it raises, changes or returns is that rule's trouble, and never a clean audit."""

import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.audit.model import Audit
from credly_audit.errors import BrokenRule, ExitCode
from credly_audit.process.interruption import watch_signals
from credly_audit.rules import built_in, catalogue
from credly_audit.rules.declare import Flags, OptionColumns, Options, Rule, flag, rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.lending import Loan, seal
from credly_audit.rules.output import check_flags
from credly_audit.severity import Severity
from tests.build import ACME, AS_OF, BETA, audited, organization, register, snapshot, token
from tests.proof import mostly_in_proof

FULL = {"write_enabled": True, "delete_enabled": True}
COLLECTED = snapshot(
    [token(1, **FULL), token(2, description="test"), token(3, BETA, **FULL), token(4, BETA, description="test")],
    [organization(), organization(BETA, status="truncated")],
)
MINE = "AAA001"
OTHERS = {each: catalogue()[each] for each in ("PRM001", "DOC002", "INV005", "COV001", "WVR001")}
"""Rules that find something, or would if they read what another rule may not change."""


def declared(judge: Callable[..., Any], **more: Any) -> dict[str, Rule]:
    """Some rules of ours, with one of another package before them."""
    texts = {"summary": "s", "rationale": "r", "remediation": "r", "controls": {}} | more
    return {MINE: rule(MINE, "mine", Severity.LOW, **texts)(judge), **OTHERS}


def skipped(judge: Callable[..., Any], **more: Any) -> Audit:
    return audited(COLLECTED, catalogue=declared(judge, **more), skip_broken_rules=True)


def findings(audit: Audit) -> set[tuple[str, str, str]]:
    return {(row["rule_id"], row["organization_id"], row["token_id"]) for row in audit.findings.records()}


def assert_broken(judge: Callable[..., Any], reason: str, **more: Any) -> None:
    """The rule is named with the reason, the audit never ends as passed, and all other rules say what they say."""
    with pytest.raises(BrokenRule) as raised:
        audited(COLLECTED, catalogue=declared(judge, **more))
    assert str(raised.value).startswith(f"rule {MINE} (mine) is broken: ")
    assert reason in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1

    audit = skipped(judge, **more)
    assert list(audit.broken) == [MINE]
    assert (audit.verdict.outcome, audit.verdict.exit_code) == ("incomplete", ExitCode.INCOMPLETE)
    assert audit.verdict.not_seen == (BETA,)
    assert findings(audit) == findings(audited(COLLECTED, catalogue=OTHERS))


class Speechless(Exception):  # noqa: N818 - what it is
    def __str__(self) -> str:
        raise SystemExit(0)


@pytest.mark.parametrize(
    "raised",
    [
        SystemExit(0),
        SystemExit(None),
        KeyboardInterrupt(),
        GeneratorExit(),
        MemoryError(),
        RecursionError("deep"),
        StopIteration(),
        BaseExceptionGroup("two", [SystemExit(0)]),
        click.exceptions.Exit(0),
        click.Abort(),
        Speechless(),
        ValueError("a\nlong " + "word " * 1000),
    ],
    ids=lambda raised: type(raised).__name__,
)
def test_whatever_a_rule_raises_it_is_that_rule_that_is_broken(raised: BaseException) -> None:
    def judge(_facts: Facts, _options: Options) -> Flags:
        raise raised

    assert_broken(judge, type(raised).__name__)


def test_a_rule_that_recurses_for_ever_is_broken() -> None:
    def judge(facts: Facts, options: Options) -> Flags:
        return judge(facts, options)

    assert_broken(judge, "RecursionError")


def test_a_person_s_interruption_is_none_of_the_rule_s_doing_even_if_it_swallows_it() -> None:
    def raises(_facts: Facts, _options: Options) -> Flags:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError

    def swallows(facts: Facts, _options: Options) -> Flags:
        with suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        return nothing(facts)

    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        for judge in (raises, swallows):
            watch_signals()
            with pytest.raises(KeyboardInterrupt):
                skipped(judge)
    finally:
        watch_signals()
        for number, handler in before:
            signal.signal(number, handler)


def test_what_a_rule_prints_does_not_reach_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    def judge(facts: Facts, _options: Options) -> Flags:
        print("debugging")  # noqa: T201 - the point
        return nothing(facts)

    assert not skipped(judge).broken
    assert capsys.readouterr() == ("", "debugging\n")


def nothing(facts: Facts) -> Flags:
    hit = facts.tokens.iloc[:0][[]]
    return flag(hit, pd.Series(dtype="string", index=hit.index))


def writable(array: np.ndarray) -> None:
    array.flags.writeable = True
    array[:] = ~array if array.dtype == bool else 0


ATTEMPTS: dict[str, Callable[[Facts], Any]] = {
    "a column of the organizations": lambda facts: facts.organizations.__setitem__("status", "complete"),
    "cells by label": lambda facts: facts.organizations.loc.__setitem__((slice(None), "status"), "complete"),
    "a cell by position": lambda facts: facts.tokens.iloc.__setitem__((0, 4), "harmless"),
    "a cell": lambda facts: facts.tokens.at.__setitem__((0, "approved"), True),
    "a new column": lambda facts: facts.tokens.insert(0, "mine", 1),
    "a column taken away": lambda facts: facts.tokens.pop("description"),
    "a row more": lambda facts: facts.organizations.loc.__setitem__(9, facts.organizations.loc[0]),
    "values": lambda facts: facts.tokens["is_audit_credential"].to_numpy().__setitem__(0, True),
    "values made writable": lambda facts: writable(facts.tokens["approved"].to_numpy()),
    "codes made writable": lambda facts: writable(facts.tokens["organization_id"].array.codes),
    "an array of texts": lambda facts: facts.tokens["description"].array.__setitem__(0, "harmless"),
    "an array of flags": lambda facts: facts.tokens["write_enabled"].array.__setitem__(0, False),
    "an array of instants": lambda facts: facts.tokens["expires_at"].array.__setitem__(0, pd.NaT),
    "an array of categories": lambda facts: facts.tokens["organization_id"].array.__setitem__(0, None),
    "the categories": lambda facts: facts.tokens["organization_id"].cat.categories.array.__setitem__(0, BETA),
    "the attrs": lambda facts: facts.tokens.attrs.update(mine=1),
    "the index": lambda facts: setattr(facts.tokens, "index", facts.tokens.index[::-1]),
    "the index's name": lambda facts: setattr(facts.tokens.index, "name", "mine"),
    "the columns": lambda facts: setattr(facts.tokens, "columns", facts.tokens.columns[::-1]),
    "the columns' name": lambda facts: setattr(facts.tokens.columns, "name", "mine"),
    "an attribute": lambda facts: setattr(facts, "tokens", facts.tokens.iloc[:0]),
    "an attribute all the same": lambda facts: object.__setattr__(facts, "organizations", facts.organizations.iloc[:0]),
    "a mask": lambda facts: facts.expired.__setitem__(slice(None), True),
    "a mask made writable": lambda facts: writable(facts.unapproved),
    "a mask exchanged": lambda facts: vars(facts).update(unapproved=~facts.unapproved),
    "a mask taken away": lambda facts: vars(facts).pop("expired"),
    "the organizations that were seen": lambda facts: facts.fully_seen.__setitem__(1, True),
    "the register": lambda facts: facts.register_entries.__setitem__("read_approved", True),
    "the lapses": lambda facts: facts.lapses.__setitem__("waiver_id", "mine"),
    "the catalogue": lambda _facts: catalogue().clear(),  # type: ignore[attr-defined]  # what a mapping lacks
    "a rule": lambda _facts: setattr(catalogue()["PRM001"], "severity", Severity.INFO),
    "a rule's controls": lambda _facts: catalogue()["PRM001"].controls.update(mine=("1",)),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("attempt", mostly_in_proof(ATTEMPTS))
def test_a_rule_that_changes_what_others_read_is_broken_and_changes_nothing(attempt: str) -> None:
    entries = register([{"organization_id": ACME, "token_id": token(1)["token_id"], "permissions": "none"}])

    def judge(facts: Facts, _options: Options) -> Flags:
        ATTEMPTS[attempt](facts)
        return nothing(facts)

    clean = audited(COLLECTED, register=entries, catalogue=OTHERS)
    audit = audited(COLLECTED, catalogue=declared(judge), register=entries, skip_broken_rules=True)

    assert list(audit.broken) == [MINE]
    assert findings(audit) == findings(clean)
    assert audit.verdict.not_seen == (BETA,)
    assert catalogue()["PRM001"].severity is Severity.HIGH
    with pytest.raises(BrokenRule, match=f"rule {MINE}"):
        audited(COLLECTED, catalogue=declared(judge), register=entries)


def test_a_rule_may_change_copies_and_keep_to_itself_what_it_computes() -> None:
    def judge(facts: Facts, _options: Options) -> Flags:
        mine = facts.tokens.copy()
        mine["approved"] = True
        mine.sort_values("token_id").assign(more=1).isna().to_numpy()
        mask = facts.unexpired.copy()
        mask[:] = False
        return nothing(facts)

    assert not skipped(judge).broken


def test_the_rules_of_this_package_keep_to_what_is_asked_of_others() -> None:
    audit = audited(COLLECTED)
    facts = seal(
        Facts(
            audit.tokens.assign(approved=False, exceeds_purpose=True, register_row=-1),
            audit.organizations,
            pd.Timestamp(AS_OF),
            pd.Timestamp(AS_OF),
        )
    )
    for each in built_in():
        loan = Loan.of(facts)
        rows = len(facts.tokens if each.subject == "token" else facts.organizations)
        options = OptionColumns((each.options(),), np.zeros(rows, dtype="int64")) if each.by_row else each.options()
        flags = each.judge(loan.facts, options)
        assert (each.id, loan.change()) == (each.id, None)
        check_flags(each, flags, facts)


def said(facts: Facts, **more: Any) -> Flags:
    """A finding on each of the four tokens; `more` overrides."""
    texts = pd.Series("Is a token.", facts.tokens.index, dtype="string")
    return Flags(**{"rows": facts.tokens.index, "message": texts, "evidence": pd.DataFrame(index=range(4))} | more)


def column(*values: Any, **more: Any) -> pd.Series:
    return pd.Series(list(values), **more)


OUTPUTS: dict[str, tuple[Callable[[Facts], Any], str]] = {
    "nothing": (lambda _: None, "returned NoneType, not Flags"),
    "a list": (lambda facts: [said(facts)], "returned list, not Flags"),
    "a generator": (lambda facts: (each for each in [said(facts)]), "returned generator, not Flags"),
    "rows as flags": (lambda facts: said(facts, rows=pd.Index([True] * 4)), "rows must be positions"),
    "rows as fractions": (lambda facts: said(facts, rows=pd.Index([0.0, 1.0, 2.0, 3.0])), "rows must be positions"),
    "rows as ids": (lambda facts: said(facts, rows=pd.Index(facts.tokens["token_id"])), "rows must be positions"),
    "rows with nulls": (lambda facts: said(facts, rows=pd.array([0, 1, 2, None], dtype="Int64")), "with nulls"),
    "rows as a number": (lambda facts: said(facts, rows=4), "rows is of type int"),
    "a negative row": (lambda facts: said(facts, rows=pd.Index([0, 1, 2, -1])), "rows must lie between 0 and 3"),
    "a row beyond": (lambda facts: said(facts, rows=pd.Index([0, 1, 2, 4])), "rows must lie between 0 and 3"),
    "a huge row": (lambda facts: said(facts, rows=pd.Index([2**64 - 1] * 4, dtype="uint64")), "rows must lie"),
    "a row twice": (lambda facts: said(facts, rows=pd.Index([0, 1, 2, 2])), "flags one token twice"),
    "one text for all": (lambda facts: said(facts, message="Is a token."), "message is of type str"),
    "too few messages": (lambda facts: said(facts, message=column("a", "b")), "message has 2 values for 4 findings"),
    "messages as numbers": (lambda facts: said(facts, message=column(1, 2, 3, 4)), "message must be texts"),
    "messages of all kinds": (lambda facts: said(facts, message=column("a", 1, None, b"")), "message must be texts"),
    "a null message": (lambda facts: said(facts, message=column("a", None, "c", "d")), "message is null in 1 of 4"),
    "a blank message": (lambda facts: said(facts, message=column("a", " \n", "c", "d")), "message is blank"),
    "an endless message": (lambda facts: said(facts, message=column(*["a" * 10_001] * 4)), "message has 10,001"),
    "half a character": (lambda facts: said(facts, message=column(*["\ud800"] * 4)), ""),
    "an unknown severity": (lambda facts: said(facts, severity="severe"), "severity severe is none of info"),
    "an unknown tier": (
        lambda facts: said(facts, severity=np.array(["high", "low", "high", "HIGH"])),
        "severity HIGH is none of",
    ),
    "a severity as a number": (lambda facts: said(facts, severity=4), "severity is of type int"),
    "severities as numbers": (lambda facts: said(facts, severity=[1, 2, 3, 4]), "severity 1 is none of"),
    "no severity": (lambda facts: said(facts, severity=["high", None, "low", "low"]), "is none of"),
    "too many severities": (lambda facts: said(facts, severity=["high"] * 5), "severity has 5 values"),
    "due on a day": (lambda facts: said(facts, due_at=column(*[date(2026, 1, 1)] * 4)), "due_at must be instants"),
    "due at a text": (lambda facts: said(facts, due_at=column(*["2026-01-01"] * 4)), "due_at must be instants"),
    "due in no zone": (
        lambda facts: said(facts, due_at=pd.Series(pd.date_range("2026-01-01", periods=4))),
        "due_at must be instants with a time zone",
    ),
    "due in the year 10000": (
        lambda facts: said(facts, due_at=pd.Series(np.array(["10000-01-01"] * 4, "M8[us]")).dt.tz_localize("UTC")),
        "due_at must lie in the years 1 to 9999",
    ),
    "due before the year 1": (
        lambda facts: said(facts, due_at=pd.Series(np.array(["-0001-01-01"] * 4, "M8[s]")).dt.tz_localize("UTC")),
        "due_at must lie in the years 1 to 9999",
    ),
    "discriminators as numbers": (lambda facts: said(facts, discriminator=column(1, 2, 3, 4)), "discriminator must be"),
    "null discriminators": (lambda facts: said(facts, discriminator=column("a", None, "c", "d")), "discriminator is"),
    "owners as numbers": (lambda facts: said(facts, owner=column(1, 2, 3, 4)), "owner must be texts"),
    "tokens of a token": (lambda facts: said(facts, token_rows=column(0, 1, 2, 3)), "token_rows is for rules on"),
    "evidence as a list": (lambda facts: said(facts, evidence=[{"a": 1}] * 4), "evidence is of type list"),
    "too little evidence": (lambda facts: said(facts, evidence=pd.DataFrame({"a": [1]})), "evidence has 1 rows for 4"),
    "evidence by numbers": (lambda facts: said(facts, evidence=pd.DataFrame([[1]] * 4)), "evidence must have a name"),
    "evidence named by half a character": (
        lambda facts: said(facts, evidence=pd.DataFrame([[1]] * 4, columns=pd.Index(["\ud800"], dtype=object))),
        "evidence must have a name of its own",
    ),
    "evidence twice": (
        lambda facts: said(facts, evidence=pd.DataFrame([[1, 2]] * 4, columns=["a", "a"])),
        "evidence must have a name of its own",
    ),
    **{
        f"evidence of {name}": (
            lambda facts, values=values: said(facts, evidence=pd.DataFrame({"seen": values})),
            f"evidence seen {reason}",
        )
        for name, values, reason in [
            ("lists", [[1]] * 4, "must be texts, numbers"),
            ("dictionaries", [{}] * 4, "must be texts, numbers"),
            ("objects", [object()] * 4, "must be texts, numbers"),
            ("all kinds", ["a", 1, 2.0, None], "must be texts, numbers"),
            ("decimals", [Decimal(1)] * 4, "must be texts, numbers"),
            ("bytes", [b"a"] * 4, "must be texts, numbers"),
            ("days", [date(2026, 1, 1)] * 4, "must be texts, numbers"),
            ("complex numbers", [1j] * 4, "must be texts, numbers"),
            ("durations", pd.to_timedelta([1, 2, 3, 4]), "must be texts, numbers"),
            ("instants in no zone", pd.date_range("2026-01-01", periods=4), "must be texts, numbers"),
            ("infinity", [1.0, 2.0, 3.0, float("inf")], "is infinite"),
        ]
    },
}


@pytest.mark.parametrize("output", mostly_in_proof(OUTPUTS))
def test_a_rule_that_returns_what_no_report_can_hold_is_broken(output: str) -> None:
    returned, reason = OUTPUTS[output]

    assert_broken(lambda facts, _options: returned(facts), reason)


def test_a_rule_on_organizations_never_points_at_another_organization_s_token() -> None:
    def judge(facts: Facts, _options: Options) -> Flags:
        texts = pd.Series("Has a token.", facts.organizations.index, dtype="string")
        return Flags(facts.organizations.index, texts, token_rows=column(0, 1), evidence=pd.DataFrame(index=range(2)))

    assert_broken(judge, "token_rows names a token of another organization", subject="organization")


def test_all_that_reports_can_hold_is_taken_as_it_is_meant() -> None:
    zone = datetime.fromisoformat("2026-12-01T00:00:00+02:00")

    def judge(_facts: Facts, _options: Options) -> Flags:
        seen = {
            "text": ["a", None, "c", "d"],
            "category": pd.Categorical(["x", "y", "x", None]),
            "flag": [True, False, None, True],
            "whole": pd.array([1, None, 3, 4], dtype="UInt8"),
            "fraction": np.array([0.5, np.nan, 1, 2], dtype="float32"),
            "instant": pd.to_datetime([zone] * 4),
            "of arrow": pd.array(["a", "b", "c", "d"], dtype="large_string[pyarrow]"),
        }
        return Flags(
            rows=pd.Index([0, 0, 2, 3], dtype="int32"),
            message=column("a", "b", "c", "d", dtype=object),
            severity=pd.Categorical(["info", "critical", "low", "high"]),
            due_at=pd.Series([zone, None, zone, zone], dtype="datetime64[ns, Europe/Helsinki]"),
            discriminator=column("1", "2", "", ""),
            evidence=pd.DataFrame(seen),
            owner=column("me", None, None, "you"),
        )

    audit = audited(COLLECTED, catalogue=declared(judge))
    mine = [row for row in audit.findings.records() if row["rule_id"] == MINE]
    first = next(row for row in mine if row["message"] == "a")
    assert [row["severity"] for row in mine] == ["critical", "high", "low", "info"]
    assert (first["due_at"], first["owner"]) == (pd.Timestamp("2026-11-30T22:00Z"), "me")
    assert first["evidence"] == {
        "text": "a",
        "category": "x",
        "flag": True,
        "whole": 1,
        "fraction": 0.5,
        "instant": pd.Timestamp("2026-11-30T22:00Z"),
        "of arrow": "a",
    }


def test_a_rule_that_changes_what_it_returned_changes_no_finding() -> None:
    evidence = pd.DataFrame({"number": [1, 2, 3, 4]})

    def returns(facts: Facts, _options: Options) -> Flags:
        return said(facts, evidence=evidence)

    def spoils(facts: Facts, _options: Options) -> Flags:
        evidence.loc[:, "number"] = 0
        return nothing(facts)

    rules = declared(returns) | {"AAA002": rule("AAA002", "two", "low", **TEXTS)(spoils)}  # type: ignore[arg-type]  # as people write it
    audit = audited(COLLECTED, catalogue=rules)
    numbers = [row["evidence"]["number"] for row in audit.findings.records() if row["rule_id"] == MINE]
    assert sorted(numbers) == [1, 2, 3, 4]


TEXTS: dict[str, Any] = {"summary": "s", "rationale": "r", "remediation": "r", "controls": {}}


class NeedsOne(Options):
    it: int


@pytest.mark.parametrize(
    ("declaration", "reason"),
    [
        ({"rule_id": "ZZ1"}, "three capital letters and three digits"),
        ({"rule_id": "ZZZ００１"}, "three capital letters and three digits"),  # noqa: RUF001 - digits all the same
        ({"severity": "severe"}, "severity must be one of info"),
        ({"severity": None}, "severity must be one of info"),
        ({"summary": " "}, "summary must be a text that is not empty"),
        ({"name": 1}, "name must be a text that is not empty"),
        ({"remediation": "half a character: \ud800"}, "remediation must be a text that is not empty"),
        ({"controls": {"SOC 2": "CC6.1"}}, "controls must be such as"),
        ({"controls": ["SOC 2"]}, "controls must be such as"),
        ({"subject": "badge"}, "subject must be one of token, organization"),
        ({"needs": "luck"}, "needs must be one of nothing"),
        ({"options": dict}, "options cannot be used"),
        ({"options": NeedsOne}, "options cannot be used"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused_where_it_is_made(
    declaration: dict[str, Any], reason: str
) -> None:
    whole = {"rule_id": "ZZZ001", "name": "mine", "severity": Severity.LOW, **TEXTS} | declaration

    with pytest.raises(ValueError, match=reason):
        rule(**whole)(lambda _facts, _options: None)


cells = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.binary(max_size=3), st.dates()
)
columns = st.one_of(st.none(), cells, st.lists(cells, max_size=5).map(lambda each: pd.Series(each, dtype=object)))


@given(fields=st.fixed_dictionaries({}, optional=dict.fromkeys(Flags.__slots__, columns)))
@settings(max_examples=30, deadline=None)
def test_whatever_a_rule_returns_it_is_either_broken_or_reported(fields: dict[str, Any]) -> None:
    audit = audited(
        COLLECTED,
        catalogue={MINE: declared(lambda facts, _options: said(facts, **fields))[MINE]},
        skip_broken_rules=True,
    )
    assert len(audit.broken) == (0 if any(row["rule_id"] == MINE for row in audit.findings.records()) else 1)
