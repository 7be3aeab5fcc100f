"""The settings of runs: `executor` and `budget`."""

from __future__ import annotations

from provisioning.config.setting import BEFORE_INFRA, Setting

SETTINGS = (
    Setting(key="executor.parallelism", type=int, default=10, minimum=1,
            doc="The most operations that run at once."),
    Setting(key="executor.per_provider", type=int, default=10, minimum=1,
            doc="The most calls to one provider at once."),
    Setting(key="executor.max_attempts", type=int, default=5, minimum=1,
            doc="The most attempts of a provider call whose errors are transient."),
    Setting(key="executor.timeout", type=float, default=300, minimum=1,
            doc="The timeout of one provider call, in seconds."),
    Setting(key="executor.infras", type=int, default=4, minimum=1, layers=BEFORE_INFRA,
            doc="The most infras that `reconcile` works on at once."),
    Setting(key="budget.deletions", type=int, default=50, minimum=0, optional=True,
            doc="The most resources that one run deletes without approval; null is no limit."),
    Setting(key="budget.share", type=float, default=None, minimum=0, optional=True,
            doc="The same, in percent of the recorded resources; null is no limit."),
    Setting(key="budget.dependents", type=int, default=20, minimum=0, optional=True,
            doc="The most dependents of a resource that one run replaces without approval; null "
                "is no limit."),
)  # fmt: skip
