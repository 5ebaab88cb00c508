"""Create a token in the place of one that has expired in its store, with another credential of the organization."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from credly_audit.audit.prior import make_empty_past
from credly_audit.collection.credential_check import find_last_known
from credly_audit.config.settings import Consumer, Settings
from credly_audit.credly.auth import Credential
from credly_audit.credly.wire import TokenRow
from credly_audit.errors import AuditError
from credly_audit.instants import iso_day
from credly_audit.lifecycle.create_token import create, resume_create
from credly_audit.lifecycle.journal import find_journals
from credly_audit.lifecycle.outcome import Ending, Outcome, State
from credly_audit.lifecycle.tasks import Task
from credly_audit.lifecycle.token_endpoints import Access, Look, read_time
from credly_audit.secrets.redaction import REDACTED, looks_like_a_value
from credly_audit.text import spoken_day

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExpiredToken:
    """A token as Credly's listing or, where that does not show it, an earlier audit described it."""

    id: str
    description: str | None
    expires_at: datetime | None


@dataclass(slots=True)
class PriorTokens:
    """The tokens of earlier audits; the history is read when the first one is looked up."""

    settings: Settings
    environ: Mapping[str, str] = field(repr=False)
    fingerprint_key: str | None
    _tokens: pd.DataFrame | None = None
    _described: pd.DataFrame | None = None

    def find(self, organization_id: str, fingerprint: str | None) -> ExpiredToken | None:
        """Return the token of this organization that had this fingerprint; None where no audit recorded it."""
        tokens, described = self._load()
        own = tokens[tokens["organization_id"] == organization_id]
        last = find_last_known(own, fingerprint, self.fingerprint_key)
        if last is None:
            return None
        texts = described.loc[described["token_id"] == last["token_id"], "description"].dropna()
        expires_at = None if pd.isna(last["expires_at"]) else last["expires_at"].to_pydatetime()
        return ExpiredToken(last["token_id"], texts.iloc[0] if len(texts) else None, expires_at)

    def _load(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        if self._tokens is None or self._described is None:
            from credly_audit.history.store import History  # noqa: PLC0415 - loads SQLAlchemy

            past = make_empty_past()
            self._tokens, self._described = past.tokens, past.describe(past.tokens["token_id"])
            url, name = self.settings.history.url, self.settings.history.name
            try:
                history = History.opened(url, self.settings.file, self.environ, name=name, create=False)
                if history is not None:
                    # The instant of an audit is rounded up to the full second: one that just ended counts too.
                    with history.past(datetime.now(UTC) + timedelta(seconds=2)) as past:
                        self._tokens, self._described = past.tokens, past.describe(past.tokens["token_id"])
            except AuditError as error:
                log.warning("%s; only what Credly lists is known of expired tokens", error)
        return self._tokens, self._described


@dataclass(slots=True)
class Renewal:
    """The work of a task besides creating a token: whether the stored one has expired, and who can create another."""

    others: Sequence[Credential | str]
    """The other credentials of the organization, in the order in which they are tried; a text says why one cannot be
    read."""
    consumers: Sequence[Consumer]
    """All that are configured."""
    prior: PriorTokens
    expired: ExpiredToken | None = None


def look_for_expired(task: Task, renewal: Renewal, emergency: Path) -> None:
    """Find out whether the stored token has expired, and choose the credential that creates another.

    `not_due` is set where the token works, an outcome where none can be created.
    """
    look = task.api.probe(task.credential)
    if look.access is Access.WORKS:
        settle_renewed(task, emergency)
        expires_at = read_time(row.expires_at) if (row := look.find_row(task.credential.fingerprint)) else None
        until = f"expires {iso_day(expires_at)}" if expires_at else "works"
        task.not_due = f"{task.organization.called}: {until}"
    elif look.access is Access.SILENT:
        task.outcome = task.end(Ending.NOT_DONE, reason=look.reason)
    else:
        choose_creator(task, renewal)


def settle_renewed(task: Task, emergency: Path) -> None:
    """Remove the journals of earlier runs whose new token is stored and works; not in a dry run."""
    for journal in () if task.request.dry_run else find_journals(emergency):
        if journal.action == "create" and journal.replaces and journal.value == task.value:
            journal.settle()
            log.info("%s: removed the files of an earlier run, whose outcome is known", task.organization.called)


def choose_creator(task: Task, renewal: Renewal) -> None:
    """Choose the first other credential that works and may write; set an outcome where there is none."""
    fingerprint, organization, store = task.credential.fingerprint, task.organization, task.store.name
    looks = [(each, task.api.list_tokens(each)) for each in renewal.others if not isinstance(each, str)]
    usable = [(each, look) for each, look in looks if find_hindrance(each, look) is None]
    reasons = [each for each in renewal.others if isinstance(each, str)]
    reasons += filter(None, (find_hindrance(each, look) for each, look in looks))
    listed = next((row for _, look in looks if (row := look.find_row(fingerprint))), None)
    renewal.expired = describe_row(listed) or renewal.prior.find(organization.id, fingerprint)
    if doubt := find_doubt(renewal.expired):
        task.outcome = task.end(Ending.NOT_PROVED_EXPIRED, store=store, reason="; ".join([doubt, *reasons]))
        return
    assert renewal.expired is not None  # noqa: S101 - otherwise that is the doubt
    if not usable:
        reason = "; ".join(reasons) or "no fallback_token is configured"
        task.outcome = replace(
            task.end(Ending.EXPIRED_WITHOUT_CREDENTIAL, store=store, reason=reason),
            replaces=renewal.expired.id,
            expires_at=renewal.expired.expires_at,
        )
        return
    task.description = renewal.expired.description
    text = task.description or ""
    if not text.strip() or REDACTED in text or looks_like_a_value(text):
        reason = (
            f"the expired token {renewal.expired.id} has no description that the new one could take; create it with "
            f"`credly-audit create --organization {organization.id} --store REF --description TEXT`"
        )
        task.outcome = task.end(Ending.NOT_DONE, reason=reason)
        return
    (task.credential, task.before), *more = usable
    task.fallback = more[0][0] if more else None
    if task.journal is not None and task.journal.replaces != renewal.expired.id:
        task.journal = None
    task.resumes = task.journal is not None


def find_hindrance(credential: Credential, look: Look) -> str | None:
    """Return why a credential with this listing cannot create a token; None where that is not known."""
    if look.access is not Access.WORKS:
        return f"another credential: {look.reason}"
    own = look.find_row(credential.fingerprint)
    if own is not None and own.write_enabled is False:
        return f"the other credential (fingerprint {credential.fingerprint}) has no write permission"
    return None


def describe_row(row: TokenRow | None) -> ExpiredToken | None:
    """Return the token of a row."""
    return None if row is None else ExpiredToken(row.id, row.description, read_time(row.expires_at))


def find_doubt(token: ExpiredToken | None) -> str | None:
    """Return why a token that Credly refuses is not known to have expired; None where it is known."""
    if token is None:
        return "neither Credly's listing nor an earlier audit shows when it expires"
    if token.expires_at is None:
        return f"token {token.id} has no expiration date"
    if token.expires_at > datetime.now(UTC):
        return f"token {token.id} expires {spoken_day(token.expires_at)}, so it was deleted or its value has changed"
    return None


def renew(task: Task) -> Outcome:
    """Create the token, or finish what an earlier run began, and say which token it takes the place of."""
    renewal = task.renewal
    assert renewal is not None  # noqa: S101 - the task was made for one
    assert renewal.expired is not None  # noqa: S101 - otherwise the task has its outcome
    assert renewal.expired.expires_at is not None  # noqa: S101 - as before
    outcome = resume_create(task) if task.resumes else create(task)
    if outcome.state is not State.CREATED:
        return outcome
    names = [each.name for each in renewal.consumers if each.uses(task.organization.id, renewal.expired.id)]
    return outcome.end(
        Ending.EXPIRED_REPLACED,
        old=renewal.expired.id,
        day=spoken_day(renewal.expired.expires_at),
        consumers=f"{', '.join(names)} {'has' if len(names) == 1 else 'have'}" if names else "what uses it has",
    )
