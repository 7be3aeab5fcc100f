"""Statuses, labels and addresses."""

from __future__ import annotations

from provisioning.core.reviews.forge import CommitStatus, State
from provisioning.testing.suites.cases import expect
from provisioning.testing.suites.forges.comments import MANY
from provisioning.testing.suites.forges.hubs import LABEL, HubStage


class ShowingTruths(HubStage):
    """Truths about `set_status`, `set_labels` and `get_file_url`."""

    def test_the_newest_status_of_a_context_counts(self) -> None:
        """16. Each context has the status that was set last; every state comes back."""
        hub, forge = self.start()
        commit = hub.read_head(hub.base)
        expect(forge.list_statuses(commit) == {}, "a commit has none at first")
        for state in State:
            one, other = _make_status("one", state), _make_status("two/deep", State.SUCCESS)
            forge.set_status(commit, one)
            forge.set_status(commit, other)
            found = forge.list_statuses(commit)
            expect(found == {"one": one, "two/deep": other}, "the newest counts", found)

    def test_every_context_is_listed(self) -> None:
        """17. However many contexts there are, all come; another commit has none of them."""
        hub, forge = self.start()
        first = hub.read_head(hub.base)
        wanted = {
            number.context: number
            for number in (_make_status(f"infra/i{count}", State.PENDING) for count in range(MANY))
        }
        for item in wanted.values():
            forge.set_status(first, item)
        expect(forge.list_statuses(first) == wanted, "all are there")
        second = hub.push(hub.base, "next.txt", "next\n")
        expect(forge.list_statuses(second) == {}, "another commit has none")

    def test_labels_are_given_and_taken(self) -> None:
        """18. Labels are given and taken, twice too; one that is not there is left out."""
        _, forge, number = self.start_with_pull()
        for _ in range(2):
            forge.set_labels(number, {LABEL: True, "no such label": True})
            expect(forge.read_pull(number).labels == {LABEL}, "it has the label")
        forge.set_labels(number, {"no such label": False})
        expect(forge.read_pull(number).labels == {LABEL}, "what is not named stays")
        for _ in range(2):
            forge.set_labels(number, {LABEL: False})
            expect(forge.read_pull(number).labels == frozenset(), "it is taken")

    def test_files_have_addresses(self) -> None:
        """19. The address of a file names its branch and path, and nothing else is in it."""
        _, forge = self.start()
        url = forge.get_file_url("provisioning-reviews/1", "plans/a b?.md")
        expect(url.startswith("http") and not {" ", "?"} & set(url), "it is an address", url)
        other = forge.get_file_url("provisioning-reviews/2", "plans/a b?.md")
        expect(url != other, "another branch has another address", other)


def _make_status(context: str, state: State) -> CommitStatus:
    url = f"https://example.org/{context}"
    return CommitStatus(context=context, state=state, description=f"it is {state}: é", url=url)
