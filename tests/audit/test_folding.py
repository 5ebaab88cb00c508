"""Two texts that a reader takes for the same, whatever their case, are the same to the audit."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credly_audit.text import fold
from tests.build import audited, snapshot, token

SAME = [
    ("Größe der Straße im Werk", "GRÖSSE DER STRASSE IM WERK"),
    ("Größe der Straße im Werk", unicodedata.normalize("NFD", "größe der straße im werk")),
    ("ΣΊΣΥΦΟΣ aus dem Werk", "σίσυφος aus dem werk"),
    ("Ärger mit dem Werk", unicodedata.normalize("NFD", "ÄRGER mit dem Werk")),
    ("ﬁnance badges of the team", "FINANCE BADGES of the team"),
    ("Moodle connector of the team", "MOODLE  connector OF the TEAM "),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_descriptions_that_differ_in_case_alone_are_duplicates(one: str, other: str) -> None:
    audit = audited(snapshot([token(1, description=one), token(2, description=other), token(3)]))

    found = {row["token_id"]: row["finding_id"] for row in audit.findings.records() if row["rule_id"] == "DOC005"}
    assert set(found) == {token(1)["token_id"], token(2)["token_id"]}


def test_finding_ids_do_not_depend_on_the_description() -> None:
    audits = [audited(snapshot([token(1, description=text), token(2, description=text)])) for text in ("test", "TEST")]

    ids = [
        sorted(row["finding_id"] for row in audit.findings.records() if row["rule_id"] == "DOC005") for audit in audits
    ]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 2


@pytest.mark.parametrize("text", ["TO\u212aEN", "Te\u017ft", "ToDo!"])
def test_a_placeholder_is_one_in_any_case(text: str) -> None:
    audit = audited(snapshot([token(1, description=text)]))

    assert "DOC002" in {row["rule_id"] for row in audit.findings.records()}


@given(text=st.text())
def test_folding_does_not_know_how_accents_are_written(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))
    if text.isascii():
        assert fold(text) == text.lower()
