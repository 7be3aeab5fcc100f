"""What is written without libgit2 is what git would have written, or nothing."""

import pytest

from provisioning.core.model.errors import StorageFailed
from provisioning.gitstore.objects.object_writer import ObjectWriter


def list_files(bench):
    objects = bench.folder / ".git/objects"
    return sorted(str(path.relative_to(objects)) for path in objects.rglob("*") if path.is_file())


@pytest.mark.parametrize("content", [b"", b"x\n", bytes(range(256)) * 5000])
def test_an_object_is_written_as_git_writes_it(bench, content):
    """Its name and its content are Git's, whatever is in it."""
    new = ObjectWriter(bench.folder / ".git/objects")
    name = new.add("blob", content)
    new.write()
    assert bench.run("cat-file", "blob", name) == content
    assert bench.git("hash-object", "--stdin", data=content) == name
    assert list_files(bench) == [f"{name[:2]}/{name[2:]}"]


def test_an_object_is_written_again_over_a_damaged_one(bench):
    """A file that a crash left empty does not stay so."""
    name = bench.write_blob()
    path = bench.find_object(name)
    path.chmod(0o644)
    path.write_bytes(b"")
    new = ObjectWriter(bench.folder / ".git/objects")
    new.add("blob", b"x\n")
    new.write()
    assert bench.git("cat-file", "blob", name) == "x"


def test_trees_are_in_the_order_of_git(bench):
    """A folder sorts as if its name ended in a slash; what is not ours stays as it is."""
    blob = bench.write_blob()
    base = bench.write_tree(
        ("100755", blob, b"run"), ("120000", blob, b"caf\xe9"), ("160000", blob, b"sub")
    )
    parent = bench.git("commit-tree", base, "-m", "base")
    files = {"a/x": b"1", "a.b": b"2", "a0": b"3", "a": None, "b": b"4"}
    commit = bench.open().write_commit(parent, files, "m", "Ada", 1.0)
    bench.git("fsck", "--strict", commit)
    names = bench.run("ls-tree", "-z", "--name-only", commit).split(b"\0")
    assert names == [b"a.b", b"a", b"a0", b"b", b"caf\xe9", b"run", b"sub", b""]
    modes = bench.git("ls-tree", "--format=%(objectmode)", commit).split()
    assert modes[-3:] == ["120000", "100755", "160000"]


def test_what_the_disk_does_not_take_leaves_nothing(bench):
    """One object that cannot be written is an error, and no other one lies half written."""
    name = ObjectWriter(bench.folder).add("blob", b"1")
    (bench.folder / ".git/objects" / name[:2]).write_text("in the way")
    before = list_files(bench)
    with pytest.raises(StorageFailed, match="Not a directory"):
        bench.open().write_commit(None, {"b": b"2", "c": b"3", "a": b"1"}, "m", "Ada", 1.0)
    assert list_files(bench) == before
