"""The pages for contributors are right: paths, packages, terms, and the recipe for a rule carried out on a copy."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from credly_audit.snapshot import STATUSES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = {
    "family": "expiry",
    "format": "sarif",
    "command": "rotate",
    "source": "environment",
    "number": "0001",
    "what": "first",
}
"""What stands for a placeholder of a path."""

MADE = {"credly-audit-demo/", "dist/", "dist/wheelhouse/"}
"""Paths that a command makes."""

PATH = re.compile(r"(?<![\w:/.<>-])(?:(?:[\w<>.-]+/)+(?:[\w<>.-]*[\w>])?|[\w<>-]+\.(?:py|md|toml))(?![\w/])")


def part_of(page: str, title: str) -> str:
    """Return what stands under a heading, up to the next one of any level that is no deeper."""
    level = re.search(rf"^(#+) {re.escape(title)}$", page, re.MULTILINE)
    assert level, title
    rest = page[level.end() :]
    return re.split(rf"^#{{1,{len(level[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows_of(table: str) -> list[list[str]]:
    """Return the cells of a table's rows, without its head."""
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    return rows[2:]


def paths_in(text: str) -> list[str]:
    """Return the paths that a text names outside of code blocks and tables, each placeholder as its example."""
    prose = re.sub(r"^```.*?^```$|^\|[^\n]*$|\]\([^)]*\)", "", text, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(r"<(\w+)>", lambda name: EXAMPLES[name[1]], path) for path in PATH.findall(prose)]


@pytest.mark.parametrize("page", [PAGE, CONTRIBUTING], ids=["development.md", "CONTRIBUTING.md"])
def test_every_path_that_a_page_names_is_there(page: str) -> None:
    named = set(paths_in(page)) - MADE

    assert len(named) > 3
    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", [PAGE, CONTRIBUTING], ids=["development.md", "CONTRIBUTING.md"])
def test_every_make_target_that_a_page_names_is_there(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", page, re.MULTILINE))

    assert named
    assert named <= targets


def test_the_table_of_packages_is_the_package_in_the_order_of_its_layers() -> None:
    table = [re.findall(r"`([^`]+)`", row[0]) for row in rows_of(part_of(PAGE, "Packages"))]
    named = [entry.removesuffix("/").removesuffix(".py") for row in table for entry in row]
    there = {
        path.stem
        for path in (ROOT / "credly_audit").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and not path.stem.startswith("__")
    }
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]
    layer_of = {entry: number for number, layer in enumerate(contract["layers"]) for entry in layer.split(" : ")}

    assert len(named) == len(set(named))
    assert set(named) == there == set(layer_of) - {"__main__"}
    assert [layer_of[entry] for entry in named] == sorted(layer_of[entry] for entry in named)


def sources() -> str:
    """Return the text of all modules of the package."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "credly_audit").rglob("*.py")))


def test_every_term_of_the_glossary_is_one_of_the_code() -> None:
    terms = dict(rows_of(part_of(PAGE, "Glossary")))
    code = sources().lower()
    quoted = {word for meaning in terms.values() for word in re.findall(r"`([^`]+)`", meaning)}

    assert list(terms) == sorted(terms)
    assert len(terms) > 20
    assert {term for term in terms if term not in code} == set()
    assert {word for word in quoted if re.split("[A-Z]{4}", word)[0].lower() not in code} == set()
    assert set(re.findall(r"`([^`]+)`", terms["coverage"])) == set(STATUSES)


RULE = """
from credly_audit.instants import DAY


@rule(
    "EXP099",
    "token-expires-today",
    Severity.CRITICAL,
    summary="The token expires within a day.",
    rationale="What uses it stops tomorrow.",
    remediation="Rotate the token today.",
    controls=EXPIRING,
)
def token_expires_today(facts: Facts, _: Options) -> Flags:
    hit = facts.tokens.loc[facts.unexpired & (facts.tokens["expires_at"] - facts.as_of <= DAY), ["expires_at"]]
    message = sentence("Expires on {day}.", day=day(hit["expires_at"]))
    return flag(hit, message, expires_at=hit["expires_at"])
"""
RESTATED = """

def exp099(token: Row) -> str | None:
    return "critical" if token["expires_at"] is not None and token["expires_at"] <= AS_OF + DAY else None


RULES["EXP099"] = per_token(exp099)
"""
CASES = """EXPIRY = [
    Case("EXP099", "within a day", "critical", one(expires_at=at(1))),
    Case("EXP099", "a tick later", None, one(expires_at=at(1, 1))),
"""


def modules_of(target: str) -> list[str]:
    """Return the Python modules that a target of the Makefile runs."""
    rules = (ROOT / "Makefile").read_text(encoding="utf-8").split("\n\n")
    recipe = next(each for each in rules if each.startswith(f"{target}:"))
    return re.findall(r"/python -m (\S+)", recipe)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the checkout, as far as the recipe needs it."""
    left_out = shutil.ignore_patterns("node_modules", ".*", "pictures")
    for path in ROOT.iterdir():
        if path.is_dir() and path.name in {"credly_audit", "docs", "report_templates", "sample_data", "tests"}:
            shutil.copytree(path, tmp_path / path.name, ignore=left_out)
        elif path.suffix in {".md", ".toml"} or path.name == "Makefile":
            shutil.copy(path, tmp_path)
    return tmp_path


def execute(copy: Path, *command: str) -> str:
    """Run Python in the copy, whose package it imports; return what it printed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_rule_that_is_added_by_the_recipe_is_in_the_catalogue_the_page_and_the_tests(copy: Path) -> None:
    steps = re.findall(r"^\d+\. `?((?:make )?[\w<>/.]*\w)`?[.:]", part_of(PAGE, "Add a rule"), re.MULTILINE)
    edits = {
        "credly_audit/rules/<family>.py": lambda text: text + RULE,
        "tests/rules/restated.py": lambda text: text + RESTATED,
        "tests/rules/test_boundaries.py": lambda text: text.replace("EXPIRY = [\n", CASES),
        "CHANGELOG.md": lambda text: text.rstrip() + "\n- The rule EXP099.\n",
    }
    assert [step for step in steps if step != "make docs"] == list(edits)

    for step in steps:
        if step == "make docs":
            for module in modules_of("docs"):
                execute(copy, "-m", module)
        else:
            path = copy / paths_in(step)[0]
            before = path.read_text(encoding="utf-8")
            path.write_text(edits[step](before), encoding="utf-8")
            assert path.read_text(encoding="utf-8") != before

    definitions = copy / "tests" / "rules" / "test_definitions.py"
    few = definitions.read_text(encoding="utf-8").replace("max_examples=30", "max_examples=8")  # they take long
    definitions.write_text(few, encoding="utf-8")
    assert re.search(r"EXP099 +token-expires-today +critical", execute(copy, "-m", "credly_audit", "rules", "list"))
    assert "### EXP099 token-expires-today" in (copy / "docs" / "rules.md").read_text(encoding="utf-8")
    tried = execute(
        copy, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider",
        "tests/rules/test_boundaries.py", "tests/rules/test_definitions.py", "tests/test_generated.py",
        "-k", "EXP099 or rules.md or (definitions_say and not thousand)",
    )  # fmt: skip
    assert re.search(r"\b6 passed", tried)
