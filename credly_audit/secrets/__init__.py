"""References to secrets, the sources that they name, and the values read from them."""

from credly_audit.secrets.references import (
    check_sources,
    find_exposed,
    find_mistake,
    find_store,
    has_own_failures,
    is_reference,
    list_built_in_forms,
    list_forms,
    list_prefixes,
    mask_reference,
    read_secret,
    read_stored,
    runs_code,
)
from credly_audit.secrets.secret import ClientCredentials, Secret, SecretError, Unavailable

__all__ = [
    "ClientCredentials",
    "Secret",
    "SecretError",
    "Unavailable",
    "check_sources",
    "find_exposed",
    "find_mistake",
    "find_store",
    "has_own_failures",
    "is_reference",
    "list_built_in_forms",
    "list_forms",
    "list_prefixes",
    "mask_reference",
    "read_secret",
    "read_stored",
    "runs_code",
]
