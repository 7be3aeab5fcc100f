"""People: their permissions, and their approvals."""

from __future__ import annotations

from provisioning.core.reviews.forge import Permission
from provisioning.testing.suites.cases import expect
from provisioning.testing.suites.forges.hubs import HubStage, open_pull


class ApprovingTruths(HubStage):
    """Truths about `read_login`, `read_permission` and `count_approvals`."""

    def test_people_are_known(self) -> None:
        """20. It returns the login of its token, and the permissions of people."""
        hub, forge = self.start()
        writer, _ = hub.writers
        expect(forge.read_login() == hub.owner, "the login", forge.read_login())
        expect(hub.build_forge(writer).read_login() == writer, "each has a login of its own")
        rights = {name: forge.read_permission(name) for name in (hub.owner, *hub.writers)}
        wanted = {hub.owner: Permission.ADMIN} | dict.fromkeys(hub.writers, Permission.WRITE)
        expect(rights == wanted, "what people may do", rights)
        stranger = forge.read_permission(hub.stranger)
        expect(stranger < Permission.WRITE, "a stranger may not write", stranger)
        for name in ("nobody-has-this-name", "../admin", "a/b?c=d"):
            right = forge.read_permission(name)
            expect(right is Permission.NONE, f"{name} may do nothing", right)

    def test_people_are_counted(self) -> None:
        """21. Each who may write and approved counts once, whatever was said in between."""
        hub, forge = self.start()
        number, (first, second) = open_pull(hub, forge), hub.writers
        head = forge.read_pull(number).head
        counts = [forge.count_approvals(number, head)]
        for login, approves in ((first, True), (first, True), (second, True), (first, False)):
            hub.judge(number, login, approves=approves)
            counts.append(forge.count_approvals(number, head))
        expect(counts == [0, 1, 1, 2, 1], "people are counted, and may take it back", counts)

    def test_a_stranger_does_not_count(self) -> None:
        """22. The approval of somebody who may not write is none."""
        hub, forge, number = self.start_with_pull()
        hub.judge(number, hub.stranger, approves=True)
        count = forge.count_approvals(number, forge.read_pull(number).head)
        expect(count == 0, "a stranger does not count", count)

    def test_an_approval_is_of_a_commit(self) -> None:
        """23. After a push nobody has approved, neither the new head nor the old one."""
        hub, forge = self.start()
        number, (writer, _) = open_pull(hub, forge), hub.writers
        hub.judge(number, writer, approves=True)
        old = forge.read_pull(number).head
        new = hub.push("topic", "more.txt", "more\n")
        expect(forge.count_approvals(number, new) == 0, "a new head is not approved")
        hub.judge(number, writer, approves=True)
        expect(forge.count_approvals(number, new) == 1, "until somebody does")
        expect(forge.count_approvals(number, old) == 0, "and the old one no longer is")
