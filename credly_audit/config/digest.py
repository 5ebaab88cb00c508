"""A digest of what decides, in a configuration, what a collection reads: equal digests, comparable snapshots."""

import hashlib
import json
from collections.abc import Iterable

from credly_audit.config.settings import Organization, Settings
from credly_audit.secrets import mask_reference


def digest_of(settings: Settings, organizations: Iterable[Organization]) -> str:
    """Return the SHA-256, in hex digits, over what a snapshot's content follows from; no secret has a part in it.

    That is the address of the API, whether OAuth applications are collected, the key of fingerprints, and each
    organization with its names and its credential; of references what may be shown. Neither the order of the
    organizations nor how fast and by which way Credly is asked makes a difference.
    """
    key, token_url = settings.privacy.fingerprint_key, settings.api.oauth_token_url
    content = {
        "base_url": settings.api.base_url,
        "oauth_token_url": token_url,
        "include_oauth_applications": settings.api.include_oauth_applications,
        "fingerprint_key": key and mask_reference(key),
        "organizations": sorted(map(_collect_facts, organizations)),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _collect_facts(organization: Organization) -> str:
    oauth = organization.oauth
    references = [organization.token] if oauth is None else [oauth.client_id, oauth.client_secret]
    return json.dumps(
        {
            "id": organization.id.lower(),
            "name": organization.name,
            "contact": organization.contact,
            "tags": sorted(organization.tags),
            "credential": [each and mask_reference(each) for each in references],
        }
    )
