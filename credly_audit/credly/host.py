"""The one host that gets the credentials: where it is, and the way there; looked up once, not for each request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from os import environ
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

from requests.utils import get_environ_proxies, select_proxy

from credly_audit.config.settings import Api
from credly_audit.errors import UsageError
from credly_audit.files.paths import BadPath, local_path

PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port: what has to be equal for a credential to go there."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Of an absolute http or https URL; ValueError for anything else."""
        parts: SplitResult = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("not an http or https address")
        return cls(parts.scheme, parts.hostname.lower(), parts.port or PORTS[parts.scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine itself."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Host:
    """`base_url` has no slash at its end; `proxies` and `verify` are as requests takes them."""

    base_url: str
    origin: Origin
    proxies: Mapping[str, str] = field(repr=False)
    """Its values may hold a password."""
    verify: str | bool

    @classmethod
    def of(cls, api: Api) -> Self:
        """What the settings say, else the environment.

        UsageError for plain http to a host that is not loopback, for a proxy that is none, and for a CA bundle that
        is not there: nothing has been asked then.
        """
        base_url = str(api.base_url).rstrip("/")
        try:
            origin = Origin.of(base_url)
        except ValueError:
            raise UsageError(
                "[api] base_url is not an address such as https://api.credly.com/v1: write the complete address"
            ) from None
        if "@" in base_url or "?" in base_url or "#" in base_url:
            raise UsageError("[api] base_url contains more than scheme, host and path: remove user, query and fragment")
        if origin.scheme != "https" and not origin.is_loopback:
            raise UsageError(
                f"[api] base_url leads to {origin} by plain http, which would show the credentials to everyone on the "
                "way: write https (http is for a loopback address alone)"
            )
        proxy = None if api.proxy is None else api.proxy.get_secret_value()
        return cls(base_url, origin, _choose_proxies(proxy, base_url, origin), _choose_ca_bundle(api.ca_bundle))

    @property
    def way(self) -> str:
        """The host, and the proxy that the way there leads through, as they may be shown."""
        proxy = self.proxies.get(self.origin.scheme)
        return f"{self.origin} through the proxy {_read_origin(proxy)}" if proxy else str(self.origin)


def _read_origin(proxy: str) -> Origin:
    return Origin.of(proxy if "://" in proxy else f"http://{proxy}")


def _choose_proxies(configured: str | None, base_url: str, origin: Origin) -> dict[str, str]:
    proxy = configured or select_proxy(base_url, get_environ_proxies(base_url))
    if not proxy:
        return {}
    try:
        at = _read_origin(proxy)
    except ValueError:
        raise UsageError(
            "the proxy ([api] proxy, or HTTPS_PROXY in the environment) is not an address such as "
            "http://proxy.example:3128: correct it"
        ) from None
    if origin.scheme == "http" and not at.is_loopback:
        # Plain http is allowed because it never leaves this machine; through a proxy elsewhere it would.
        if configured:
            raise UsageError(f"[api] proxy {at} would see the credentials in plain http: write https in base_url")
        return {}
    return {origin.scheme: proxy}


def _choose_ca_bundle(configured: Path | str | None) -> str | bool:
    """A file or folder of certificates, else those that requests ships."""
    places = {
        "[api] ca_bundle": configured,
        "REQUESTS_CA_BUNDLE": environ.get("REQUESTS_CA_BUNDLE"),
        "CURL_CA_BUNDLE": environ.get("CURL_CA_BUNDLE"),
    }
    for named, place in places.items():
        if place:
            try:
                path = local_path(str(place))
            except BadPath as error:
                raise UsageError(f"{named}: {error}") from None
            if not path.exists():
                raise UsageError(f"{named}: file {path} does not exist; name the CA bundle to trust")
            return str(path)
    return True
