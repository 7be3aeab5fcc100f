import resource
import zlib
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from provisioning.core.model.errors import HeadMoved, InvalidManifest, RepositoryUnusable
from provisioning.core.statelog.transitions import OURS
from provisioning.gitstore.repository.repository import open_repository

REF = f"{OURS}web"


def write(repository, text, parent=None):
    return repository.write_commit(parent, {"lock.json": text.encode()}, text, "Ada", 1.0)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"core.repositoryformatversion": "9"}, "version 9"),
        ({"core.repositoryformatversion": "1", "extensions.refstorage": "reftable"}, "refstorage"),
        ({"core.repositoryformatversion": "1", "extensions.objectformat": "sha256"}, "sha256"),
    ],
)
def test_other_format_is_named(bench, settings, why):
    """A repository of a format we cannot read says which format it is, and which we can."""
    for name, value in settings.items():
        bench.git("config", "--file", ".git/config", name, value)
    with pytest.raises(RepositoryUnusable, match=why) as caught:
        open_repository(bench.folder)
    assert "SHA-1" in caught.value.hint


def test_no_repository_is_named(tmp_path):
    """A folder without a repository says how to make one."""
    with pytest.raises(RepositoryUnusable, match="not in a Git repository") as caught:
        open_repository(tmp_path)
    assert caught.value.hint == f"git init {tmp_path}"


def test_other_processes_are_seen(bench):
    """A ref that git moves, packs or deletes is seen by a repository opened before."""
    repository = bench.open()
    assert repository.read_ref("refs/heads/main") is None
    first = bench.commit({"a": "1"})
    assert repository.read_ref("refs/heads/main") == first
    bench.git("pack-refs", "--all")
    assert repository.read_ref("refs/heads/main") == first
    second = bench.commit({"a": "2"})
    assert repository.read_ref("refs/heads/main") == second
    bench.git("repack", "-adq")
    assert repository.read_file(second, "a") == b"2"


def test_writing_touches_nothing_of_the_user(bench):
    """A commit of ours leaves HEAD, index, work tree and hooks alone, and git finds no fault."""
    bench.commit({"a": "1"})
    ran = bench.folder / "ran"
    for hook in ("reference-transaction", "post-commit", "pre-commit"):
        file = bench.folder / ".git/hooks" / hook
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\ntouch {ran}\n")
        file.chmod(0o755)
    before = {name: (bench.folder / ".git" / name).read_bytes() for name in ("HEAD", "index")}
    repository = bench.open()
    repository.update_ref(REF, write(repository, "1"), None)
    after = {name: (bench.folder / ".git" / name).read_bytes() for name in ("HEAD", "index")}
    assert before == after
    assert not ran.exists()
    assert bench.git("status", "--porcelain") == ""
    bench.git("fsck", "--strict")


def test_changes_of_a_commit(bench):
    """Paths are written and removed in nested folders; empty folders vanish, others are kept."""
    repository = bench.open()
    files = {"a/b/c": b"1", "a/b/d": b"2", "e": b"3", "x/y": b"4"}
    first = repository.write_commit(None, files, "m", "Ada", 1.0)
    changes = {"a/b/c": None, "x/y": None, "e": b"5", "f/g": b"6", "not/there": None}
    second = repository.write_commit(first, changes, "m", "Ada", 2.0)
    assert bench.git("ls-tree", "-r", "--name-only", second).split() == ["a/b/d", "e", "f/g"]
    assert bench.git("show", f"{second}:e") == "5"
    assert repository.find_id(first, "x") is not None
    assert repository.find_id(second, "x") is None


@pytest.mark.parametrize("name", ["Ana <ana@x>", "a\nparent 0", " ", "Zoë", '."'])
def test_every_name_can_be_an_author(bench, name):
    """A name that Git has no room for is cleaned, and never breaks the commit."""
    repository = bench.open()
    commit = repository.write_commit(None, {"a": b""}, "m", name, 1.0)
    assert len(bench.git("log", "--format=%an", commit).splitlines()) == 1
    bench.git("fsck", "--strict", commit)


def test_update_ref_is_compare_and_swap(bench):
    """A ref moves only from where the caller saw it, and appears only where there was none."""
    repository = bench.open()
    one, two = write(repository, "1"), write(repository, "2")
    with pytest.raises(HeadMoved):
        repository.update_ref(REF, two, one)
    repository.update_ref(REF, one, None)
    for old in (None, two):
        with pytest.raises(HeadMoved):
            repository.update_ref(REF, two, old)
    assert repository.read_ref(REF) == one


def race(folder, number, old):
    repository = open_repository(folder)
    new = write(repository, str(number), old)
    try:
        repository.update_ref(REF, new, old)
    except HeadMoved:
        return None
    return new


def test_one_of_many_processes_wins(bench):
    """Of six processes that move one ref at once exactly one wins, each time."""
    head = None
    with get_context("spawn").Pool(6) as pool:
        for _ in range(4):
            found = pool.starmap(race, [(bench.folder, each, head) for each in range(6)])
            winners = [new for new in found if new]
            assert winners == [bench.open().read_ref(REF)]
            head = winners[0]


def test_threads_share_a_repository(bench):
    """Several threads write and read through one repository."""
    repository = bench.open()
    with ThreadPoolExecutor(8) as pool:
        commits = list(pool.map(lambda n: write(repository, str(n)), range(64)))
        files = list(pool.map(lambda each: repository.read_file(each, "lock.json"), commits))
    assert files == [str(n).encode() for n in range(64)]


def test_branch_in_the_way_is_named(bench):
    """A branch named `provisioning` leaves no room for ours: it is named, and no lost race."""
    bench.commit({"a": "1"})
    bench.git("branch", "provisioning")
    repository = bench.open()
    with pytest.raises(RepositoryUnusable, match="'refs/heads/provisioning' exists") as caught:
        repository.update_ref(REF, write(repository, "1"), None)
    assert "git branch -m" in caught.value.hint


def test_ref_that_is_not_ours_is_never_written(bench):
    """Only refs below ours are written."""
    commit = bench.commit({"a": "1"})
    with pytest.raises(AssertionError):
        bench.open().update_ref("refs/heads/main", commit, commit)


@pytest.mark.parametrize("part", ["commit", "tree", "blob"])
@pytest.mark.parametrize("kind", ["garbage", "empty", "cut short", "gone"])
def test_damage_is_named(bench, part, kind):
    """A commit, tree or blob that is damaged in any way is one clear error, at once."""
    commit = bench.commit({"infra/a": "content " * 50})
    names = {"commit": commit, "tree": f"{commit}:infra", "blob": f"{commit}:infra/a"}
    file = bench.find_object(bench.git("rev-parse", names[part]))
    data = file.read_bytes()
    file.unlink()
    if kind != "gone":
        file.write_bytes({"garbage": b"garbage", "empty": b"", "cut short": data[:-6]}[kind])
    with pytest.raises(RepositoryUnusable) as caught:
        bench.open().read_file(commit, "infra/a")
    assert caught.value.hint


@pytest.mark.parametrize(
    "content", [b"blob 3\0abd", b"blob 2\0abc", b"blob -1\0abc", b"tree 3\0abc", b"blob 3\0ab"]
)
def test_a_blob_that_is_not_what_its_name_says_is_damage(bench, content):
    """Its kind, its size and its SHA-1 are checked before anybody believes it."""
    commit = bench.commit({"a": "abc"})
    file = bench.find_object(bench.git("rev-parse", f"{commit}:a"))
    assert bench.open().read_file(commit, "a") == b"abc"
    file.unlink()
    file.write_bytes(zlib.compress(content))
    with pytest.raises(RepositoryUnusable, match="damaged"):
        bench.open().read_file(commit, "a")


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 2**20])
def test_a_blob_of_any_size_is_read_whole(bench, size):
    """Where its header ends and where it is cut into pieces changes nothing."""
    commit = bench.commit({"a": "x" * size})
    assert bench.open().read_file(commit, "a") == b"x" * size


def test_large_file_is_refused_before_it_is_read(bench, tmp_path):
    """A 100 MB file costs no memory: its size is known before it is read."""
    (bench.folder / "big").touch()
    with (bench.folder / "big").open("wb") as big:
        big.truncate(100 * 2**20)
    bench.git("config", "core.compression", "1")
    commit = bench.commit({"a": "1"})
    repository = bench.open()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidManifest, match="big has 104857600 bytes"):
        repository.read_file(commit, "big")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50 * 2**10


def test_ancestry(bench):
    """A commit follows itself and those before it, and no other; an unknown one is an error."""
    one, two = bench.commit({"a": "1"}), bench.commit({"a": "2"})
    repository = bench.open()
    other = write(repository, "x")
    assert repository.is_ancestor(one, one)
    assert repository.is_ancestor(one, two)
    assert not repository.is_ancestor(two, one)
    assert not repository.is_ancestor(other, two)
    assert not repository.is_ancestor("1" * 40, two)
    with pytest.raises(RepositoryUnusable, match="1111111111"):
        repository.is_ancestor(one, "1" * 40)


def test_shallow_clone_says_what_it_cannot_know(bench, tmp_path):
    """Where a shallow clone cuts the history, ancestry is an error that tells how to mend it."""
    one, two, three = (bench.commit({"a": text}) for text in "123")
    bench.git("clone", "--quiet", "--depth=1", f"file://{bench.folder}", str(tmp_path / "clone"))
    clone = open_repository(tmp_path / "clone")
    assert clone.read_file(three, "a") == b"3"
    assert clone.is_ancestor(two, three)
    with pytest.raises(RepositoryUnusable, match="shallow") as caught:
        clone.is_ancestor(one, three)
    assert caught.value.hint == "git fetch --unshallow"


def test_a_mirror_that_is_just_fetched_into_is_left_to_the_fetch(bench):
    """A ref whose lock another git holds says the news a little later; that is no error."""
    repository = bench.open()
    first = write(repository, "one")
    repository.follow(REF, first)
    assert repository.read_ref(REF) == first
    lock = bench.folder / ".git" / f"{REF}.lock"
    lock.touch()
    repository.follow(REF, write(repository, "two", first))
    repository.unfollow(REF)
    assert repository.read_ref(REF) == first
    lock.unlink()
    repository.unfollow(REF)
    assert repository.read_ref(REF) is None
