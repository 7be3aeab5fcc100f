"""Calls that are refused, and calls without an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from provisioning.core.model.errors import ProvisioningError, RemoteRefused, RemoteUnreachable
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import CommitStatus, Forge, State
from provisioning.testing.suites.cases import expect
from provisioning.testing.suites.forges.hubs import LABEL, Hub, HubStage, expect_error


class FailingTruths(HubStage):
    """Truths about a refusal, and about silence, which is another error."""

    def test_who_may_not_write_is_refused(self) -> None:
        """30. Somebody who may not write can merge, close, label and mark nothing."""
        hub, forge, number = self.start_with_pull()
        said = forge.create_comment(number, "ours")
        pull, stranger = forge.read_pull(number), hub.build_forge(hub.stranger)
        expect(stranger.read_pull(number) == pull, "a stranger sees the same")
        status = CommitStatus(context="one", state=State.SUCCESS, description="")
        tries: dict[str, Callable[[], object]] = {
            "merge_pull": lambda: stranger.merge_pull(number, pull.head),
            "close_pull": lambda: stranger.close_pull(number),
            "update_pull": lambda: stranger.update_pull(number, "theirs"),
            "set_labels": lambda: stranger.set_labels(number, {LABEL: True}),
            "set_status": lambda: stranger.set_status(pull.head, status),
            "update_comment": lambda: stranger.update_comment(said.id, "theirs"),
            "delete_comment": lambda: stranger.delete_comment(said.id),
        }
        for name, call in tries.items():
            with expect_error(RemoteRefused, f"{name} of a stranger"):
                call()
        expect(forge.read_pull(number) == pull, "it is as it was", forge.read_pull(number))
        expect(forge.list_comments(number) == [said], "what was said is as it was")
        expect(forge.list_statuses(pull.head) == {}, "the commit has no status")

    def test_an_unknown_token_is_refused(self) -> None:
        """31. A token that the forge does not know is `RemoteRefused`, and not silence."""
        hub, forge, number = self.start_with_pull()
        _expect_all(RemoteRefused, hub.build_unknown(), hub, number)
        expect(forge.list_comments(number) == [], "nothing was written")

    def test_silence_is_no_answer(self) -> None:
        """32. Without an answer it is `RemoteUnreachable`: never an empty list, never a success."""
        hub, _, number = self.start_with_pull()
        _expect_all(RemoteUnreachable, hub.build_cut_off(), hub, number)


def _expect_all(kind: type[ProvisioningError], forge: Forge, hub: Hub, number: int) -> None:
    head = hub.read_head("topic")
    for name, call in _list_calls(forge, hub, number, head):
        with expect_error(kind, name):
            call()


def _list_calls(
    forge: Forge, hub: Hub, number: int, head: CommitId
) -> Iterator[tuple[str, Callable[[], object]]]:
    status = CommitStatus(context="one", state=State.SUCCESS, description="")
    yield "read_login", forge.read_login
    yield "read_pull", lambda: forge.read_pull(number)
    yield "list_open_pulls", forge.list_open_pulls
    yield "list_closed_pulls", forge.list_closed_pulls
    yield "list_comments", lambda: forge.list_comments(number)
    yield "list_pushes", lambda: forge.list_pushes(number)
    yield "list_statuses", lambda: forge.list_statuses(head)
    yield "count_approvals", lambda: forge.count_approvals(number, head)
    yield "read_permission", lambda: forge.read_permission(hub.stranger)
    yield "create_comment", lambda: forge.create_comment(number, "hello")
    yield "set_status", lambda: forge.set_status(head, status)
    yield "set_labels", lambda: forge.set_labels(number, {LABEL: True})
    yield "merge_pull", lambda: forge.merge_pull(number, head)
    yield "close_pull", lambda: forge.close_pull(number)
