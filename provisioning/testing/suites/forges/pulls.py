"""Pull requests that are opened, rewritten and closed."""

from __future__ import annotations

from provisioning.core.model.errors import HeadMoved, RemoteRefused
from provisioning.testing.suites.cases import expect
from provisioning.testing.suites.forges.hubs import HubStage, expect_error, find_pull, open_pull


class OpeningTruths(HubStage):
    """Truths about `create_pull`, `update_pull`, `close_pull` and those that list."""

    def test_nothing_is_listed_at_first(self) -> None:
        """1. A repository without pull requests lists none."""
        _, forge = self.start()
        expect(forge.list_open_pulls() == [], "none is open")
        expect(forge.list_closed_pulls() == [], "none was closed")

    def test_an_opened_one_tells_what_it_is(self) -> None:
        """2. An opened pull request is open, and has author, branches, head and text."""
        hub, forge = self.start()
        pull = forge.read_pull(open_pull(hub, forge))
        expect(pull.author == hub.owner, "its author is whose token opened it", pull)
        expect((pull.head_branch, pull.base_branch) == ("topic", hub.base), "its branches", pull)
        expect(pull.head == hub.read_head("topic"), "its head is that of its branch", pull)
        expect(pull.is_open and not pull.is_fork, "it is open, and of this repository", pull)
        expect(pull.merged is None and not pull.merged_at, "it was not merged", pull)
        expect(pull.body.strip() == "Why." and not pull.labels, "text, and no labels", pull)
        expect(pull.url.startswith("http"), "it has an address for people", pull)
        expect(forge.list_open_pulls() == [pull], "a list has the same")

    def test_a_branch_has_one(self) -> None:
        """3. A second pull request from a branch is `HeadMoved`, and opens nothing."""
        hub, forge = self.start()
        open_pull(hub, forge)
        before = forge.list_open_pulls()
        with expect_error(HeadMoved, "a second pull request from a branch"):
            forge.create_pull("topic", hub.base, "Again", "")
        expect(forge.list_open_pulls() == before, "nothing else was opened")

    def test_a_push_moves_its_head(self) -> None:
        """4. A push to its branch is its new head, and nothing else of it changes."""
        hub, forge, number = self.start_with_pull()
        before = forge.read_pull(number)
        head = hub.push("topic", "more.txt", "more\n")
        after = forge.read_pull(number)
        expect(head != before.head and after.head == head, "its head is what was pushed", after)
        same = (after.author, after.body, after.is_open) == (before.author, before.body, True)
        expect(same, "the rest is as it was", after)

    def test_many_are_listed_oldest_first(self) -> None:
        """5. Open ones are listed in the order in which they were opened, and closed ones not."""
        hub, forge = self.start()
        numbers = [open_pull(hub, forge, f"topic{number}") for number in range(3)]
        listed = [pull.number for pull in forge.list_open_pulls()]
        expect(listed == numbers == sorted(numbers), "oldest first", listed)
        forge.close_pull(numbers[1])
        listed = [pull.number for pull in forge.list_open_pulls()]
        expect(listed == [numbers[0], numbers[2]], "a closed one is not open", listed)

    def test_its_text_is_written_anew(self) -> None:
        """6. `update_pull` writes the text whole; any letter comes back as it was."""
        _, forge, number = self.start_with_pull()
        text = "é 漢 🙂 <b>`&amp;`</b> @nobody\n\n| a | b |\n"
        forge.update_pull(number, text)
        got = forge.read_pull(number).body
        expect(got.strip() == text.strip(), "the text is what was written", got)

    def test_a_closed_one_was_not_merged(self) -> None:
        """7. A closed one is neither open nor merged; its branch can have another one."""
        hub, forge, number = self.start_with_pull()
        forge.close_pull(number)
        pull = forge.read_pull(number)
        expect(not pull.is_open and pull.merged is None, "it is closed and not merged", pull)
        expect(pull.is_closed and forge.list_closed_pulls() == [pull], "it is listed so")
        forge.create_pull("topic", hub.base, "Again", "")
        expect(find_pull(forge, "topic") != number, "it has another number")

    def test_one_of_a_fork_says_so(self) -> None:
        """8. One from a fork is marked as such, and has its author."""
        hub, forge = self.start()
        head = hub.fork("topic", "theirs.txt", "theirs\n")
        hub.build_forge(hub.stranger).create_pull(head, hub.base, "Theirs", "")
        (pull,) = forge.list_open_pulls()
        expect(pull.is_fork and pull.author == hub.stranger, "it is the stranger's", pull)
        expect(pull.head_branch == "topic", "its branch is named as it is there", pull)

    def test_one_that_is_not_there_is_refused(self) -> None:
        """9. A number that no pull request has is `RemoteRefused`."""
        _, forge = self.start()
        with expect_error(RemoteRefused, "a pull request that is not there"):
            forge.read_pull(4711)
