"""Measure the structure of the package: `make structure`. The figures are there to look at, not to game."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import grimp

PACKAGE = "credly_audit"
ROOT = Path(__file__).parents[1]

VERBS = frozenset(
    """add align announce append apply ask assemble attach attempt back begin bind break build bundle call can
    carry check choose classify clean close collect combine compare compile complete compute conclude configure
    confirm connect contain convert copy count create decide decode delay delete deliver describe detect diff
    digest discard divide draft draw drop encode end enforce ensure enter escape estimate evaluate exchange
    execute expand explain export extend extract fail fetch fill filter find finish fit flag flatten fold follow
    forget format free freeze gather generate get give group handle has hash have hold ignore import include
    index init insert install interrupt is join judge keep know label launch leave limit link list load locate
    lock log look make map mark mask match measure merge migrate move must name narrow neutralize normalize note
    number open order pack pad parse pass pick place plan plot poll post prepare print probe process prove
    publish pull purge push put query quote raise reach read rebuild recall receive recognize record recover
    redact reduce refresh refuse register rehearse release remember remove rename render renew repeat replace
    report request require reserve reset resolve respect restore resume retry return reverse review revoke rewind
    rewrite rotate round run sanitize save scan search select send separate serve set settle shape shorten show
    shrink sign skip sort spell split start stop store strip style substitute suggest sum summarize take tell
    test tidy track transform translate trim try turn unpack update upload use validate verify wait walk warn
    watch weigh widen wrap write yield""".split()
)


def read_modules() -> dict[str, ast.Module]:
    """Return the syntax tree of each module of the package, migrations left out."""
    paths = sorted((ROOT / PACKAGE).rglob("*.py"))
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in paths if "migrations" not in path.parts
    }


def find_functions(tree: ast.Module) -> Iterator[str]:
    """Yield the names of functions and of methods that do something; properties and dunders are nouns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            decorators = {ast.unparse(each).split("(")[0].rpartition(".")[2] for each in node.decorator_list}
            nouns = {"property", "cached_property", "command", "group", "rule", "setter"}
            if not node.name.startswith("__") and not decorators & nouns:
                yield node.name


def measure() -> Iterator[tuple[str, str, str]]:
    """Yield name, figure and aim of each measure."""
    trees = read_modules()
    graph = grimp.build_graph(PACKAGE)
    top = {module for module in graph.modules if module.count(".") == 1 and not module.endswith("__main__")}
    arrows = {
        (".".join(importer.split(".")[:2]), ".".join(imported.split(".")[:2]))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }
    arrows = {(one, other) for one, other in arrows if one != other and one in top and other in top}
    classes = Counter(node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    folders = defaultdict(set)
    for path in trees:
        if Path(path).name != "__init__.py":
            folders[Path(path).name].add(str(Path(path).parent))
    names = [name for tree in trees.values() for name in find_functions(tree)]
    verbs = sum(re.split("_", name.lstrip("_"))[0] in VERBS for name in names)
    lines = sum(len((ROOT / path).read_text().splitlines()) for path in trees)
    yield "entries directly in credly_audit/", str(len(top)), "≤ 24"
    yield "arrows between them", str(len(arrows)), "≤ 120"
    yield "longest import chain between them", str(find_longest_chain(arrows)), "≤ 12"
    yield "class names defined more than once", str(sum(many > 1 for many in classes.values())), "0"
    yield "module names used in several packages", str(sum(len(each) > 1 for each in folders.values())), "≤ 4"
    yield "functions whose name starts with a verb", f"{100 * verbs // len(names)} %", "≥ 60 %"
    yield "lines (without migrations and templates)", f"{lines:,}", "≤ 22,000"


def find_longest_chain(arrows: set[tuple[str, str]]) -> int:
    """Return how many entries the longest chain of imports has; -1 where there is a cycle."""
    below = defaultdict(set)
    for one, other in arrows:
        below[one].add(other)
    lengths: dict[str, int] = {}

    def measure_from(entry: str, path: tuple[str, ...]) -> int:
        if entry in path:
            raise RecursionError
        if entry not in lengths:
            lengths[entry] = 1 + max((measure_from(each, (*path, entry)) for each in below[entry]), default=0)
        return lengths[entry]

    try:
        return max(measure_from(entry, ()) for entry in list(below))
    except RecursionError:
        return -1


def main() -> None:
    """Print the table."""
    for name, figure, aim in measure():
        print(f"{name:45}{figure:>8}   aim {aim}")  # noqa: T201 - the table is the output


if __name__ == "__main__":
    main()
