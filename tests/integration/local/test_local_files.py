import errno
import os
import pwd
import stat

import pytest

from provisioning.core.model.errors import ProviderConflict, ProviderError
from provisioning.core.model.providers import Absent, Unreadable
from provisioning.core.model.values import Omitted, is_equal, summarise
from provisioning.providers.local.files.marks import MARK
from provisioning.providers.local.files.path_syntax import name_new, name_sidecar

F = "File/motd"
HELLO = {"path": "motd", "content": "hello\n"}


def test_new_file_has_fixed_rights(bench):
    """A new file is 0644 whatever the umask, and folders on its way are made 0755."""
    old = os.umask(0o077)
    try:
        made = bench.create(F, {"path": "a/b/motd", "content": "x"})
    finally:
        os.umask(old)
    assert made["mode"] == "0644"
    assert stat.S_IMODE((bench.root / "a" / "b").stat().st_mode) == 0o755
    assert (made["size"], made["content"]) == (1, "x")


def test_folders_on_the_way_stay(bench):
    """Folders made on the way to a file are nobody's: they outlive it."""
    bench.create(F, {"path": "a/b/motd", "content": "x"})
    bench.delete(F, {"path": "a/b/motd"})
    assert bench.list_names() == ["a", "a/b"]


def test_update_keeps_rights_left_out(bench):
    """A mode the spec does not state stays as it is, and a stated one is restored."""
    bench.create(F, HELLO)
    (bench.root / "motd").chmod(0o4600)
    assert bench.update(F, {**HELLO, "content": "new"})["mode"] == "4600"
    assert bench.update(F, {**HELLO, "mode": "0640"})["mode"] == "0640"


def test_numbers_stay_numbers(bench):
    """An owner said by number is answered by number, else by name."""
    uid, name = os.getuid(), pwd.getpwuid(os.getuid()).pw_name
    bench.create(F, {**HELLO, "owner": str(uid)})
    assert bench.look(F, {"path": "motd", "owner": str(uid)}).attributes["owner"] == str(uid)
    assert bench.look(F, {"path": "motd", "owner": name}).attributes["owner"] == name


def test_unknown_owner(bench):
    """A user who does not exist is refused by name, and nothing is left behind."""
    with pytest.raises(ProviderError, match="no user 'nobody-here'"):
        bench.create(F, {**HELLO, "owner": "nobody-here"})
    assert bench.list_names() == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_given_away(bench):
    """Root gives a file to another user, and its set-user-id bit survives that."""
    made = bench.create(F, {**HELLO, "owner": "65534", "group": "65534", "mode": "4755"})
    assert (made["owner"], made["group"], made["mode"]) == ("65534", "65534", "4755")


def test_content_that_is_not_text(bench):
    """Content that is not UTF-8 is bytes, there and back."""
    made = bench.create(F, {"path": "motd", "content": b"\xff\x00\xfe"})
    assert made["content"] == b"\xff\x00\xfe"


def test_large_content_is_summarised(bench):
    """Content beyond a mebibyte is answered as digest and size, which equal the whole."""
    content = "ä" * (1 << 20)
    made = bench.create(F, {"path": "motd", "content": content})
    assert isinstance(made["content"], Omitted)
    assert made["content"] == summarise(content)
    assert is_equal(made["content"], content)
    assert (bench.root / "motd").read_text() == content


def test_names_are_taken_as_given(bench):
    """Two Unicode spellings of a name are two files; blanks and newlines are part of names."""
    names = ["caf\u00e9", "cafe\u0301", " a b ", "line\nbreak", "-rf"]
    for number, name in enumerate(names):
        bench.create(f"File/f{number}", {"path": name, "content": name})
    assert bench.list_names() == sorted(names)


def test_absolute_path_below_an_allowed_root(bench):
    """An absolute path may lie below an allowed root, or below the root itself."""
    for place in (bench.shared / "x", bench.root / "x"):
        bench.create(F, {"path": str(place), "content": "x"})
        assert place.read_text() == "x"
        assert bench.look(F, {"path": str(place)}).attributes["path"] == str(place)


def test_missing_allowed_root_is_unreadable(bench):
    """An allowed root that is not mounted is unreadable: nothing below it is taken for gone."""
    bench.shared.rmdir()
    seen = bench.observe(F, {"path": str(bench.shared / "x")})
    assert isinstance(seen, Unreadable)
    assert "is not there" in seen.reason


def test_missing_root_is_empty(bench):
    """The root is made when it is first needed; until then everything is absent."""
    assert bench.observe(F, HELLO) == Absent()
    assert not bench.root.exists()


def test_nothing_known_is_absent(bench):
    """A target whose path is not known yet was never made."""
    assert bench.observe(F, {}) == Absent()


def test_conflict_names_the_path(bench):
    """A file made by hand is not overwritten; the error names it and what to do."""
    bench.root.mkdir()
    (bench.root / "motd").write_text("by hand")
    with pytest.raises(ProviderConflict, match="the file at motd was not made by us") as caught:
        bench.create(F, HELLO)
    assert caught.value.hint
    assert (bench.root / "motd").read_text() == "by hand"
    assert bench.look(F, HELLO).mark is None


def test_two_resources_in_one_place(bench):
    """A place that another resource of the same infra holds is a conflict."""
    bench.create(F, HELLO)
    with pytest.raises(ProviderConflict, match="File/motd#1"):
        bench.create("File/other", HELLO)


def test_lost_mark_is_renewed(bench):
    """A file whose mark was lost is seen without one, and an update marks it again."""
    bench.create(F, HELLO)
    os.removexattr(bench.root / "motd", MARK)
    assert bench.look(F, HELLO).mark is None
    bench.update(F, HELLO)
    assert bench.look(F, HELLO).mark.owner == f"{bench.infra}/{F}"


def test_update_makes_what_is_gone(bench):
    """An update of a file that vanished meanwhile makes it."""
    bench.create(F, HELLO)
    (bench.root / "motd").unlink()
    assert bench.update(F, HELLO)["content"] == "hello\n"


def test_update_spares_another_infras(bench):
    """An update never takes what another infra owns."""
    bench.create(F, HELLO, infra="other/web")
    with pytest.raises(ProviderConflict, match="other/web"):
        bench.update(F, HELLO)


def test_moved_file_changes_its_mark(bench):
    """An update under another name of the same infra takes the file over."""
    bench.create("File/old", HELLO)
    bench.update(F, HELLO)
    assert bench.look(F, HELLO).mark.owner == f"{bench.infra}/{F}"


def test_update_replaces_the_file_whole(bench):
    """Who has the old version open goes on reading it: a new version is another file."""
    bench.create(F, HELLO)
    with (bench.root / "motd").open() as file:
        bench.update(F, {**HELLO, "content": "new"})
        assert file.read() == "hello\n"


def test_hard_link_is_let_go(bench):
    """An update does not write through to another name of the same file."""
    bench.create(F, HELLO)
    os.link(bench.root / "motd", bench.root / "other")
    bench.update(F, {**HELLO, "content": "new"})
    assert (bench.root / "other").read_text() == "hello\n"


def test_marked_leftover_is_reported_and_removed(bench):
    """A new version that a crash left beside its file is reported, and goes with the update."""
    bench.create(F, HELLO)
    os.link(bench.root / "motd", bench.root / name_new("motd"))
    assert bench.look(F, HELLO).attributes["leftover"] is True
    assert "leftover" not in bench.update(F, HELLO)
    assert bench.list_names() == ["motd"]


def test_foreign_leftover_is_spared(bench):
    """What somebody else put where new versions are made stops the call and is untouched."""
    bench.root.mkdir()
    (bench.root / name_new("motd")).write_text("precious")
    with pytest.raises(ProviderConflict, match="not ours"):
        bench.create(F, HELLO)
    assert bench.list_names() == [name_new("motd")]


def test_full_disk(bench, monkeypatch):
    """A full disk is one clear error, and nothing is left behind."""

    def refuse(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(ProviderError, match="no space left on device") as caught:
        bench.create(F, HELLO)
    assert "free some space" in caught.value.hint
    assert bench.list_names() == []


def test_one_unreadable_file_spoils_no_other(bench, monkeypatch):
    """A file that cannot be read is unreadable with the reason; its neighbours are seen."""
    bench.create(F, HELLO)
    bench.create("File/two", {"path": "two", "content": "2"})
    real = os.open

    def refuse(path, *arguments, **named):
        if path == "motd":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", refuse)
    assert bench.observe(F, HELLO) == Unreadable(
        f"motd: permission denied for the user with id {os.geteuid()}"
    )
    assert bench.look("File/two", {"path": "two"})


@pytest.mark.usefixtures("without_attributes")
class TestWithoutExtendedAttributes:
    def test_sidecar_marks(self, bench):
        """Without extended attributes the mark lies in a side-car, and goes with the file."""
        bench.create(F, HELLO)
        assert bench.list_names() == [name_sidecar("motd"), "motd"]
        bench.update(F, {**HELLO, "content": "new"})
        assert bench.look(F, HELLO).mark.operation == 2
        bench.delete(F, HELLO)
        assert bench.list_names() == []

    def test_sidecar_speaks_of_one_file(self, bench):
        """A side-car proves nothing for another file that came to have the name."""
        bench.create(F, HELLO)
        (bench.root / "by-hand").write_text("mine")
        (bench.root / "by-hand").rename(bench.root / "motd")
        assert bench.look(F, HELLO).mark is None

    def test_orphaned_sidecar_is_a_trace(self, bench):
        """A side-car without its file is what a cut-off delete left, and a delete removes it."""
        bench.create(F, HELLO)
        (bench.root / "motd").unlink()
        assert bench.look(F, HELLO).attributes["leftover"] is True
        bench.delete(F, HELLO)
        assert bench.list_names() == []


@pytest.mark.usefixtures("without_nameless")
def test_without_nameless_files(bench):
    """Where the file system has no nameless files the result is the same."""
    bench.create(F, HELLO)
    bench.update(F, {**HELLO, "content": "new"})
    assert bench.list_names() == ["motd"]
    assert bench.look(F, HELLO).attributes["content"] == "new"
