"""A suite that passes whatever it is given proves nothing: so it is given broken forges."""

import pytest
from msgspec.structs import replace

from provisioning.core.model.errors import HeadMoved, RemoteRefused, RemoteUnreachable
from provisioning.core.reviews.forge import Permission, Push
from provisioning.testing import ForgeSuite, MemoryForge, MemoryHub
from provisioning.testing.suites.forges.hubs import LABEL


class Forgetful(MemoryForge):
    """Answers only the first page, and the oldest of what there is of each."""

    def list_comments(self, number):
        return super().list_comments(number)[:50]

    def list_statuses(self, commit):
        return dict(list(super().list_statuses(commit).items())[:50])

    def list_pushes(self, number):
        return super().list_pushes(number)[1:]


class Stubborn(MemoryForge):
    """Lets the first word count."""

    def set_status(self, commit, status):
        if status.context not in self.list_statuses(commit):
            super().set_status(commit, status)

    def set_labels(self, number, labels):
        super().set_labels(number, {name: True for name, is_on in labels.items() if is_on})

    def update_comment(self, comment, body):
        """Leaves it as it is."""

    def update_pull(self, number, body):
        """Leaves it as it is."""


class Reversed(MemoryForge):
    """Lists the newest first."""

    def list_open_pulls(self):
        return super().list_open_pulls()[::-1]

    def list_closed_pulls(self):
        return super().list_closed_pulls()[::-1]

    def list_comments(self, number):
        return super().list_comments(number)[::-1]


class Careless(MemoryForge):
    """Merges whatever it is given, and lets everybody do everything."""

    def merge_pull(self, number, head):
        pull = self.read_pull(number)
        hub = self._hub
        made = hub.merge(hub.read_head(pull.base_branch), pull.head) or head
        hub.move(pull.base_branch, made)
        merged = replace(pull, is_open=False, merged=made, merged_at="now")
        hub.threads[number].pull = merged

    def delete_comment(self, comment):
        comments, place = self._locate(comment)
        del comments[place]

    def create_pull(self, head, base, title, body):
        try:
            super().create_pull(head, base, title, body)
        except HeadMoved:
            self._hub.push(f"{head}2", "again.txt", "again")
            super().create_pull(f"{head}2", base, title, body)


class Trusting(MemoryForge):
    """Believes in everybody."""

    def read_permission(self, login):
        return max(super().read_permission(login), Permission.WRITE)

    def _may_write(self, login):
        return True

    def create_comment(self, number, body):
        return replace(super().create_comment(number, body), author=self._hub.owner)


class Blurred(MemoryForge):
    """Takes silence for nothing, and a lost race for a no."""

    def list_closed_pulls(self):
        try:
            return super().list_closed_pulls()
        except (RemoteUnreachable, RemoteRefused):
            return []

    def merge_pull(self, number, head):
        try:
            super().merge_pull(number, head)
        except HeadMoved as exc:
            raise RemoteRefused(exc.message) from exc
        except RemoteRefused as exc:
            raise HeadMoved(exc.message) from exc

    def read_pull(self, number):
        return replace(super().read_pull(number), merged_at="")

    def list_open_pulls(self):
        return [replace(each, is_fork=False) for each in super().list_open_pulls()]

    def count_approvals(self, number, head):
        return super().count_approvals(number, self._hub.threads[number].pull.head)

    def get_file_url(self, branch, path):
        return f"https://forge.example.org/{path}"


class Early(MemoryForge):
    """Dates every push back."""

    def list_pushes(self, number):
        return [Push(0, each.head) for each in super().list_pushes(number)]


BROKEN = [
    (Careless, "a_branch_has_one"),
    (Reversed, "many_are_listed_oldest_first"),
    (Stubborn, "its_text_is_written_anew"),
    (Blurred, "one_of_a_fork_says_so"),
    (Trusting, "what_is_said_comes_back"),
    (Forgetful, "all_are_listed_oldest_first"),
    (Reversed, "all_are_listed_oldest_first"),
    (Stubborn, "one_is_written_anew"),
    (Careless, "deleting_twice_is_no_error"),
    (Forgetful, "a_push_is_not_older_than_what_was_said_before"),
    (Early, "a_push_is_not_older_than_what_was_said_before"),
    (Stubborn, "the_newest_status_of_a_context_counts"),
    (Forgetful, "every_context_is_listed"),
    (Stubborn, "labels_are_given_and_taken"),
    (Blurred, "files_have_addresses"),
    (Trusting, "people_are_known"),
    (Trusting, "a_stranger_does_not_count"),
    (Blurred, "an_approval_is_of_a_commit"),
    (Blurred, "a_merged_one_is_on_the_branch"),
    (Reversed, "merged_ones_are_listed_oldest_first"),
    (Careless, "another_head_is_not_merged"),
    (Blurred, "another_head_is_not_merged"),
    (Careless, "a_conflict_is_not_merged"),
    (Blurred, "a_conflict_is_not_merged"),
    (Careless, "protection_is_kept"),
    (Careless, "a_closed_one_is_not_merged"),
    (Careless, "who_may_not_write_is_refused"),
    (Blurred, "an_unknown_token_is_refused"),
    (Blurred, "silence_is_no_answer"),
]


def build_suite(forge_class):
    class Hub(MemoryHub):
        def build_forge(self, login):
            return forge_class(self, login)

        def build_unknown(self):
            return forge_class(self, None)

        def build_cut_off(self):
            forge = forge_class(self, self.owner)
            forge.is_cut_off = True
            return forge

    class Suite(ForgeSuite):
        def build_hub(self):
            return Hub(labels=(LABEL,))

    suite = Suite()
    suite.setup_method()
    return suite


@pytest.mark.parametrize(("forge_class", "truth"), BROKEN)
def test_suite_catches_the_breach(forge_class, truth):
    """A forge that breaks a truth fails that truth's test."""
    with pytest.raises((AssertionError, TypeError, ValueError)):
        getattr(build_suite(forge_class), f"test_{truth}")()


@pytest.mark.parametrize("truth", sorted({truth for _, truth in BROKEN}))
def test_suite_passes_the_sound(truth):
    """The same tests pass for the forge that keeps the contract."""
    getattr(build_suite(MemoryForge), f"test_{truth}")()


def test_every_truth_is_numbered_once():
    """The truths are numbered 1, 2, 3 … in their docstrings, so that one can be named."""
    tests = [getattr(ForgeSuite, name) for name in dir(ForgeSuite) if name[:5] == "test_"]
    numbers = sorted(int(test.__doc__.partition(".")[0]) for test in tests)
    assert numbers == list(range(1, len(tests) + 1))
