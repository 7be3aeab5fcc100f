import os
import time

import pytest

from provisioning.core.model.errors import InvalidManifest, RepositoryUnusable
from provisioning.gitstore.objects.commits import FileChange, TreeFile
from provisioning.gitstore.repository.repository import FILE_LIMIT

FILE, FOLDER, LINK, SUBMODULE = "100644", "40000", "120000", "160000"


def walk(bench, tree):
    return list(bench.open().walk_files(tree))


def refuse(bench, tree):
    with pytest.raises(InvalidManifest) as caught:
        walk(bench, tree)
    assert caught.value.hint
    return str(caught.value)


def test_every_file_is_found(bench):
    """Files of every depth are found by their path, executable or not."""
    blob = bench.write_blob()
    below = bench.write_tree((FILE, blob, b"c.yaml"), ("100755", blob, b"d.sh"))
    tree = bench.write_tree((FILE, blob, b"a.yaml"), (FOLDER, below, b"b"))
    found = sorted(walk(bench, tree), key=lambda file: file.path)
    assert found == [TreeFile("a.yaml", blob), TreeFile("b/c.yaml", blob), TreeFile("b/d.sh", blob)]


@pytest.mark.parametrize(
    ("mode", "name", "why"),
    [
        (LINK, b"a.yaml", "a.yaml is a symbolic link"),
        (SUBMODULE, b"a", "a is a submodule"),
        (FILE, b"..", ".. has a name that no file can have"),
        (FOLDER, b"..", ".. has a name that no file can have"),
        (FILE, b".git", ".git has a name that no file can have"),
        (FILE, b"a/b.yaml", "a/b.yaml has a name that no file can have"),
        (FILE, b"caf\xe9.yaml", "name that is not UTF-8"),
    ],
)
def test_hostile_entry_is_refused(bench, mode, name, why):
    """What is no plain file or folder is refused with its path and the reason."""
    below = bench.write_tree((FILE, bench.write_blob(), b"x"))
    id_ = below if mode == FOLDER else bench.write_blob(b"/etc/passwd")
    tree = bench.write_tree((mode, id_, name))
    assert why in refuse(bench, tree)
    outer = bench.write_tree((FOLDER, tree, b"infra"))
    assert "infra/" in refuse(bench, outer)


def test_two_forms_of_one_name_are_refused(bench):
    """Names that only their Unicode form tells apart are refused; either alone is read."""
    blob = bench.write_blob()
    composed, apart = "é.yaml".encode(), "e\u0301.yaml".encode()
    tree = bench.write_tree((FILE, blob, composed), (FILE, blob, apart))
    assert "only in its Unicode form" in refuse(bench, tree)
    assert walk(bench, bench.write_tree((FILE, blob, apart))) == [TreeFile("e\u0301.yaml", blob)]


def nest(bench, depth):
    """Write *depth* folders within each other in one go, through one `git fast-import`."""
    path = "d/" * depth + "x"
    head = "commit refs/heads/deep\ncommitter A <a@b> 0 +0000\ndata 0\n"
    script = f"{head}M 644 inline {path}\ndata 1\nx\n"
    bench.git("fast-import", "--quiet", data=script.encode())
    return bench.git("rev-parse", "deep^{tree}")


def test_depth_without_end_is_refused_at_once(bench):
    """A tree 10,000 folders deep is one clear error, and no long wait."""
    tree = nest(bench, 10_000)
    before = time.process_time()
    message = refuse(bench, tree)
    assert time.process_time() - before < 10
    assert "more than 100 folders deep" in message
    assert len(message) < 300


def test_a_deep_tree_is_read(bench):
    """A hundred folders within each other are read."""
    assert walk(bench, nest(bench, 100))[0].path == "d/" * 100 + "x"


def test_only_what_is_walked_matters(bench):
    """A link beside the walked folder does no harm."""
    blob = bench.write_blob()
    infra = bench.write_tree((FILE, blob, b"a.yaml"))
    bench.write_tree((LINK, blob, b"link"), (FOLDER, infra, b"infra"))
    assert walk(bench, infra) == [TreeFile("a.yaml", blob)]


def test_changes_tell_both_sides(bench):
    """A change tells the blob before and after; None where there is none."""
    one, two = bench.write_blob(b"1"), bench.write_blob(b"2")
    old = bench.write_tree((FILE, one, b"gone"), (FILE, one, b"kept"), (FILE, one, b"new"))
    new = bench.write_tree((FILE, one, b"kept"), (FILE, two, b"new"), (FILE, two, b"put"))
    assert list(bench.open().walk_changes(old, new)) == [
        FileChange("gone", one, None),
        FileChange("new", one, two),
        FileChange("put", None, two),
    ]


def test_file_becomes_folder_and_back(bench):
    """A file that becomes a folder is gone, and the files below the folder are new."""
    blob = bench.write_blob()
    file = bench.write_tree((FILE, blob, b"a"))
    folder = bench.write_tree((FOLDER, file, b"a"))
    gone, new = FileChange("a", blob, None), FileChange("a/a", None, blob)
    assert list(bench.open().walk_changes(file, folder)) == [gone, new]
    back = list(bench.open().walk_changes(folder, file))
    assert {(each.path, each.before, each.after) for each in back} == {
        ("a", None, blob),
        ("a/a", blob, None),
    }


def test_equal_subtrees_are_not_read(bench):
    """A subtree with an equal id is skipped: even one whose objects are missing does not matter."""
    blob = bench.write_blob()
    same = bench.write_tree((FILE, blob, b"x"))
    old = bench.write_tree((FOLDER, same, b"same"))
    new = bench.write_tree((FOLDER, same, b"same"), (FILE, blob, b"b"))
    bench.find_object(same).unlink()
    assert list(bench.open().walk_changes(old, new)) == [FileChange("b", None, blob)]


def test_missing_subtree_is_not_an_empty_one(bench):
    """A subtree whose object is missing or damaged is an error, and never read as empty."""
    below = bench.write_tree((FILE, bench.write_blob(), b"x"))
    tree = bench.write_tree((FOLDER, below, b"infra"))
    bench.find_object(below).unlink()
    with pytest.raises(RepositoryUnusable, match=f"{below[:10]}.*infra.*damaged or missing"):
        walk(bench, tree)


def test_hostile_past_can_be_left(bench):
    """Where the old tree has what is refused and the new one has not, the change is told."""
    blob = bench.write_blob()
    old = bench.write_tree((LINK, blob, b"link"), (FILE, blob, b"caf\xe9"), (FILE, blob, b".."))
    new = bench.write_tree((FILE, blob, b"a"))
    changes = list(bench.open().walk_changes(old, new))
    assert FileChange("a", None, blob) in changes
    assert all(change.after is None for change in changes if change.path != "a")


def test_unknown_old_tree_counts_as_none(bench):
    """A tree from before, if it is gone, leads to a walk of everything."""
    blob = bench.write_blob()
    tree = bench.write_tree((FILE, blob, b"a"))
    assert list(bench.open().walk_changes("f" * 40, tree)) == [FileChange("a", None, blob)]


@pytest.mark.parametrize("size", [FILE_LIMIT + 1, 100 * 2**20])
def test_enormous_file_is_refused(bench, size, tmp_path):
    """A blob over the limit is refused by its size; the message names the path."""
    sparse = tmp_path / "sparse"
    sparse.touch()
    os.truncate(sparse, size)
    bench.git("config", "core.compression", "1")
    blob = bench.git("hash-object", "-w", str(sparse))
    with pytest.raises(InvalidManifest, match=f"big.bin has {size} bytes"):
        bench.open().read_blob(blob, "big.bin")


def test_largest_file_is_read(bench):
    """A blob of exactly the limit is read."""
    blob = bench.write_blob(bytes(FILE_LIMIT))
    assert len(bench.open().read_blob(blob)) == FILE_LIMIT
