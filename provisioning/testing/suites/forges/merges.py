"""Pull requests that are merged, or cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from provisioning.core.model.errors import HeadMoved, RemoteRefused
from provisioning.core.reviews.forge import Forge
from provisioning.testing.suites.cases import expect
from provisioning.testing.suites.forges.hubs import Hub, HubStage, expect_error, open_pull


class MergingTruths(HubStage):
    """Truths about `merge_pull` and `list_closed_pulls`."""

    def test_a_merged_one_is_on_the_branch(self) -> None:
        """24. A merge moves the base branch to the commit that the pull request names."""
        hub, forge, number = self.start_with_pull()
        head, before = hub.read_head("topic"), hub.read_head(hub.base)
        forge.merge_pull(number, head)
        pull = forge.read_pull(number)
        expect(pull.merged == hub.read_head(hub.base) != before, "the branch has it", pull)
        expect(not pull.is_open and pull.head == head, "it is closed, at its head", pull)
        expect(bool(pull.merged_at), "it has the time", pull)
        expect(forge.list_open_pulls() == [], "it is not open")
        expect(forge.list_closed_pulls() == [pull], "it is listed as closed")
        expect(forge.find_merged_pull(hub.read_head(hub.base)) == pull, "its commit leads to it")
        for commit in (head, before):
            expect(forge.find_merged_pull(commit) is None, "no other commit does", commit)

    def test_merged_ones_are_listed_oldest_first(self) -> None:
        """25. The order is that of the merges, whichever was opened first; others come before."""
        hub, forge = self.start()
        first, second, other = (open_pull(hub, forge, name) for name in ("one", "two", "three"))
        for number in (second, first):
            forge.merge_pull(number, forge.read_pull(number).head)
        forge.close_pull(other)
        closed = forge.list_closed_pulls()
        moments = [item.merged_at for item in closed]
        expect({item.number for item in closed} == {first, second, other}, "all of them", closed)
        expect(moments == sorted(moments), "oldest merge first", moments)

    def test_another_head_is_not_merged(self) -> None:
        """26. A branch that moved is `HeadMoved`, and stays unmerged."""
        hub, forge, number = self.start_with_pull()
        old = forge.read_pull(number).head
        hub.push("topic", "more.txt", "more\n")
        with _expect_unmerged(hub, forge, number), expect_error(HeadMoved, "another head"):
            forge.merge_pull(number, old)

    def test_a_conflict_is_not_merged(self) -> None:
        """27. A conflict with the base is `RemoteRefused`, and stays unmerged."""
        hub, forge, number = self.start_with_pull(path="same.txt")
        hub.push(hub.base, "same.txt", "another\n")
        with _expect_unmerged(hub, forge, number), expect_error(RemoteRefused, "a conflict"):
            forge.merge_pull(number, forge.read_pull(number).head)

    def test_protection_is_kept(self) -> None:
        """28. A branch that asks for approvals takes nothing without, and then takes it."""
        hub, forge = self.start()
        number, (writer, _) = open_pull(hub, forge), hub.writers
        head = forge.read_pull(number).head
        hub.protect(approvals=1)
        with _expect_unmerged(hub, forge, number), expect_error(RemoteRefused, "protection"):
            forge.merge_pull(number, head)
        hub.judge(number, writer, approves=True)
        forge.merge_pull(number, head)
        expect(forge.read_pull(number).merged is not None, "with an approval it is merged")

    def test_a_closed_one_is_not_merged(self) -> None:
        """29. A closed pull request is `RemoteRefused`, and stays unmerged."""
        hub, forge, number = self.start_with_pull()
        forge.close_pull(number)
        with _expect_unmerged(hub, forge, number), expect_error(RemoteRefused, "a closed one"):
            forge.merge_pull(number, forge.read_pull(number).head)


@contextmanager
def _expect_unmerged(hub: Hub, forge: Forge, number: int) -> Iterator[None]:
    """Check that the block merges nothing."""
    before = hub.read_head(hub.base)
    yield
    pull, head = forge.read_pull(number), hub.read_head(hub.base)
    expect(head == before, "the base branch is where it was", head)
    expect(pull.merged is None and not pull.merged_at, "it was not merged", pull)
    expect(
        not any(closed_pull.merged for closed_pull in forge.list_closed_pulls()), "nor listed so"
    )
