"""How long audits are kept: what is forgotten when one is recorded, and what a clock that jumped does not delete."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from credly_audit.history.schema import audits
from credly_audit.instants import DAY, FIRST, shift

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """Which audits of a series are forgotten as another one is recorded: `before` are those that there were."""

    keep_days: int
    since: datetime
    """Audits as of an earlier instant are forgotten."""
    before: int
    outdated: int
    doubtful: bool
    """No audit was recorded for longer than audits are kept: that, or the clock is wrong."""

    @classmethod
    def at(cls, connection: sa.Connection, series: int, as_of: datetime, keep_days: int) -> "Retention":
        """Return what is to be forgotten now that an audit as of an instant is recorded; keep_days 0: nothing.

        Days count back from the earlier of that instant and now: no `--as-of` in the future makes an audit older.
        """
        now = datetime.now(UTC)
        since = shift(min(as_of, now), -keep_days * DAY) if keep_days else FIRST
        own = audits.c.series == series
        query = sa.select(sa.func.count(), sa.func.max(audits.c.recorded_at)).where(own)
        before, recorded_at = connection.execute(query).one()
        outdated = connection.execute(sa.select(sa.func.count()).where(own, audits.c.as_of < since)).scalar_one()
        doubtful = bool(outdated) and recorded_at < shift(now, -keep_days * DAY)
        return cls(keep_days, since, before, outdated, doubtful)

    def report(self, forgotten: int) -> None:
        """Log how many audits were forgotten, or why none was."""
        if self.doubtful:
            log.warning(
                "no audit was recorded within the last %d days ([history] keep_days): if the clock is right, "
                "`credly-audit history purge` deletes what is older (%d of %d earlier audits); nothing was deleted now",
                self.keep_days,
                self.outdated,
                self.before,
            )
        elif forgotten:
            level = logging.WARNING if forgotten == self.before else logging.INFO
            log.log(level, "deleted %d of %d earlier audits ([history] keep_days)", forgotten, self.before)
