"""DOC: tokens whose description does not name their owner and purpose.

The description is the only text that Credly keeps with a token ([DOC] authorization tokens): there is no name, no tag
and no owner.
"""

from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from credly_audit.patterns.search import Search, check_pattern
from credly_audit.rules.controls import LEAKED, UNDOCUMENTED
from credly_audit.rules.declare import Flags, OptionColumns, Options, flag, rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.quantities import Count
from credly_audit.rules.wording import plural, sentence
from credly_audit.severity import Severity
from credly_audit.text import fold

PLACEHOLDERS = frozenset(
    "test|testing|tests|token|tokens|new|new token|a new token|a new token for use|my token|the token|api|api token|"
    "api key|access token|auth token|authorization token|credly|credly token|credly api|credly api token|default|"
    "default token|description|temp|temporary|tmp|todo|to do|tbd|tba|n/a|na|none|null|nil|undefined|unknown|asdf|"
    "qwerty|foo|bar|foobar|foo bar|baz|example|sample|dummy|untitled|unnamed|no name|xxx|abc".split("|")
)

# Scripts that set no space between words, so that words cannot be counted.
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"

TRAILING = r"[\s\pN\pP\pS]+$"


def _descriptions(facts: Facts, rows: np.ndarray | None = None) -> pa.ChunkedArray:
    column = facts.tokens["description"]
    return (column if rows is None else column[rows]).array.__arrow_array__()


def _mask(array: pa.ChunkedArray) -> np.ndarray:
    mask: np.ndarray = pc.fill_null(array, fill_value=False).to_numpy(zero_copy_only=False)
    return mask


def folded(texts: pa.ChunkedArray) -> pa.Array:
    """Texts in one case, each run of white space one space, none at the ends."""
    texts = texts.combine_chunks()
    more = pc.fill_null(pc.invert(pc.string_is_ascii(texts)), fill_value=False)
    folds = pa.array([fold(text) for text in texts.filter(more).to_pylist()], texts.type)
    lower = pc.replace_with_mask(pc.ascii_lower(texts), more, folds)
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(lower, r"\s+", " "))


def placeholders(texts: pa.ChunkedArray, more: frozenset[str] = frozenset()) -> np.ndarray:
    """Texts (strings) that are nothing but a placeholder: any case, any trailing digits or punctuation."""
    words = folded(texts)
    stems = pc.replace_substring_regex(words, TRAILING, "")
    known = pa.array(sorted(PLACEHOLDERS | {fold(word.strip()) for word in more}))
    return _mask(pc.is_in(stems, value_set=known)) | _mask(pc.is_in(words, value_set=known))


@rule(
    "DOC001",
    "description-missing",
    Severity.HIGH,
    tiers="high where the token can write or delete, else medium",
    summary="The token has no description.",
    rationale="The description is the only record of a token's owner and purpose: without it the token cannot be "
    "removed safely, and no one can be notified before it expires.",
    remediation="Identify what uses the token and describe it: system, purpose and owner; if no one needs it, "
    "delete it.",
    task="Describe {tokens} of {organizations} without a description",
    controls=UNDOCUMENTED,
)
def description_missing(facts: Facts, _: Options) -> Flags:
    hit = facts.tokens.loc[facts.unexpired & facts.undescribed, ["description"]]
    privileged = facts.privileged[hit.index]
    return flag(
        hit,
        sentence(
            "No description{power}.",
            power=pd.Series(
                np.where(privileged, "; has write or delete permission", ""), index=hit.index, dtype="string"
            ),
        ),
        severity=np.where(privileged, Severity.HIGH, Severity.MEDIUM),
        can_write_or_delete=privileged,
    )


class PlaceholderOptions(Options):
    """Options of DOC002."""

    placeholders: frozenset[str] = Field(
        default=frozenset(), description="Further descriptions that count as placeholders."
    )


@rule(
    "DOC002",
    "description-placeholder",
    Severity.LOW,
    summary="The token's description is a placeholder.",
    rationale="'test' or 'new token' is no better than an empty field: it names neither the system nor the owner.",
    remediation="Describe the token: system, purpose and owner.",
    task="Describe {tokens} of {organizations} with only a placeholder as description",
    controls=UNDOCUMENTED,
    options=PlaceholderOptions,
    by_row=True,
)
def description_placeholder(facts: Facts, options: OptionColumns) -> Flags:
    mask = facts.unexpired & ~facts.undescribed
    texts = _descriptions(facts)
    for chosen, rows in options.each():
        mask[rows] &= placeholders(texts.take(rows), chosen.placeholders)
    hit = facts.tokens.loc[mask, ["description"]]
    return flag(hit, pd.Series("Its description is a placeholder.", index=hit.index, dtype="string"))


class TooShortOptions(Options):
    """Options of DOC003."""

    min_words: Count = Field(default=2, description="The minimum number of words of a description.")
    min_length: Count = Field(default=10, description="The minimum number of characters of a description.")


@rule(
    "DOC003",
    "description-too-short",
    Severity.LOW,
    summary="The token's description is too short to explain its purpose.",
    rationale="One word rarely names both a system and its owner.",
    remediation="Describe the token: system, purpose and owner.",
    task="Describe {tokens} of {organizations} in more detail",
    controls=UNDOCUMENTED,
    options=TooShortOptions,
    by_row=True,
)
def description_too_short(facts: Facts, options: OptionColumns) -> Flags:
    texts = pc.utf8_trim_whitespace(_descriptions(facts))
    words = pc.fill_null(pc.count_substring_regex(texts, r"\S+"), 0).to_numpy(zero_copy_only=False)
    length = pc.fill_null(pc.utf8_length(texts), 0).to_numpy(zero_copy_only=False)
    spaced = ~_mask(pc.match_substring_regex(texts, UNSPACED))
    short = (length < options.min_length) | (spaced & (words < options.min_words))
    mask = facts.unexpired & short.to_numpy() & ~facts.undescribed & ~placeholders(_descriptions(facts))
    hit = facts.tokens.loc[mask, []]
    words, length = pd.Series(words[mask], index=hit.index), pd.Series(length[mask], index=hit.index)
    return flag(
        hit,
        sentence(
            "Its description has {words} and {characters}; the policy requires {min_words} words and {min_length} "
            "characters.",
            words=plural(words, "word", "words"),
            characters=plural(length, "character", "characters"),
            min_words=options.min_words[mask],
            min_length=options.min_length[mask],
        ),
        words=words,
        characters=length,
    )


class LacksFieldOptions(Options):
    """Options of DOC004."""

    required_patterns: dict[str, Annotated[str, AfterValidator(check_pattern)]] = Field(
        default={},
        description="What every description must contain: a regular expression for each name, such as owner or ticket.",
    )


@rule(
    "DOC004",
    "description-lacks-field",
    Severity.MEDIUM,
    summary="The token's description lacks something that the policy requires.",
    rationale="The policy defines what a description must contain; without it the owner or the ticket is not known.",
    remediation="Add the missing information to the description.",
    task="Complete the descriptions of {tokens} of {organizations}",
    controls=UNDOCUMENTED,
    options=LacksFieldOptions,
    by_row=True,
)
def description_lacks_field(facts: Facts, options: OptionColumns) -> Flags:
    """Off until `required_patterns` is configured."""
    described = facts.unexpired & ~facts.undescribed
    texts = Search(facts.tokens["description"], facts.deadline)
    words = np.full(len(described), "", dtype=object)
    for chosen, rows in options.each():
        theirs = rows[described[rows]]
        for name, pattern in chosen.required_patterns.items():
            there = texts.find(pattern, theirs, f"[policy.rules.DOC004] required_patterns.{name}")
            words[theirs[~there]] += f", {name}"
    lacking = pd.Series(words, dtype="string")
    lacking = lacking[lacking != ""].str.removeprefix(", ")
    hit = facts.tokens.loc[lacking.index, []]
    return flag(hit, sentence("Its description lacks: {lacking}.", lacking=lacking), lacking=lacking)


@rule(
    "DOC005",
    "duplicate-description",
    Severity.LOW,
    summary="Several tokens of the organization share one description.",
    rationale="An administrator who has to rotate or remove one of them cannot identify it.",
    remediation="Give each of these tokens a distinct description, or delete those not needed.",
    task="Give {tokens} of {organizations} distinct descriptions",
    controls=UNDOCUMENTED,
    needs="organization",
)
def duplicate_description(facts: Facts, _: Options) -> Flags:
    mask = facts.unexpired & ~facts.undescribed & ~facts.superseded
    hit = facts.tokens.loc[mask, ["organization_id"]]
    texts, _ = pd.factorize(pd.array(folded(_descriptions(facts, mask)), dtype="string"))
    keys = hit["organization_id"].cat.codes.to_numpy().astype("int64") * (len(hit) + 1) + texts
    groups, _keys = pd.factorize(keys)
    sharing = np.bincount(groups)[groups] if len(groups) else groups
    hit = hit[sharing > 1]
    others = pd.Series(sharing[sharing > 1] - 1, index=hit.index)
    return flag(
        hit,
        sentence(
            "Shares its description with {others} of this organization.",
            others=plural(others, "other token", "other tokens"),
        ),
        others=others,
    )


@rule(
    "DOC006",
    "secret-in-description",
    Severity.CRITICAL,
    summary="The token's description contains a secret.",
    rationale="Descriptions are visible to every administrator, in every export and every listing, so a value in one "
    "is disclosed.",
    remediation="Remove the value from the description in Credly, and rotate the token that it belongs to.",
    task="Remove secrets from the descriptions of {tokens} of {organizations}, then rotate them",
    controls=LEAKED,
)
def secret_in_description(facts: Facts, _: Options) -> Flags:
    hit = facts.tokens.loc[(facts.tokens["secrets_in_description"] > 0).fillna(value=False), ["secrets_in_description"]]
    secrets = hit["secrets_in_description"].astype("int64")
    return flag(
        hit,
        sentence(
            "Its description contains {secrets}; replaced with [redacted] here, still readable in Credly.",
            secrets=plural(secrets, "value that is or looks like a secret", "values that are or look like secrets"),
        ),
        secrets=secrets,
    )


@rule(
    "DOC007",
    "stale-description",
    Severity.LOW,
    summary="The token's description names a year before that of its last rotation.",
    rationale="A description that names an earlier year was probably not reviewed when the token was rotated.",
    remediation="Update the description.",
    task="Update the descriptions of {tokens} of {organizations}",
    controls=UNDOCUMENTED,
)
def stale_description(facts: Facts, _: Options) -> Flags:
    mask = facts.unexpired & facts.tokens["last_rotated_at"].notna().to_numpy()
    mask[mask] = _mask(pc.match_substring_regex(_descriptions(facts, mask), "(19|20)[0-9][0-9]"))
    hit = facts.tokens.loc[mask, ["last_rotated_at"]]
    latest = latest_years(_descriptions(facts, mask))
    rotated = hit["last_rotated_at"].dt.year.to_numpy()
    stale = (latest > 0) & (latest < rotated)
    hit = hit[stale]
    years = pd.Series(latest[stale], index=hit.index)
    return flag(
        hit,
        sentence(
            "Its description names {year}; the token was last rotated in {rotated}.",
            year=years,
            rotated=pd.Series(rotated[stale], index=hit.index),
        ),
        year=years,
        last_rotated_at=hit["last_rotated_at"],
    )


def latest_years(texts: pa.ChunkedArray) -> np.ndarray:
    """The latest year 19xx or 20xx, not beside a letter, digit, `-` or `_`, of each text (int64; 0: none)."""
    words = pc.split_pattern_regex(texts, r"[^\pL\pM\pN_-]+").combine_chunks()
    flat, parents = pc.list_flatten(words), pc.list_parent_indices(words)
    years = pc.match_substring_regex(flat, "^(19|20)[0-9][0-9]$")
    latest = np.zeros(len(texts), dtype="int64")
    np.maximum.at(
        latest,
        parents.filter(years).to_numpy(),
        flat.filter(years).cast(pa.int64()).to_numpy(zero_copy_only=False),
    )
    return latest
