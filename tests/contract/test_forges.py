import pytest
from gitea_hub import GiteaSuite

from provisioning.testing import ForgeSuite, MemoryHub
from provisioning.testing.suites.forges.hubs import LABEL


class TestMemoryForge(ForgeSuite):
    def build_hub(self):
        return MemoryHub(labels=(LABEL,))


@pytest.mark.peer("gitea")
@pytest.mark.xdist_group("gitea-forge")
class TestGitea(GiteaSuite):
    """What takes a minute at Gitea runs in `verify`."""

    test_all_are_listed_oldest_first = None
    test_many_are_listed_oldest_first = None
    test_merged_ones_are_listed_oldest_first = None
    test_a_conflict_is_not_merged = None
    test_a_push_is_not_older_than_what_was_said_before = None
