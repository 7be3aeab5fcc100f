"""The settings of the service: `serve`."""

from __future__ import annotations

from provisioning.config.setting import BEFORE_INFRA, Setting

DAY, MONTH = 86_400, 2_592_000
"""The longest intervals that make sense, in seconds."""

SETTINGS = (
    Setting(key="serve.poll", type=float, default=30, minimum=1, maximum=DAY, layers=BEFORE_INFRA,
            doc="Seconds between two polls of the remote by `serve`; a webhook is faster."),
    Setting(key="serve.resync", type=float, default=600, minimum=1, maximum=MONTH,
            doc="Seconds between two resyncs of an infra, which find drift; a watch is faster."),
    Setting(key="serve.cron", type=str, default=None, optional=True,
            doc="The schedule of resyncs, instead of `serve.resync`: five fields as in "
                "crontab(5)."),
    Setting(key="serve.timezone", type=str, default="UTC",
            doc="The time zone of `serve.cron`, as in `Europe/Berlin`."),
    Setting(key="serve.timeout", type=float, default=120, minimum=1, layers=BEFORE_INFRA,
            doc="Seconds without a heartbeat after which `serve` replaces a worker."),
)  # fmt: skip
