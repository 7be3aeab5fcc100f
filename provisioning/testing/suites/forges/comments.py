"""Comments of pull requests, and pushes meanwhile."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import Forge, Push
from provisioning.testing.suites.cases import expect
from provisioning.testing.suites.forges.hubs import HubStage, open_pull

MANY = 60
"""More than a forge puts on one page."""

NOTED_SECONDS = 60
TIME_UNIT = 1.1
"""Seconds after which a forge's time is another one; it may count whole seconds."""

POLL_SECONDS = 0.02


class TalkingTruths(HubStage):
    """Truths about comments and pushes."""

    def test_what_is_said_comes_back(self) -> None:
        """10. A comment has its author and text, and is the answer to its creation."""
        hub, forge, number = self.start_with_pull()
        text = "é 漢 🙂 <script>`x`</script>\n\n/provisioning plan\n"
        said = hub.build_forge(hub.stranger).create_comment(number, text)
        expect(said.author == hub.stranger, "it is whose token said it", said)
        expect(said.body.strip() == text.strip(), "the text is what was said", said)
        expect(said.url.startswith("http"), "it has an address for people", said)
        expect(forge.list_comments(number) == [said], "a list has the same")

    def test_all_are_listed_oldest_first(self) -> None:
        """11. However many there are, all come, oldest first, and their ids rise."""
        hub, forge = self.start()
        number, other = open_pull(hub, forge), open_pull(hub, forge, "other")
        said = [forge.create_comment(number, f"comment {count}") for count in range(MANY)]
        forge.create_comment(other, "elsewhere")
        ids = [item.id for item in said]
        expect(ids == sorted(set(ids)), "ids rise", ids)
        expect(forge.list_comments(number) == said, "all are there, and no other's")

    def test_one_is_written_anew(self) -> None:
        """12. A comment that is written anew keeps its id and place, and says so; no other does."""
        _, forge, number = self.start_with_pull()
        first, second = (forge.create_comment(number, text) for text in ("one", "two"))
        expect(not first.is_edited, "a new one is not edited")
        time.sleep(TIME_UNIT)
        forge.update_comment(first.id, "new")
        found = [(item.id, item.body, item.is_edited) for item in forge.list_comments(number)]
        wanted = [(first.id, "new", True), (second.id, "two", False)]
        expect(found == wanted, "only its text changed", found)

    def test_deleting_twice_is_no_error(self) -> None:
        """13. A deleted comment is gone, and to delete it again is no error."""
        _, forge, number = self.start_with_pull()
        first, second = (forge.create_comment(number, text) for text in ("one", "two"))
        forge.delete_comment(first.id)
        forge.delete_comment(first.id)
        expect(forge.list_comments(number) == [second], "the other one stays")

    def test_a_push_is_not_older_than_what_was_said_before(self) -> None:
        """14. Ids show which commit people can have meant; that of the opening comes first."""
        hub, forge, number = self.start_with_pull()
        first = hub.read_head("topic")
        said = forge.create_comment(number, "said")
        second = hub.push("topic", "more.txt", "more\n")
        pushes = _wait_for_push(forge, number, second)
        expect([push.head for push in pushes] == [first, second], "all, oldest first", pushes)
        early, late = pushes
        expect(early.id < said.id < late.id, "it was said between the two", pushes)

    def test_any_thread_may_speak(self) -> None:
        """15. The comments of several threads at once are all there."""
        _, forge, number = self.start_with_pull()
        texts = [f"comment {count}" for count in range(8)]
        with ThreadPoolExecutor(4) as threads:
            said = list(threads.map(lambda text: forge.create_comment(number, text), texts))
        listed = forge.list_comments(number)
        expect(sorted(said, key=lambda item: item.id) == listed, "each is there once", listed)


def _wait_for_push(forge: Forge, number: int, head: CommitId) -> list[Push]:
    deadline = time.monotonic() + NOTED_SECONDS
    while head not in [push.head for push in forge.list_pushes(number)]:
        expect(time.monotonic() < deadline, f"a push is noted within {NOTED_SECONDS} s")
        threading.Event().wait(POLL_SECONDS)
    return forge.list_pushes(number)
