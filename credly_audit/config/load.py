"""Reads the configuration file and the organizations beside it; says everything that is wrong in one pass."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from credly_audit.config.decisions import read_configured_decisions
from credly_audit.config.digest import digest_of
from credly_audit.config.mistakes import describe_mistakes
from credly_audit.config.settings import Defaults, Organization, Settings
from credly_audit.config.source import Source
from credly_audit.errors import ConfigurationError
from credly_audit.rules import require_all_rules
from credly_audit.tables.table import Row, Titles, read_table
from credly_audit.tables.values import read_text

COLUMNS = ("id", "name", "contact", "tags", "token")

TITLES = Titles(COLUMNS, needed=(("id",),), codes=frozenset({"id", "token"}))


def load(
    path: Path,
    environ: Mapping[str, str],
    *,
    for_collecting: bool = True,
    waivers_file_needed: bool = True,
    all_rules: bool = True,
) -> Settings:
    """The settings of a file; CREDLY_API_URL overrides `[api] base_url`.

    ConfigurationError with every mistake. For collecting, there must be an organization and each needs a credential.
    Unless it is needed, the waivers_file may be one that is still to be made. BrokenRule where the rules of another
    package cannot be loaded and all are needed.
    """
    if all_rules:
        require_all_rules()
    source = Source(path)
    raw = dict(source.raw)
    if url := environ.get("CREDLY_API_URL"):
        api = raw.get("api", {})
        raw["api"] = api | {"base_url": url} if isinstance(api, dict) else api
    settings = None
    try:
        settings = Settings.model_validate(raw, context={"folder": path.parent})
    except ValidationError as error:
        for location, sentence in describe_mistakes(error, Settings):
            if location == ("api", "base_url") and url:
                source.mistakes.append(f"CREDLY_API_URL: {sentence.partition(': ')[2]}")
            else:
                source.mistake(location, sentence)
    organizations = [*_read_inline(source, settings), *_read_file(source)]
    _judge_together(source, organizations, for_collecting=for_collecting)
    _check_consumers(source, settings, organizations)
    waivers, plans, places = read_configured_decisions(source, settings, file_needed=waivers_file_needed)
    if settings is None or source.mistakes:
        raise ConfigurationError(source.mistakes)
    filled = tuple(_apply_defaults(each, settings.defaults) for each in organizations)
    return settings.model_copy(
        update={
            "file": path,
            "organizations": filled,
            "configured": frozenset(each.id for each in organizations),
            "digest": digest_of(settings, filled),
            "waivers": waivers,
            "plans": plans,
            "decision_places": places,
        }
    )


def _read_inline(source: Source, settings: Settings | None) -> Iterator[Organization]:
    """The `[[organizations]]`, each with its place; those that are sound, where others are not."""
    if settings is not None:
        for position, organization in enumerate(settings.organizations):
            yield organization.model_copy(update=_place(source, position))
        return
    entries = source.raw.get("organizations", [])
    for position, entry in enumerate(entries if isinstance(entries, list) else []):
        try:
            yield Organization.model_validate(entry).model_copy(update=_place(source, position))
        except ValidationError:
            continue


def _place(source: Source, position: int) -> dict[str, Any]:
    line = source.line(("organizations", position))
    return {"file": source.path, "line": line, "place": f"{source.path}:{line}"}


def _read_file(source: Source) -> Iterator[Organization]:
    """The rows of organizations_file; mistakes are noted with the file's name and their row."""
    path = source.named_file("organizations_file")
    if path is None:
        return
    try:
        table = read_table(path, TITLES)
    except ConfigurationError as error:
        source.mistakes += error.mistakes
    except OSError as error:
        source.mistake(("organizations_file",), f"organizations_file: {path} cannot be read ({error.strerror})")
    else:
        source.mistakes += [
            f"{path}: unknown column {name!r} ({letter}); the columns are {', '.join(COLUMNS)}"
            for name, letter in table.others.items()
        ]
        for row in table.rows:
            yield from _read_row(source, path, row)


def _read_row(source: Source, path: Path, row: Row) -> Iterator[Organization]:
    place = row.place if row.sheet else f"{path}:{row.number}"
    if row.faults:
        source.mistakes += [f"{place}: {fault}" for fault in row.faults.values()]
        return
    said: dict[str, Any] = {name: read_text(row.cells[name]) for name in COLUMNS if name in row.cells}
    if "tags" in said:
        said["tags"] = [tag.strip() for tag in said["tags"].replace(";", ",").split(",") if tag.strip()]
    try:
        organization = Organization.model_validate(said)
    except ValidationError as error:
        source.mistakes += [f"{place}: {sentence}" for _, sentence in describe_mistakes(error, Organization)]
    else:
        yield organization.model_copy(update={"file": path, "line": row.number, "place": place})


def _judge_together(source: Source, organizations: list[Organization], *, for_collecting: bool) -> None:
    """What no entry shows alone: none at all, one twice, one without a credential."""
    if for_collecting and not organizations and not source.mistakes:
        source.mistake((), "no organization; add [[organizations]] or organizations_file")
    many = Counter(organization.id for organization in organizations)
    seen: set[str] = set()
    defaults = source.raw.get("defaults")
    for each in organizations:
        if each.id in seen:
            source.mistakes.append(f"{each.place}: organization {each.id} is listed {many[each.id]} times; keep one")
        elif each.oauth and (each.token or each.rotate):
            which = "`token`" if each.token else "`rotate`, which needs a token"
            source.mistakes.append(f"{each.place}: {each.called} has `oauth` and {which}; keep one")
        elif (
            for_collecting
            and each.token is None
            and each.oauth is None
            and not (isinstance(defaults, dict) and "token" in defaults)
        ):
            source.mistakes.append(
                f"{each.place}: {each.called} has no credential; give it `token` or `oauth`, or set [defaults] token"
            )
        seen.add(each.id)


def _check_consumers(source: Source, settings: Settings | None, organizations: list[Organization]) -> None:
    """Note the organizations of consumers that are not configured."""
    known = {organization.id for organization in organizations}
    for position, consumer in enumerate(settings.consumers if settings else ()):
        for each in consumer.organizations:
            if each not in known:
                location = ("consumers", position, "organizations")
                source.mistake(location, f"consumers[{position + 1}].organizations: {each} is not configured")


def _apply_defaults(organization: Organization, defaults: Defaults) -> Organization:
    """What it does not say itself; a store that belongs to the default credential is not another credential's."""
    if organization.oauth:
        return organization
    filled: dict[str, Any] = {
        name: getattr(defaults, name).replace("{id}", organization.id)
        for name in ("token", "store", "read_back")
        if getattr(organization, name) is None and getattr(defaults, name) is not None
    }
    return organization.model_copy(update=filled | {"from_defaults": "token" in filled})
