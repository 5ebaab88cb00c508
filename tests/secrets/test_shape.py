"""A random value in a description is known by its shape, and what people write is not taken for one: both measured."""

import random
import string
import uuid
from hashlib import sha256
from itertools import product

import pytest

from credly_audit.secrets.fingerprint import Fingerprints, Trace
from credly_audit.secrets.redaction import REDACTED, Redactor
from credly_audit.secrets.shape import LONGEST, SHORTEST, looks_random

ALPHABETS = {
    "base64url": string.ascii_letters + string.digits + "-_",
    "alphanumeric": string.ascii_letters + string.digits,
}
NOTHING_KNOWN = Redactor(lambda _: None)
CHANCE = random.Random("made-up values of this test")

SYSTEMS = (
    """
moodle-enterprise-integration|BadgeIssuerServiceProduction|canvas_lms_course_completion_sync|SalesforceCommunityConnector
workday-learning-record-exporter|LinkedInProfileBadgeDisplay|power-bi-credential-dashboard|SuccessFactorsTalentSync2026
data-warehouse-nightly-etl-eu-west-1|HubSpotMarketingAutomation
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
"""Names as systems have them: kebab-case, snake_case, CamelCase, with regions and years."""

TEMPLATES = [
    "{system}: issues badges for the certification programme of team {team}",
    "{system} (prod), owner {team}@acme-learning.example, ticket INC-00{n}4711",
    "{system} | https://wiki.acme-learning.example/display/IAM/{system}-service-account",
    "Used by {system} v2.{n}.0-rc1, deployed 2026-0{m}-1{n}T08:00:00Z by deploy-bot",
    "{system}; config in git commit {sha}",
    "{system} image sha256:{sha256}",
    "correlation id {uuid}, asked for by {team} via {system}",
    "ServiceNow RITM00{n}38829 / CHG00{n}0412: token for {system}",
    "jira.acme-learning.example/browse/BADGE-{n}234 {system} nightly export 2026-0{m}-01",
    "{team}@acme-learning.example,platform-operations@acme-learning.example: {system}",
    "arn:aws:secretsmanager:eu-west-1:12345678901{n}:secret:{team}/{system}/credly",
    "k8s://prod-cluster-{n}/namespaces/{team}/deployments/{system}",
    "REPORTING_DASHBOARD_READ_ONLY_TOKEN of {system} until 31.12.2026",
    "{system} template {uuid} and badge {uuid2}",
    "DisplayOfBadgesOnPublicProfilePages for {system}, cost centre CC-{n}90210",
    "crm2badge-sync-worker-0{n} for {system}; phone +49-30-1234567-{n}",
    "{system} cron 0 6 * * 1-5, host badge-worker-{n}.eu-central-1.compute.internal",
    "Zapier zap 18{n}532977: {system} -> Credly",
    "release/2026.{n}.0_hotfix-credential-rotation of {system}",
    "{team}-{system}-staging-readonly-2026Q{q}",
]
TEAMS = ["learning-operations", "crm", "identity-and-access", "peopleanalytics"]


def descriptions() -> list[str]:
    """Two hundred of them, the same on every day."""
    found = []
    for number, (template, system) in enumerate(product(TEMPLATES, SYSTEMS)):
        digest = sha256(f"{number}".encode()).hexdigest()
        found.append(
            template.format(
                system=system,
                team=TEAMS[number % len(TEAMS)],
                n=number % 10,
                m=number % 9 + 1,
                q=number % 4 + 1,
                sha=digest[:40],
                sha256=digest,
                uuid=uuid.uuid5(uuid.NAMESPACE_DNS, f"{number}"),
                uuid2=uuid.uuid5(uuid.NAMESPACE_URL, f"{number}"),
            )
        )
    return found


def random_value(alphabet: str, length: int) -> str:
    return "".join(CHANCE.choices(ALPHABETS[alphabet], k=length))


@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("length", [SHORTEST, 22, 24, 32, 43, LONGEST])
def test_of_random_values_at_least_nineteen_in_twenty_are_caught(alphabet: str, length: int) -> None:
    values = [random_value(alphabet, length) for _ in range(1_000)]

    assert sum(map(looks_random, values)) >= 950


def test_of_two_hundred_realistic_descriptions_none_is_touched() -> None:
    written = descriptions()
    assert len(set(written)) == 200
    touched = [text for text in written if NOTHING_KNOWN.redact_and_count(text) != (text, 0)]
    assert touched == []


@pytest.mark.parametrize(
    "around", ["{}", "token={}", "'{}'", "curl -u {}: https://api.credly.com", "old:{}, keep", "({})"]
)
def test_a_random_value_in_a_sentence_is_replaced_and_the_rest_stays(around: str) -> None:
    value = random_value("alphanumeric", 40)

    assert NOTHING_KNOWN.redact_and_count(around.format(value)) == (around.format(REDACTED), 1)


def test_a_known_value_is_found_whatever_its_shape_and_within_a_longer_run() -> None:
    value = "made-up-value-of-words"
    of = Fingerprints().of
    fingerprint = of(value)
    assert fingerprint is not None
    redactor = Redactor(of, [Trace(fingerprint, len(value))])

    assert NOTHING_KNOWN.redact_and_count(value) == (value, 0)
    assert redactor.redact_and_count(f"it is {value} now") == (f"it is {REDACTED} now", 1)
    assert redactor.redact_and_count(f"prefix_{value}_suffix") == (REDACTED, 1)
    assert redactor.redact_and_count(value[:-1]) == (value[:-1], 0)


@pytest.mark.parametrize("length", [SHORTEST - 1, LONGEST + 1])
def test_what_is_shorter_or_longer_than_a_value_has_not_its_shape(length: int) -> None:
    assert not any(looks_random(random_value("alphanumeric", length)) for _ in range(100))
