"""The contract of `provisioning.core.reviews.forge.Forge`, as tests to run a forge through.

Subclass `ForgeSuite` in a test module; pytest finds the tests, and needs no plugin:

    class TestGitLab(ForgeSuite):
        def build_hub(self):
            return GitLabHub(...)

A hub is a repository at the forge and what its people do there, who need no `Forge` for it.
"""

from provisioning.testing.suites.forges.approvals import ApprovingTruths
from provisioning.testing.suites.forges.comments import TalkingTruths
from provisioning.testing.suites.forges.failures import FailingTruths
from provisioning.testing.suites.forges.hubs import Hub
from provisioning.testing.suites.forges.merges import MergingTruths
from provisioning.testing.suites.forges.pulls import OpeningTruths
from provisioning.testing.suites.forges.statuses import ShowingTruths

__all__ = ["ForgeSuite", "Hub"]


class ForgeSuite(
    OpeningTruths, TalkingTruths, ShowingTruths, ApprovingTruths, MergingTruths, FailingTruths
):
    """Tests that a forge keeps its contract: one numbered truth a test.

    A subclass gives `build_hub`.
    """
