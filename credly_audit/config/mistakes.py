"""Finding in a configuration, a sentence a mistake: file, line, key, what is wrong, what to do."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

Location = tuple[str | int, ...]


def describe_mistakes(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Location, str]]:
    """Where and what each mistake is; never what was written there, which could be a secret."""
    for each in error.errors(include_url=False, include_input=False):
        if each["type"] == "default_factory_not_called":
            continue  # it only says that another mistake was made
        location = tuple(part for part in each["loc"] if part != "[key]")
        yield location, f"{dotted(location)}: {_describe_mistake(each['type'], each['msg'], location, model)}"


def dotted(location: Location) -> str:
    """`organizations[2].id`: entries are counted from 1."""
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _describe_mistake(kind: str, message: str, location: Location, model: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        return f"unknown key{_suggest_nearest(str(location[-1]), _list_known(model, location[:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind in {"tuple_type", "list_type"}:
        return "must be a list"
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _suggest_nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"


def _list_known(model: type[BaseModel], location: Location) -> list[str]:
    """The keys of the table at a location."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _find_model(model.model_fields[part].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items() if field.init is not False]


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _find_model(each))), None)
