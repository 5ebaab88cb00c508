"""Keeps secret values out of what a team wrote itself, such as its register and decisions, and says where one was."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel

from credly_audit.audit.prior import Past
from credly_audit.config.decision_models import Decision
from credly_audit.config.presentation import Presentation
from credly_audit.config.settings import Consumer, PolicySettings, Settings
from credly_audit.policy.policy import Policy
from credly_audit.policy.register_file import Register
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.redaction import REDACTED, Redactor
from credly_audit.snapshot import TOKENS, Snapshot

MOST_ROWS_NAMED = 10

HOLDS = "holds what is, or looks like, a token's value"

ADVICE = f"it is {REDACTED} in every report; remove it there, and rotate that token"

T = TypeVar("T")
AnyDecision = TypeVar("AnyDecision", bound=Decision)


@dataclass(frozen=True, slots=True)
class OwnTexts:
    """What a team wrote, without secrets; `found` says, a sentence a place, where there were any."""

    policy: Policy
    presentation: Presentation
    found: tuple[str, ...] = ()


def make_redactor(snapshot: Snapshot, fingerprints: Fingerprints | None) -> Redactor:
    """Return what knows the values of a collection; under another key than the snapshot's it knows none."""
    header = snapshot.header
    if fingerprints is None or fingerprints.key_fingerprint != header.fingerprint_key:
        return Redactor(Fingerprints().digest)
    listed, asked = snapshot.tokens["fingerprint"].dropna(), snapshot.organizations["credential_fingerprint"].dropna()
    redactor = Redactor(fingerprints.digest)
    redactor.know_all([*listed, *asked, *header.other_fingerprints], header.value_lengths)
    return redactor


def redact_own_texts(policy: Policy, presentation: Presentation, settings: Settings, redactor: Redactor) -> OwnTexts:
    """Replace the known values in all of it, and what has the shape of one in the register.

    The policy's own settings stay as they are, since they decide: see `redact_settings`.
    """
    register, found = _redact_register(policy.register, redactor)
    waivers, in_waivers = _redact_decisions(policy.waivers, settings, redactor)
    plans, in_plans = _redact_decisions(policy.plans, settings, redactor)
    consumers = tuple(_redact_consumer(each, redactor) for each in policy.consumers)
    shown, in_presentation = _redact_presentation(presentation, settings, redactor)
    found += [*in_waivers, *in_plans, *in_presentation, *_find_in_settings(settings, redactor)]
    clean = replace(policy, register=register, waivers=waivers, plans=plans, consumers=consumers)
    return OwnTexts(clean, shown, tuple(found))


def redact_settings(settings: PolicySettings, redactor: Redactor) -> PolicySettings:
    """Return the policy's settings as reports may show them."""
    return _replace_texts(settings, _clean(_list_texts(settings), redactor, by_shape=True))


def redact_past(past: Past, redactor: Redactor) -> Past:
    """Return what earlier audits left without the values known now, which they may have recorded before."""

    def about(ids: pd.Series) -> pd.DataFrame:
        known = past.about(ids)
        return known.assign(description=_redact_column(known["description"], redactor)[0])

    def open_in(ids: pd.Series) -> pd.DataFrame:
        known = past.open_in(ids)
        return known.assign(organization_name=_redact_column(known["organization_name"], redactor)[0])

    return replace(past, about=about, open_in=open_in)


def redact_snapshot(snapshot: Snapshot, redactor: Redactor) -> Snapshot:
    """Return a snapshot whose texts were collected by others, or by an earlier version, without secrets."""
    tokens, organizations, applications = (
        frame.copy() for frame in (snapshot.tokens, snapshot.organizations, snapshot.applications)
    )
    for frame in (tokens, applications):
        frame["description"], counts = _redact_column(frame["description"], redactor)
        secrets = frame["secrets_in_description"].fillna(0).astype("int64") + counts
        frame["secrets_in_description"] = secrets.clip(upper=32_767).astype(TOKENS["secrets_in_description"])
    named = {"organization_name": tokens, "owner_id": tokens, "owner_name": tokens, "owner_type": tokens}
    for name, frame in (*named.items(), ("name", organizations), ("name", applications)):
        frame[name] = _redact_column(frame[name], redactor)[0]
    for name in ("reason", "contact", "tags"):
        organizations[name] = _redact_column(organizations[name], redactor, by_shape=False)[0]
    return Snapshot(snapshot.header, tokens, organizations, applications)


def _redact_column(
    column: pd.Series, redactor: Redactor, *, by_shape: bool = True
) -> tuple[pd.Series, NDArray[np.int64]]:
    """Return the texts without secrets, and how many each held."""
    texts = column.astype(object).where(column.notna(), None).tolist()
    clean, counts = redactor.redact_column(texts, by_shape=by_shape)
    return pd.Series(clean, index=column.index, dtype="string"), np.array(counts, dtype=np.int64)


def _redact_register(register: Register | None, redactor: Redactor) -> tuple[Register | None, list[str]]:
    if register is None:
        return None, []
    rows, found = register.entries["row"], []
    entries, extra = register.entries.copy(), register.extra.copy()
    for frame, names in ((entries, ("owner", "purpose", "consumers", "contact")), (extra, tuple(extra))):
        for name in names:
            frame[name], counts = _redact_column(frame[name], redactor)
            hit = rows[counts > 0].tolist()
            place = f"{register.path}: {f'{register.sheet} ' if register.sheet else ''}{_redact_rows(hit)}"
            found += [f"{place}: {redactor.redact(name)} {HOLDS}: {ADVICE}"] if hit else []
    extra.columns = pd.Index([redactor.redact(name) for name in extra])
    return replace(register, entries=entries, extra=extra), found


def _redact_consumer(consumer: Consumer, redactor: Redactor) -> Consumer:
    """Return the consumer without known values in the texts that reports show."""
    contact = None if consumer.contact is None else redactor.redact_values(consumer.contact)
    return consumer.model_copy(update={"name": redactor.redact_values(consumer.name), "contact": contact})


def _redact_rows(rows: list[int]) -> str:
    named = ", ".join(map(str, rows[:MOST_ROWS_NAMED]))
    more = f" and {len(rows) - MOST_ROWS_NAMED:,} more" if len(rows) > MOST_ROWS_NAMED else ""
    return f"row{'' if len(rows) == 1 else 's'} {named}{more}"


def _redact_decisions(
    decisions: tuple[AnyDecision, ...], settings: Settings, redactor: Redactor
) -> tuple[tuple[AnyDecision, ...], list[str]]:
    clean = _clean((text for each in decisions for text in _list_texts(each)), redactor)
    found = [
        f"{settings.decision_places.get(each.id, settings.file)}: {name} holds a token's value: {ADVICE}"
        for each in decisions
        for name in type(each).model_fields
        if getattr(each, name) in clean
    ]
    return tuple(_replace_texts(each, clean) for each in decisions), found


def _redact_presentation(
    presentation: Presentation, settings: Settings, redactor: Redactor
) -> tuple[Presentation, list[str]]:
    texts = [presentation.title, presentation.guidance, presentation.logo]
    [title, guidance, _], counts = redactor.redact_column(texts, by_shape=False)
    places = [f"{settings.file}: [report] title", f"{settings.report.guidance}: it", f"{settings.report.logo}: it"]
    found = [f"{place} holds a token's value: {ADVICE}" for place, count in zip(places, counts, strict=True) if count]
    logo = None if counts[-1] else presentation.logo
    return replace(presentation, title=title, guidance=guidance, logo=logo), found


def _find_in_settings(settings: Settings, redactor: Redactor) -> Iterator[str]:
    """Find where the configuration holds a value in a text that reports show."""
    texts = [text for each in settings.organizations for text in (each.name or "", each.contact or "", *each.tags)]
    clean = _clean([*texts, *_list_texts(settings.policy)], redactor)
    if not clean:
        return
    for each in settings.organizations:
        for name, said in {"name": (each.name,), "contact": (each.contact,), "tags": each.tags}.items():
            if any(text in clean for text in said):
                yield f"{each.place}: {name} holds a token's value: {ADVICE}"
    for name in type(settings.policy).model_fields:
        if any(text in clean for text in _list_texts(getattr(settings.policy, name))):
            yield f"{settings.file}: [policy] {name} holds a token's value: {ADVICE}"


def _clean(texts: Iterable[str], redactor: Redactor, *, by_shape: bool = False) -> dict[str, str]:
    """Return the texts that hold a value, and what replaces each."""
    different = list(dict.fromkeys(texts))
    clean, counts = redactor.redact_column(different, by_shape=by_shape)
    return {text: said or "" for text, said, count in zip(different, clean, counts, strict=True) if count}


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str | Path):
        yield str(value)
    elif isinstance(value, BaseModel):
        yield from (text for name in type(value).model_fields for text in _list_texts(getattr(value, name)))
    elif isinstance(value, Mapping):
        yield from (text for pair in value.items() for each in pair for text in _list_texts(each))
    elif isinstance(value, tuple | list | frozenset):
        yield from (text for each in value for text in _list_texts(each))


def _replace_texts(value: T, clean: Mapping[str, str]) -> T:
    """Return the same with other texts in it; what holds none of them is passed on unchanged."""
    if not clean:
        return value
    changed: Any = value
    if isinstance(value, str | Path):
        changed = type(value)(clean[str(value)]) if str(value) in clean else value
    elif isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        changed = value.model_copy(update={name: _replace_texts(each, clean) for name, each in fields.items()})
    elif isinstance(value, Mapping):
        changed = {_replace_texts(key, clean): _replace_texts(each, clean) for key, each in value.items()}
    elif isinstance(value, tuple | list | frozenset):
        changed = type(value)(_replace_texts(each, clean) for each in value)
    return cast("T", changed)
