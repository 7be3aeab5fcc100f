"""What is read without libgit2 is what git reads, or nothing."""

import random
import zlib

import pytest

from provisioning.gitstore.objects.loose_refs import find_plain_repository
from provisioning.gitstore.objects.object_files import ObjectFiles, apply_delta, parse_tree
from provisioning.gitstore.repository.repository import Repository, open_repository


@pytest.fixture
def packed(bench):
    """A repository whose objects are deltas of each other, in one pack."""
    chance = random.Random(7)
    lines = [f"{chance.random()} line {number}\n" for number in range(400)]
    for number in range(12):
        lines[chance.randrange(400)] = f"changed {number} {chance.random()}\n"
        bench.commit({"big.txt": "".join(lines), f"d/{number}.txt": f"{number}\n", "empty": ""})
    return bench


def list_objects(bench):
    shown = bench.git("cat-file", "--batch-all-objects", "--batch-check")
    return [tuple(line.split()[:2]) for line in shown.splitlines()]


def read_by_git(bench, name, kind):
    return bench.run("cat-file", kind, name)


@pytest.mark.parametrize("options", [["--depth=2"], ["--depth=50", "--window=50"]])
def test_every_object_of_a_pack_is_read_as_git_reads_it(packed, options):
    """Commits, trees and blobs, whole or as deltas upon deltas."""
    packed.git("repack", "-adfq", *options)
    assert "chain length" in packed.git("verify-pack", "-v", *list_indexes(packed))
    for name, kind in list_objects(packed):
        files = ObjectFiles(packed.folder / ".git/objects")
        assert files.has(name)
        assert files.read(name) == (kind, read_by_git(packed, name, kind))
    assert files.read("1" * 40) is None
    assert not files.has("1" * 40)


def list_indexes(bench):
    return [str(path) for path in (bench.folder / ".git/objects/pack").glob("*.idx")]


def test_deltas_upon_other_packs_objects_are_read(packed):
    """A pack with bases named by their ids (REF_DELTA), as a pack that came over a wire has."""
    names = [name for name, _ in list_objects(packed)]
    data = packed.run(
        "pack-objects", "--stdout", "--no-reuse-delta", data="\n".join(names).encode()
    )
    for path in (packed.folder / ".git/objects").glob("??/*"):
        path.unlink()
    packed.git("index-pack", "--stdin", data=data)
    folder = packed.folder / ".git/objects"
    assert all(ObjectFiles(folder).read(name) for name in names)


def test_a_damaged_pack_gives_nothing_wrong(packed):
    """Whatever byte is another one: each object is right, or left to libgit2."""
    packed.git("repack", "-adfq")
    objects = {name: read_by_git(packed, name, kind) for name, kind in list_objects(packed)}
    (path,) = (packed.folder / ".git/objects/pack").glob("*.pack")
    whole, chance = path.read_bytes(), random.Random(3)
    path.chmod(0o600)
    for place in chance.sample(range(12, len(whole) - 20), 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        files = ObjectFiles(packed.folder / ".git/objects")
        for name, content in objects.items():
            found = files.read(name)
            assert found is None or found[1] == content


def test_who_reads_many_deltas_is_sent_to_libgit2(packed):
    """It keeps what deltas stand on; from some number on nothing of a chain is read here."""
    packed.git("repack", "-adfq", "--depth=50", "--window=50")
    files = ObjectFiles(packed.folder / ".git/objects")
    names = [name for name, _ in list_objects(packed)]
    found = [files.read(name) is not None for _ in range(20) for name in names]
    assert all(found[: len(names) // 2])
    last = dict(zip(names, found[-len(names) :], strict=True))
    assert not all(last.values())
    repository = packed.open()
    for name, _ in list_objects(packed) * 20:
        repository.has_object(name)
    commit = packed.git("rev-parse", "HEAD")
    assert repository.read_file(commit, "big.txt") == packed.run("show", "HEAD:big.txt")


@pytest.mark.parametrize("damage", [b"", b"\xfftOc\0\0\0\2", b"garbage" * 300])
def test_a_damaged_index_gives_nothing(packed, damage):
    """An index that cannot be read is no reason for a wrong answer."""
    packed.git("repack", "-adfq")
    name = packed.git("rev-parse", "HEAD")
    (path,) = map(type(packed.folder), list_indexes(packed))
    path.chmod(0o600)
    path.write_bytes(damage)
    assert ObjectFiles(packed.folder / ".git/objects").read(name) is None


@pytest.mark.parametrize(
    "delta",
    [b"", b"\x03", b"\x04\x01\x01a", b"\x03\x05\x01a", b"\x03\x03\x90", b"\x03\x81"],
)
def test_a_delta_that_does_not_fit_is_refused(delta):
    """Sizes are checked at both ends, and nothing is read beyond it."""
    with pytest.raises((ValueError, IndexError)):
        apply_delta(b"abc", delta)


def test_a_tree_that_is_cut_short_is_refused():
    """Half of an id is none."""
    with pytest.raises(ValueError, match="a"):
        parse_tree(b"100644 a\0" + b"x" * 19)


@pytest.mark.parametrize("packs_refs", [False, True])
def test_refs_are_found_loose_and_packed(bench, packs_refs):
    """A branch is where git says, whether it has a file or a line."""
    first = bench.commit({"a": "1"})
    bench.git("branch", "provisioning/web")
    bench.git("branch", "provisioning/app")
    bench.git("tag", "-a", "-m", "t", "provisioning")
    if packs_refs:
        bench.git("pack-refs", "--all")
    second = bench.commit({"a": "2"})
    repository = bench.open()
    assert repository.read_ref("refs/heads/main") == second
    assert repository.read_ref("refs/heads/provisioning/web") == first
    assert repository.read_ref("refs/heads/none") is None
    assert repository.read_ref("refs/tags/provisioning") == first
    ours = "refs/heads/provisioning/"
    assert sorted(repository.list_refs(ours)) == [f"{ours}app", f"{ours}web"]


def test_a_ref_to_a_ref_is_followed(bench):
    """What is not plain is left to libgit2, which knows it."""
    commit = bench.commit({"a": "1"})
    bench.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    assert bench.open().read_ref("refs/heads/alias") == commit


def test_a_plain_repository_is_found_from_below(bench):
    """The work tree is the folder with `.git` in it, from wherever one looks."""
    bench.commit({"a/b/c": "1"})
    assert find_plain_repository(bench.folder / "a/b") == bench.folder.resolve() / ".git"
    assert open_repository(bench.folder / "a/b").work_tree == bench.folder.resolve()


@pytest.mark.parametrize(
    "words",
    [
        ["core.worktree", "/elsewhere"],
        ["core.bare", "true"],
        ["include.path", "other"],
        ["core.repositoryformatversion", "1"],
        ["extensions.objectformat", "sha1"],
    ],
)
def test_an_unusual_configuration_is_left_to_libgit2(bench, words):
    """Whatever may change where things are, or what they mean."""
    assert find_plain_repository(bench.folder)
    bench.git("config", *words)
    assert find_plain_repository(bench.folder) is None


def test_linked_work_trees_and_bare_repositories_are_left_to_libgit2(bench, tmp_path):
    """They are read all the same."""
    commit = bench.commit({"a": "1"})
    bench.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    bench.git("clone", "-q", "--bare", str(bench.folder), str(tmp_path / "bare.git"))
    for folder in (tmp_path / "linked", tmp_path / "bare.git"):
        assert find_plain_repository(folder) is None
        repository = open_repository(folder)
        assert repository.read_ref("refs/heads/main") == commit
        assert repository.read_file(commit, "a") == b"1"


def test_nothing_of_libgit2_is_needed_for_what_is_plain(packed, monkeypatch):
    """A plan reads refs, folders and files without it."""
    packed.git("repack", "-adfq")
    commit = packed.git("rev-parse", "HEAD")
    repository = packed.open()
    monkeypatch.setattr(Repository, "_git", None)
    assert repository.read_ref("refs/heads/main") == commit
    assert repository.read_file(commit, "d/3.txt") == b"3\n"
    assert len(repository.read_folder(commit, "d")) == 12
    tree = repository.find_id(commit, "")
    assert len(list(repository.walk_files(tree))) == 14
    assert repository.has_object(commit)


def test_a_loose_object_of_any_kind_is_read(bench):
    """Before anything is packed."""
    commit = bench.commit({"a": "x" * 5000})
    files = ObjectFiles(bench.folder / ".git/objects")
    for name, kind in list_objects(bench):
        assert files.read(name) == (kind, read_by_git(bench, name, kind))
    bench.find_object(commit).unlink()
    bench.find_object(commit).write_bytes(zlib.compress(b"commit 1\0xx"))
    assert files.read(commit) is None
