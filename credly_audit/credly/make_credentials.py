"""What makes a secret into a credential that a request can carry."""

from collections.abc import Callable
from functools import cache

from credly_audit.config.settings import Api
from credly_audit.credly.auth import Credential, TokenCredential
from credly_audit.credly.oauth_credential import OAuthCredential, TokenEndpoint
from credly_audit.secrets import ClientCredentials, Secret
from credly_audit.secrets.fingerprint import Fingerprints


def make_credential_maker(api: Api, fingerprints: Fingerprints) -> Callable[[Secret | ClientCredentials], Credential]:
    """Return what makes a secret into who asks; the organizations of one OAuth application share its access token."""
    oauth = cache(lambda: _make_oauth_credentials(api, fingerprints))

    def credential(secret: Secret | ClientCredentials) -> Credential:
        if isinstance(secret, ClientCredentials):
            return oauth()(secret)
        return TokenCredential(secret, fingerprints.of(secret.reveal()))

    return credential


def _make_oauth_credentials(api: Api, fingerprints: Fingerprints) -> Callable[[ClientCredentials], Credential]:
    endpoint = TokenEndpoint(api)
    return cache(lambda client: OAuthCredential(client, endpoint, fingerprints))
