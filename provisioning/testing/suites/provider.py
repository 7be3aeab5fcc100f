"""The contract of `provisioning.core.model.providers.Provider`, as tests to run a provider through.

Subclass `ProviderSuite` in a test module; pytest finds the tests, and needs no plugin:

    class TestBucketProvider(ProviderSuite):
        def build_provider(self, tmp_path):
            return BucketProvider(root=tmp_path)

        def build_cases(self):
            return [
                Case(
                    kind=BUCKET,
                    name="logs",
                    spec={"region": "eu", "versioned": True},
                    changed_spec={"region": "eu", "versioned": False},
                    immutable_change={"region": "us", "versioned": True},
                )
            ]

Every test is run for every case it applies to. A test clears away all that it made.
"""

from __future__ import annotations

from provisioning.testing.suites.creations import MakingTruths
from provisioning.testing.suites.deletions import RemovingTruths
from provisioning.testing.suites.descriptions import DescribingTruths
from provisioning.testing.suites.observations import ObservingTruths
from provisioning.testing.suites.plans import PlanningTruths
from provisioning.testing.suites.updates import ChangingTruths


class ProviderSuite(
    DescribingTruths,
    MakingTruths,
    ChangingTruths,
    RemovingTruths,
    ObservingTruths,
    PlanningTruths,
):
    """Tests that a provider keeps its contract: one numbered truth a test.

    A subclass gives `build_provider` and `build_cases`, and may give `read_world`.
    """
