"""A TOML file that people keep their decisions in, changed in place: not a byte of the rest of it moves.

What is added ends its lines as the file does, and begins and ends the file as it began and ended.
"""

import tomllib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import tomlkit
from tree_sitter import Node

from credly_audit.config.decision_models import Decision, Plan, Waiver
from credly_audit.config.lines import parsed
from credly_audit.policy.decision_workbook import Typed

T = TypeVar("T")

LISTS: dict[str, type[Decision]] = {"waivers": Waiver, "plans": Plan}

MARK = "\ufeff"

OF_ITS_KIND: dict[type[Decision], dict[str, str]] = {
    Waiver: {"owner": "approved_by", "until": "expires"},
    Plan: {"approved_by": "owner", "expires": "until"},
}
"""What a key is called where a plan becomes a waiver, or a waiver a plan."""


ABOUT_WHAT = {"rule", "organization", "token"}
"""The keys that say what a decision is about."""

OPTIONAL = {"reference", "source", "created_before"}
"""The keys that a decision may lack."""


class About(Generic[T]):
    """What is known of decisions, found by what a row of a workbook is about, however many there are."""

    def __init__(self) -> None:
        self._by_subject: dict[tuple[str, str | None], list[tuple[T, Decision]]] = defaultdict(list)

    def add(self, known: T, decision: Decision) -> None:
        """Keep what is known of a decision."""
        self._by_subject[decision.organization, decision.token].append((known, decision))

    def remove(self, known: T, decision: Decision) -> None:
        """Forget it."""
        self._by_subject[decision.organization, decision.token].remove((known, decision))

    def every(self) -> list[T]:
        """Return all that is known."""
        return [known for each in self._by_subject.values() for known, _ in each]

    def about(self, row: Typed) -> list[T]:
        """Return what is known of the decisions that cover what the row is about."""
        subjects = [(row.subject[1], name) for name in (None, *sorted(row.names))]
        return [
            known for each in subjects for known, decision in self._by_subject.get(each, ()) if row.is_about(decision)
        ]


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """A decision that stands in the file, and the table that it is."""

    decision: Decision
    table: Node


@dataclass(slots=True)
class DecisionFile:
    """The file's text, what stands in it, and what is to become of it; bytes are counted from its beginning."""

    text: str
    mark: str = ""
    """The byte order mark that the file began with."""
    standing: "About[DecisionTable]" = field(default_factory=About)
    _edits: list[tuple[int, int, str]] = field(default_factory=list)
    _added: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, text: str) -> "DecisionFile":
        """What a sound file holds; ValueError where its decisions are no tables."""
        kept = cls(text.removeprefix(MARK), MARK if text.startswith(MARK) else "")
        said = tomllib.loads(kept.text)
        tables = {
            name: [node for node in parsed(kept.text).named_children if _is_entry_of(name, node)] for name in LISTS
        }
        for name, kind in LISTS.items():
            if len(said.get(name, [])) != len(tables[name]):
                raise ValueError(f"{name} is written as an inline list; write it as [[{name}]] tables")
            for entry, table in zip(said.get(name, []), tables[name], strict=True):
                decision = kind.model_validate(entry)
                kept.standing.add(DecisionTable(decision, table), decision)
        return kept

    def about(self, row: Typed) -> list[DecisionTable]:
        """Those that cover what a row of a workbook is about."""
        return self.standing.about(row)

    def add(self, decision: Decision) -> None:
        """Put a decision at the end of the file."""
        name = next(name for name, kind in LISTS.items() if isinstance(decision, kind))
        pairs = [f"{key} = {_format_toml(value)}\n" for key, value in _write_values(decision).items()]
        self._added.append(f"[[{name}]]\n{''.join(pairs)}")

    def replace(self, standing: DecisionTable, decision: Decision) -> None:
        """Change the table of a decision into that of another on the same; its id and its token stay as written."""
        name, *pairs = _read_values(standing.table)
        if type(standing.decision) is not type(decision):
            self._edit(name, next(name for name, kind in LISTS.items() if isinstance(decision, kind)))
        said = _write_values(decision)
        present = set()
        for pair in pairs:
            key, value = _read_values(pair)
            old = (key.text or b"").decode().strip("\"'")
            new = OF_ITS_KIND[type(decision)].get(old, old)
            if new != old:
                self._edit(key, new)
            present.add(new)
            if new in said and new not in ABOUT_WHAT:
                self._edit(value, _format_toml(said[new]))
            elif new in OPTIONAL:
                self._edit(pair, "")
        missing = [f"{key} = {_format_toml(said[key])}" for key in said if key not in present | ABOUT_WHAT]
        if missing:
            content = self.text.encode()
            line_end = content.find(b"\n", pairs[-1].end_byte)  # behind the comment of the last key
            end = len(content) if line_end < 0 else line_end - content[:line_end].endswith(b"\r")
            self._edits.append((end, end, "".join(f"{self._line_end}{line}" for line in missing)))
        self.standing.remove(standing, standing.decision)

    def remove(self, standing: DecisionTable) -> None:
        """Take the table of a decision out."""
        self._edit(standing.table, "")
        self.standing.remove(standing, standing.decision)

    def _edit(self, node: Node, text: str) -> None:
        self._edits.append((node.start_byte, node.end_byte, text))

    @property
    def changed(self) -> str:
        """The text with all that was put into it."""
        content, stands = self.text.encode(), 0
        parts = []
        for start, end, text in sorted(self._edits):
            parts += [content[stands:start], text.encode()]
            stands = end
        text = b"".join([*parts, content[stands:]]).decode()
        if self._added:
            text += self._between + "\n".join(self._added).replace("\n", self._line_end)
            text = text.removesuffix(self._line_end) if self._ends_abruptly else text
        return self.mark + text

    @property
    def _line_end(self) -> str:
        """How most lines of the file end."""
        return "\r\n" if self.text.count("\r\n") * 2 > self.text.count("\n") else "\n"

    @property
    def _ends_abruptly(self) -> bool:
        """Whether the last line has no end."""
        return bool(self.text.strip()) and not self.text.endswith("\n")

    @property
    def _between(self) -> str:
        """What sets the first table that is added apart from what stands before it: an empty line."""
        if not self.text.strip() or self.text.endswith(("\n\n", "\n\r\n")):
            return ""
        return self._line_end * (2 if self._ends_abruptly else 1)


def remove_decisions(text: str, ids: Collection[str]) -> tuple[str, list[str], str]:
    """Return a file's text without the decisions of these ids, the ids that it had, and their tables as they stood.

    ValueError where the file's decisions are no tables.
    """
    kept = DecisionFile.of(text)
    moved, tables = [], []
    for standing in kept.standing.every():
        if standing.decision.id in ids:
            moved.append(standing.decision.id)
            tables.append(f"{(standing.table.text or b'').decode().rstrip()}\n\n")
            kept.remove(standing)
    return kept.changed, moved, "".join(tables)


def _is_entry_of(name: str, node: Node) -> bool:
    return node.type == "table_array_element" and (node.named_children[0].text or b"").decode().strip("\"'") == name


def _read_values(node: Node) -> list[Node]:
    return [each for each in node.named_children if each.type != "comment"]


def _write_values(decision: Decision) -> dict[str, Any]:
    return {name: said for name, said in decision.model_dump(exclude={"id"}).items() if said is not None}


def _format_toml(value: Any) -> str:
    return tomlkit.item(value).as_string()
