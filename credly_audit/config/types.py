"""What a value of the configuration may be: each type says what is wrong with another, and what an editor may offer.

Every message is the end of a sentence that begins with the key.
"""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from credly_audit.config.database_address import BadAddress, read_address
from credly_audit.config.formats import formats
from credly_audit.files.paths import local_path
from credly_audit.patterns.search import check_pattern
from credly_audit.rules import catalogue, may_be_unloadable
from credly_audit.secrets import find_mistake, is_reference, list_forms, list_prefixes, mask_reference
from credly_audit.secrets.redaction import LOOKS_LIKE_A_VALUE, looks_like_a_value
from credly_audit.secrets.references import Use
from credly_audit.secrets.shape import mask_shapes
from credly_audit.severity import Severity

CREDLY = "https://api.credly.com/v1"


def _reject_written_secret(_: Any) -> NoReturn:
    raise PydanticCustomError("extra_forbidden", "unknown key")


def _check_base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"must be an address such as {CREDLY}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not contain a credential, query or fragment; name the credential in `token`")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(f"would send credentials unencrypted to {parts.hostname}; write https://")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_identifier(text: str) -> str:
    try:
        if len(text) == len("88cf96b7-e4ca-4a17-b938-a72bf2b9c273"):
            return str(UUID(text))
    except ValueError:
        pass
    raise ValueError(
        "must be the organization's id, a UUID; Credly shows it under Organization Management > Developers"
    )


def _check_token_id(text: str) -> str:
    try:
        if len(text) == len("88cf96b7-e4ca-4a17-b938-a72bf2b9c273"):
            return str(UUID(text))
    except ValueError:
        pass
    raise ValueError("must be a token's id, a UUID as the reports show it, and never the token's value")


def _refuse_mistake(text: str) -> None:
    if mistake := find_mistake(text):
        raise ValueError(mistake)


def _check_reference(text: str) -> str:
    _refuse_mistake(text)
    if not is_reference(text):
        raise ValueError(
            f"must be a reference to the secret, not the secret: write {list_forms()}, or install the package that "
            "adds the prefix (and replace the token if this one is real: it was stored in a file)"
        )
    return text


def _place(text: str) -> str:
    _refuse_mistake(text)
    if not is_reference(text, "store"):
        raise ValueError(f"must name a store for a new value: write {list_forms('store')}")
    return text


def _check_program(text: str) -> str:
    _refuse_mistake(text)
    if not (text.startswith("exec:") and is_reference(text)):
        raise ValueError("must name a program to run; write exec:COMMAND")
    return text


def _read_back(text: str) -> str:
    _refuse_mistake(text)
    if text != "none" and not is_reference(text, "read back"):
        raise ValueError(
            f"must name a place from which a stored value can be read: write {list_forms('read back', 'none')}"
        )
    return text


def _check_proxy(address: SecretStr) -> SecretStr:
    """A reference, or an address; one with a password is taken for this release."""
    text = address.get_secret_value()
    _refuse_mistake(text)
    if is_reference(text) or _has_host_and_port(text if "://" in text else f"http://{text}"):
        return address
    raise ValueError(
        "must be an address such as http://proxy.example:3128, or a reference to one: env:NAME (in a password / is "
        "written %2F and @ %40)"
    )


def _has_host_and_port(address: str) -> bool:
    try:
        parts = urlsplit(address)
        named = parts.hostname not in {None, *list_prefixes()} and parts.port != 0
    except ValueError:
        return False
    host = parts.netloc.rpartition("@")[2]
    return named and mask_shapes(host) == host


def mask_address(text: str) -> str:
    """Return an address, or a reference to one, without user and password."""
    if is_reference(text):
        return mask_reference(text)
    scheme, separator, rest = text.rpartition("://")
    user, _, host = rest.rpartition("@")
    return f"{scheme}{separator}{'…@' if user else ''}{host}"


def _check_history_url(text: str, info: ValidationInfo) -> str:
    _refuse_mistake(text)
    if is_reference(text):
        return text
    try:
        address = read_address(text)
    except BadAddress as error:
        raise ValueError(f"{error}. Where the address holds a password, write env:NAME instead of it") from None
    if address.secrets:
        raise ValueError(
            f"contains a password; write {list_forms()} for the whole address "
            "(and change the password: it was stored in a file)"
        )
    if address.kind == "sqlite":
        _resolve_beside(address.path, info)
    return text


def _check_history_name(text: str) -> str:
    if not (0 < len(text) <= LONGEST_NAME and text.isprintable() and text == text.strip()):
        raise ValueError(f"must be a name of 1 to {LONGEST_NAME} printable characters, such as production")
    return text


LONGEST_NAME = 100


def _check_consumer_name(text: str) -> str:
    name = _check_history_name(text)
    if looks_like_a_value(name):
        raise ValueError(f"holds {LOOKS_LIKE_A_VALUE}")
    if name.casefold() == ALL_CONSUMERS:
        raise ValueError("is `all`, which stands for every consumer; choose another name")
    return name


ALL_CONSUMERS = "all"
"""What `succession confirm --consumer` takes for every consumer; the name of the one that nobody named."""


def _resolve_beside(path: Any, info: ValidationInfo) -> Any:
    return local_path(path, Path((info.context or {}).get("folder", "."))) if isinstance(path, str) else path


def _check_choice(known: Sequence[str], what: str, unless: Callable[[str], bool] = lambda _: False) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known and not unless(name):
            near = difflib.get_close_matches(name, known, 1, 0.5)
            raise ValueError(f"names no {what}: {mask_shapes(name)!r}{f'; did you mean {near[0]}?' if near else ''}")
        return name

    return AfterValidator(check)


def _check_several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


RULES = list(catalogue())
FAMILIES = list(dict.fromkeys(rule_id[:3] for rule_id in RULES))
RULES_AND_FAMILIES = [*RULES, *FAMILIES]
SELECTORS = [*Severity, *RULES_AND_FAMILIES, "never"]

UUID_SHAPE = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

T = TypeVar("T")
NotWritten = Annotated[T, SkipJsonSchema(), BeforeValidator(_reject_written_secret), Field(exclude=True, init=False)]
"""A field that is filled in when the file is read, and that no file may hold."""


def _check_text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


@dataclass(frozen=True, slots=True)
class _ReferenceSchema:
    """The JSON Schema of a reference, with the prefixes that are known when the schema is made."""

    use: Use
    other: str | None = None

    def __get_pydantic_json_schema__(self, _core: Any, _handler: Any) -> dict[str, str]:
        pattern = f"({'|'.join(list_prefixes(self.use))}):.+"
        return {"type": "string", "pattern": f"^({pattern}|{self.other})$" if self.other else f"^{pattern}$"}


def _check_word(known: Sequence[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(known)})


Identifier = Annotated[str, AfterValidator(_check_identifier), _check_text(UUID_SHAPE)]
Reference = Annotated[str, AfterValidator(_check_reference), _ReferenceSchema("read")]
Place = Annotated[str, AfterValidator(_place), _ReferenceSchema("store")]
ReadBack = Annotated[str, AfterValidator(_read_back), _ReferenceSchema("read back", "none")]
Program = Annotated[str, AfterValidator(_check_program), _check_text("^exec:.+")]
TokenId = Annotated[str, AfterValidator(_check_token_id), _check_text(UUID_SHAPE)]
ConsumerName = Annotated[str, AfterValidator(_check_consumer_name)]
HistoryName = Annotated[str, AfterValidator(_check_history_name)]
Proxy = Annotated[SecretStr, AfterValidator(_check_proxy), WithJsonSchema({"type": "string"})]
HistoryUrl = Annotated[str, AfterValidator(_check_history_url)]
LocalPath = Annotated[Path, BeforeValidator(_resolve_beside)]
Pattern = Annotated[str, AfterValidator(check_pattern), WithJsonSchema({"type": "string", "format": "regex"})]
RuleId = Annotated[str, _check_choice(RULES, "rule", may_be_unloadable), _check_word(RULES)]
RuleOrFamily = Annotated[
    str, _check_choice(RULES_AND_FAMILIES, "rule or family", may_be_unloadable), _check_word(RULES_AND_FAMILIES)
]
Selector = Annotated[
    str,
    _check_choice(SELECTORS, "severity, rule or family, and is not `never`", may_be_unloadable),
    _check_word(SELECTORS),
]
Format = Annotated[str, _check_choice(formats(), "format"), _check_word(formats())]
Address = Annotated[str, AfterValidator(_check_base_url)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_check_several, json_schema_input_type=tuple[str, ...] | str)]


def _check_file_mode(value: object) -> str:
    """Return permissions as four octal digits; others may be allowed to read, no one to execute."""
    text = value if isinstance(value, str) else ""
    if not re.fullmatch(r"0?[0-7]{3}", text) or int(text, 8) & 0o733 != OWNER_WRITES:
        raise ValueError(f'{value!r} is not a supported file mode; write "0600", "0640" or "0644"')
    return f"{int(text, 8):04o}"


OWNER_WRITES = 0o600

FileMode = Annotated[str, BeforeValidator(_check_file_mode)]

Selectors = Annotated[
    tuple[Selector, ...], BeforeValidator(_check_several, json_schema_input_type=tuple[Selector, ...] | Selector)
]
