"""On which line of a TOML file each key stands, so that a mistake can be shown where it is."""

from functools import cache

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]


@cache
def _make_parser() -> Parser:
    return Parser(Language(tree_sitter_toml.language()))


def parsed(text: str) -> Node:
    """The document; what a node spans is counted in bytes of UTF-8."""
    return _make_parser().parse(text.encode()).root_node


def lines(text: str) -> dict[Path, int]:
    """The line (from 1) of each key path; an entry of an array, of tables too, is its position from 0."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    for node in parsed(text).named_children:
        if node.type == "table":
            _table(node, _path(node.named_children[0], counts), found)
        elif node.type == "table_array_element":
            name = _path(node.named_children[0], counts)
            counts[name] = counts.get(name, -1) + 1
            found.setdefault(name, node.start_point.row + 1)
            _table(node, (*name, counts[name]), found)
        else:
            _value(node, (), found)
    return found


def nearest(found: dict[Path, int], path: Path) -> int | None:
    """The line of the path, or of the longest beginning of it that stands in the file."""
    return next((found[path[:end]] for end in range(len(path), 0, -1) if path[:end] in found), None)


def _table(node: Node, path: Path, found: dict[Path, int]) -> None:
    found[path] = node.start_point.row + 1
    for child in node.named_children[1:]:
        _value(child, path, found)


def _value(node: Node, path: Path, found: dict[Path, int]) -> None:
    if node.type == "pair":
        path = (*path, *_keys(node.named_children[0]))
        found.setdefault(path, node.start_point.row + 1)
        _value(node.named_children[1], path, found)
    elif node.type == "inline_table":
        for child in node.named_children:
            _value(child, path, found)
    elif node.type == "array":
        entries = [child for child in node.named_children if child.type != "comment"]
        for position, child in enumerate(entries):
            found[*path, position] = child.start_point.row + 1
            _value(child, (*path, position), found)


def _path(key: Node, counts: dict[Path, int]) -> Path:
    """A table's path, in which a name of an array of tables stands for its latest entry."""
    path: Path = ()
    keys = _keys(key)
    for position, name in enumerate(keys):
        path = (*path, name)
        if path in counts and position < len(keys) - 1:
            path = (*path, counts[path])
    return path


def _keys(node: Node) -> list[str]:
    if node.type == "dotted_key":
        return [name for child in node.named_children for name in _keys(child)]
    text = (node.text or b"").decode()
    return [text[1:-1] if node.type == "quoted_key" else text]
