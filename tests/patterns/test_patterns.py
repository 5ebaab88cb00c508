"""People's patterns mean what Python's `re` says, and no description keeps an audit waiting."""

import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.patterns.hostile import find_hostile_text
from credly_audit.patterns.search import Deadline, Search, TooSlow, check_pattern, compile_pattern
from credly_audit.patterns.translation import translate
from credly_audit.rules.facts import searched
from tests.build import audited, snapshot, token

ROOT = Path(__file__).parents[2]

KNOWN = "".join(
    letter
    for letter in map(chr, range(0x110000))
    if not 0xD800 <= ord(letter) <= 0xDFFF and unicodedata.category(letter) != "Cn"
)
"""Every character that this Python knows; `regex` may know newer ones."""

CASED = "".join(letter for letter in KNOWN if letter.lower() != letter or letter.upper() != letter)

CLASSES = [
    r"\w",
    r"\W",
    r"\d",
    r"\s",
    r"[\w-]",
    r"[^\w-]",
    r"[\W_]",
    r"[^\W\d_]",
    r"[\S\d]",
    r"\b",
    r"\B",
    r".",
    r"(?s).",
    r"(?a)\w",
    r"(?a)\s",
    r"(?a:\w)\s",
    r"(?i)[a-z]",
    r"(?i)[^a-z]",
    r"(?i)[^i]",
    r"(?i)[à-ÿ]",
    r"(?ai)[a-z]",
    r"(?ai)[^X-c]",
    r"[[:alpha:]]",
]


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@pytest.mark.parametrize("pattern", CLASSES)
def test_a_class_of_characters_has_the_members_that_python_gives_it(pattern: str) -> None:
    found = [match.start() for match in regex.finditer(translate(pattern), KNOWN, regex.V0)]

    assert found == [match.start() for match in re.finditer(pattern, KNOWN)]


def test_where_case_does_not_count_letters_are_those_that_python_takes_for_one() -> None:
    for letter in CASED:
        pattern = f"(?i){re.escape(letter)}"
        assert regex.findall(translate(pattern), CASED, regex.V0) == re.findall(pattern, CASED), letter


ATOMS = (
    r"a B é ß İ i k _ - \. . \w \W \d \s \S [a-f] [^b-] [\W_] [^\W\d] [\w.-] []a] { } {e} {,2 \x41 # && \101 [[:a:]]"
)
atoms = st.sampled_from([*ATOMS.split(), " ", r"\N{DIGIT ONE}"])
anchors = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\Z"])
quantifiers = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{,2}", "++"])
patterns = st.recursive(
    st.builds(lambda atom, many: atom + many, atoms, quantifiers) | anchors,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"(?:{'|'.join(each)})"),
        st.builds(lambda each, many: f"(?:{each}){many}", inner, st.sampled_from(["", "?", "{1,2}"])),
        inner.map(lambda each: f"({each})"),
        st.builds("{0}{1})".format, st.sampled_from(["(?=", "(?!", "(?>", "(?i:", "(?s:", "(?-i:"]), inner),
    ),
    max_leaves=6,
)
flags = st.sampled_from(["", "(?i)", "(?m)", "(?s)", "(?x)", "(?a)", "(?ai)"])
LETTERS = "aAbBcéÉßẞİiIkK \t\n\x1c_-.{}e,2²٣1#&\u0131\u017f\u0301"  # with i without a dot, long s, an accent alone
texts = st.text(st.sampled_from(LETTERS), max_size=12)


@pytest.mark.filterwarnings("ignore:Possible :FutureWarning")
@given(flag=flags, pattern=patterns, several=st.lists(texts, min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_pattern_is_found_where_python_finds_it(flag: str, pattern: str, several: list[str]) -> None:
    try:
        ours = re.compile(flag + pattern)
    except re.error:
        with pytest.raises(ValueError, match="is not a regular expression"):
            compile_pattern(flag + pattern)
        return
    found = Search(pd.Series(several, dtype="string")).find(flag + pattern)

    expected = [bool(ours.search(text)) for text in several]
    empty_inside = [text == "" and r"\B" in pattern for text in several]  # Python changed its mind in 3.14
    assert [e for e, odd in zip(found.tolist(), empty_inside, strict=True) if not odd] == [
        e for e, odd in zip(expected, empty_inside, strict=True) if not odd
    ]


def documented() -> list[str]:
    """The patterns that our documentation, the start of a configuration and the sample data show."""
    files = [*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "credly_audit/config/start.toml"]
    files += ROOT.glob("sample_data/**/*.toml")
    words = "\n".join(path.read_text() for path in files)
    quoted = re.findall(r"pattern = ('[^'\n]+'|\"[^\"\n]+\")", words)
    required = re.findall(r"required_patterns = \{(.*)\}", words)
    quoted += [each for line in required for each in re.findall(r"= ('[^']+')", line)]
    return sorted({each[1:-1] for each in quoted})


def test_the_documented_patterns_are_looked_at() -> None:
    assert len(documented()) > 6


@pytest.mark.parametrize("pattern", documented())
def test_the_patterns_that_we_show_are_allowed_and_keep_no_audit_waiting(pattern: str) -> None:
    assert check_pattern(pattern) == pattern
    assert find_hostile_text(pattern) is None
    hostile = pd.Series(["Reports for HR", "jane.doe@acme.example IT-12", "issue badges", "a" * 5_000, "a." * 2_500])
    ours = re.compile(pattern)
    assert Search(hostile).find(pattern).tolist() == [bool(ours.search(text)) for text in hostile]


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "report|administration|",
        "a*",
        "(?i)",
        "^",
        "$",
        "^$",
        r"\b",
        r"\B",
        "(?=)",
        "x?",
        "(a|)",
        "(?!x)",
        r"\s*",
        "|",
    ],
)
def test_a_pattern_that_asks_for_no_letter_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"matches the empty text .* write `\.\+`"):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", [".+", ".", r"\w", "(?=.*report)", "(?<=HR )report", r"^\S", "(?!x)report", "a+"])
def test_a_pattern_that_asks_for_a_letter_is_allowed(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


SLOW, SLOW_TEXT = "(a|aa)+$", "a" * 60 + "!"
HARD = [
    SLOW,
    r"(\w+\s?)+$",
    "report: (x|xx|y)+!",
    "(.*a){12}b",
    "(?:(?:a+)+)+;",
    "^(a|b|ab)*c$",
]


@pytest.mark.parametrize("pattern", HARD)
def test_a_pattern_that_some_text_keeps_busy_is_found_out(pattern: str) -> None:
    assert find_hostile_text(pattern) is not None


def test_a_pattern_is_stopped_after_a_second_and_named_with_its_place() -> None:
    with pytest.raises(TooSlow, match="stopped after 1 s") as raised:
        Search(pd.Series(["a", SLOW_TEXT])).find(SLOW, place="policy.purposes[1].pattern")

    assert str(raised.value).startswith(f"policy.purposes[1].pattern: the pattern '{SLOW}' was stopped")
    assert len(str(raised.value).splitlines()) == 1


def test_patterns_together_have_a_deadline_too() -> None:
    deadline = Deadline(spent=9.95)

    with pytest.raises(TooSlow, match="stopped after 10 s in all"):
        Search(pd.Series([SLOW_TEXT]), deadline).find(SLOW)


def test_what_ordinary_searches_take_does_not_add_up_to_the_deadline() -> None:
    deadline = Deadline(spent=10.5, searches=1_000_000)

    assert Search(pd.Series([f"report {number}" for number in range(2_000)]), deadline).find("report").all()


def test_each_different_description_is_searched_once() -> None:
    deadline = Deadline()
    search = Search(pd.Series(["report", None, "report", "crm", "report"], dtype="string"), deadline)

    assert search.find("report").tolist() == [True, False, True, False, True]
    assert search.find("report", np.array([4, 1])).tolist() == [True, False]
    assert search.find("crm", np.array([0, 2])).tolist() == [False, False]
    assert search.find("crm").tolist() == [False, False, False, True, False]
    assert deadline.searches == 4


def test_a_rule_of_another_package_searches_likewise() -> None:
    assert searched(pd.Series(["IT-12", None, "none"], dtype="string"), r"\bIT-\d+\b|^$").tolist() == [
        True,
        False,
        False,
    ]


FULL = {"read_enabled": True, "write_enabled": True, "delete_enabled": True}
APPROVES = {"pattern": SLOW, "allow": ["read", "write", "delete"]}


def test_an_audit_whose_pattern_is_stopped_says_which_and_never_no_match() -> None:
    collected = snapshot([token(1, description=SLOW_TEXT, **FULL)])

    with pytest.raises(TooSlow, match=r"^policy\.overrides\[2\]\.purposes\[1\]\.pattern: "):
        audited(
            collected,
            overrides=[{"tags": "none"}, {"tags": "prod", "purposes": [APPROVES]}],
            skip_broken_rules=True,
        )
    skipped = audited(collected, rules={"DOC004": {"required_patterns": {"owner": SLOW}}}, skip_broken_rules=True)
    assert (list(skipped.broken), skipped.verdict.outcome) == (["DOC004"], "incomplete")
    assert skipped.broken["DOC004"].startswith("[policy.rules.DOC004] required_patterns.owner: ")
