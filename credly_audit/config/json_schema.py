"""The JSON Schema of the configuration file, for editors: made from the settings, fit for TOML, which has no null."""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from credly_audit.config import settings
from credly_audit.config.settings import Settings
from credly_audit.config.types import RULES, RULES_AND_FAMILIES, SELECTORS

NAMED = {
    "Rule": ("A rule, by its id.", RULES),
    "RuleOrFamily": ("A rule, by its id, or a family, by its three letters.", RULES_AND_FAMILIES),
    "Selector": ("What can make an audit fail.", SELECTORS),
}
"""Long lists of words, each said once."""


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    made = _tidy(Settings.model_json_schema(schema_generator=_Described))
    words = {name: {"description": about, "type": "string", "enum": enum} for name, (about, enum) in NAMED.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "credly-audit.toml",
        **made,
        "description": "The configuration of credly-audit.",
        "$defs": dict(sorted((made["$defs"] | words).items())),
    }


class _Described(GenerateJsonSchema):
    """Says of each key what stands under its field in the source of the settings.

    pydantic itself would look that up for every class whenever a command starts, a twentieth of a second for each.
    """

    def __init__(self, *options: Any, **more: Any) -> None:
        super().__init__(*options, **more)
        tree = ast.parse(inspect.getsource(settings))
        self._said = {each.name: dict(_describe_fields(each)) for each in tree.body if isinstance(each, ast.ClassDef)}

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """The schema of a table."""
        made = super().model_schema(schema)
        model = schema["cls"]
        for name, said in self._said.get(model.__name__, {}).items():
            key = model.model_fields[name].alias or name
            if key in made["properties"]:
                made["properties"][key]["description"] = said
        return made


def _describe_fields(table: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(table.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(ast.Constant(str(said))):
                    yield field.target.id, inspect.cleandoc(said)


def _tidy(node: Any) -> Any:
    """Without null, without titles that only repeat a key, and with the long lists referred to."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    name = next((name for name, (_, words) in NAMED.items() if node.get("enum") == list(words)), None)
    if name is not None:
        return {"$ref": f"#/$defs/{name}"}
    tidied = {
        key: _tidy(value) if key not in {"properties", "$defs"} else {name: _tidy(each) for name, each in value.items()}
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value in (None, {}))
    }
    if isinstance(tidied.get("default"), dict) and "$ref" in tidied:
        del tidied["default"]
    if "anyOf" in tidied:
        choices = [each for each in tidied.pop("anyOf") if each != {"type": "null"}]
        tidied |= choices[0] if len(choices) == 1 else {"anyOf": choices}
    return tidied
