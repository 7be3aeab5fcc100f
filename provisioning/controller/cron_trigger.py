"""APScheduler's trigger for our own cron expressions, which are those of crontab(5).

Its own `CronTrigger` counts weekdays from Monday, and takes only days that fit both fields.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

import msgspec
from apscheduler.triggers.base import BaseTrigger

from provisioning.core.policy.cron import Cron


@BaseTrigger.register
class CronTrigger(msgspec.Struct, frozen=True):
    """Fires at every moment that *cron* names in *zone*."""

    cron: Cron
    zone: tzinfo

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime | None:
        """Return the first moment after *now*: moments that were missed are not made up for."""
        moment = self.cron.find_next(now.timestamp(), self.zone)
        return None if moment is None else datetime.fromtimestamp(moment, self.zone)
