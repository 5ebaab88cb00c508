"""CSV, read back by Python's own reader and by pandas."""

import csv
import io
import re
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given

from credly_audit.audit.findings import COLUMNS
from credly_audit.audit.model import AUDITED_TOKENS
from credly_audit.snapshot import ORGANIZATIONS
from tests.build import ACME, BETA
from tests.renderers.rendering import clean, files, hostile, hostile_audit, of_all_kinds, tried

STARTS_A_FORMULA = re.compile(r"[\s\"]*[=+\-@|%＝＋－＠]")  # noqa: RUF001 - wide ones too


def tables(content: dict[str, bytes]) -> dict[str, list[dict[str, str]]]:
    return {
        suffix: list(csv.DictReader(io.StringIO(text.decode(), newline=""), strict=True))
        for suffix, text in content.items()
    }


def test_three_tables_hold_the_findings_the_tokens_and_the_organizations() -> None:
    read = tables(files("csv", of_all_kinds()))

    assert {suffix: tuple(rows[0]) for suffix, rows in read.items()} == {
        ".csv": COLUMNS,
        "-tokens.csv": (*AUDITED_TOKENS, "register", "consumers"),
        "-organizations.csv": tuple(ORGANIZATIONS),
    }
    assert {row["rule_id"] for row in read[".csv"]} == {"DOC006", "EXP001", "EXP002", "PRM001", "COV004", "DOC002"}
    assert len(read["-tokens.csv"]) == 6


def test_an_organization_that_was_not_seen_stands_there_with_its_status() -> None:
    statuses = {
        row["organization_id"]: row["status"] for row in tables(files("csv", of_all_kinds()))["-organizations.csv"]
    }

    assert statuses == {ACME: "complete", BETA: "failed"}


def test_an_audit_without_findings_is_a_header() -> None:
    assert files("csv", clean())[".csv"].decode() == ",".join(COLUMNS) + "\r\n"


def test_pandas_reads_the_types_back() -> None:
    read = pd.read_csv(
        io.BytesIO(files("csv", of_all_kinds())["-tokens.csv"]), parse_dates=["created_at", "expires_at"]
    )

    assert read["expires_at"][2].to_pydatetime() == datetime(2026, 11, 26, tzinfo=UTC)
    assert read["write_enabled"].tolist() == [True, False, False, False, False, False]
    assert read["date_faults"].isna().all()


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("=1+1", "'=1+1"),
        ("  @SUM(A1)", "'  @SUM(A1)"),
        ("a;=1+1", "a;'=1+1"),
        ('a;"=1+1"', 'a;\'"=1+1"'),
        ("a\t-1", "a\t'-1"),
        ("\t=1+1", "\t'=1+1"),
        ('a\t "\t =1+1', "a\t \"\t' =1+1"),
        ("one\n=two", "one =two"),
        ("it is a - b = c", "it is a - b = c"),
    ],
)
def test_a_formula_becomes_a_text(said: str, read: str) -> None:
    tokens = tables(files("csv", hostile_audit(said)))["-tokens.csv"]

    assert tokens[0]["description"] == read


@tried
@given(hostile)
def test_no_text_from_outside_begins_a_formula_or_a_line(text: str) -> None:
    for content in files("csv", hostile_audit(text)).values():
        rows = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))

        assert len({len(row) for row in rows}) == 1
        assert content.count(b"\n") == content.count(b"\r\n") == len(rows)
        assert not [cell for row in rows for cell in row if STARTS_A_FORMULA.match(cell)]
        assert not [
            part for row in rows for cell in row for part in re.split(r"[;\t]", cell) if STARTS_A_FORMULA.match(part)
        ]
