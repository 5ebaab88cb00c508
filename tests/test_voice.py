"""Plain professional English: phrases that are always wrong stand in no text that a user or a contributor reads."""

import ast
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]

WRONG = (
    *(r"\bmend(?:s|ed|ing)?\b", r"\bgraver\b", r"\bgravest\b", r"\bwhoever\b", r"\breckon(?:ed|s)?\b", r"\bis amiss\b"),
    *(r"\bfully seen\b", r"\bwhat was seen\b", r"\bcould not be had\b", r"\bread alone\b", r"\bstands still\b"),
    *(r"\bmay be had\b", r"\bwrong usage\b", r"\bto pass over\b"),
    "What to do first",
    "What is coming",
    "How grave it is",
    "What the tokens may do",
    "Is it getting better",
    "Mended so far",
    "known, not seen now",
    "Faults in its dates",
    "Creator still there",
    "What was not looked at",
    "nobody has approved that",
    "more than the policy allows for the purpose",
    "from then on what uses it",
    "it works for ever",
    "Its value is also that of",
    "When the last one dies",
    "shows it the read-only tokens alone",
    "contradicted itself",
    "accepts it anew",
    "is past its date",
    "Going to ask",
    "cover nothing that is there",
    "others may read file",
    "is there already",
    "needed off a terminal",
    "Forget earlier audits",
    "is made to run for years",
    "Where a secret is kept",
)
"""What words.md replaces; regular expressions, without regard to case."""

STAYS = re.compile(r"time_to_mend|finding_states_mended")
"""Names that programs read."""

PATTERN = re.compile("|".join(WRONG), re.IGNORECASE)


def texts_of(path: Path) -> str:
    """Return what people read of a file: of Python its strings and docstrings, of others everything."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return content
    tree = ast.parse(content)
    return "\n".join(
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def files() -> list[str]:
    """Return the files whose texts are held to the vocabulary."""
    suffixes = {".py", ".html", ".js", ".md", ".toml", ".yml", ".yaml", ".json"}
    folders = ("credly_audit", "report_templates", "docs", "examples")
    found = [path for name in folders for path in (ROOT / name).rglob("*") if path.suffix in suffixes]
    paths = [*found, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def pages() -> list[str]:
    """Return the pages of the documentation."""
    paths = [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    ]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


@pytest.mark.parametrize("name", pages())
def test_identifiers_in_a_page_are_code(name: str) -> None:
    """Names outside of code are keys of the configuration, as messages write them, and no names of functions."""
    tokens = MarkdownIt().enable("table").parse((ROOT / name).read_text(encoding="utf-8"))
    words = [each.content for token in tokens for each in token.children or () if each.type == "text"]

    keys = set(re.findall(r'"([a-z_]+)": \{', (ROOT / "docs" / "credly-audit.schema.json").read_text(encoding="utf-8")))
    assert set(re.findall(r"\b[a-z]+_[a-z_]+\b", " ".join(words))) <= keys | {"next_step"}


@pytest.mark.parametrize("name", files())
def test_no_text_has_a_phrase_that_is_always_wrong(name: str) -> None:
    found = PATTERN.findall(STAYS.sub("", texts_of(ROOT / name)))

    assert found == []
