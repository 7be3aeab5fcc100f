import pytest

from provisioning.core.errors import InvalidArgument, InvalidManifest, InvalidWorkspace
from provisioning.gitstore.repository import Repository
from provisioning.gitstore.work_trees import create_repository
from provisioning.providers.local.kinds import KINDS
from provisioning.reconciler.compiling import Compiler, is_manifest

ALL = {kind.name: kind for kind in KINDS}
VALUE = "apiVersion: provisioning/v1\nkind: Value\nmetadata: {{name: {0}}}\nspec: {{input: 1}}\n"


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    create_repository(folder)
    return Repository(folder / ".git")


@pytest.fixture
def commit(repository):
    def write(parent=None, **files):
        changes = {f"infra/web/{name}.yaml": text and text.encode() for name, text in files.items()}
        return repository.write_commit(parent, changes, "m", "ana", 0)

    return write


@pytest.fixture
def compiler(repository, tmp_path):
    return Compiler(repository, ALL, tmp_path / "cache")


def names(resources):
    return sorted(each.id for each in resources)


def test_only_changed_manifests_are_compiled_again(repository, commit, compiler, monkeypatch):
    """P11: the cost of a commit is that of its change, in this process and in the next one."""
    first = commit(a=VALUE.format("a"), b=VALUE.format("b"))
    assert names(compiler.compile(first, "web")) == ["Value/a", "Value/b"]
    second = commit(first, b=VALUE.format("c"))
    read = []
    original = Repository.read_blob
    monkeypatch.setattr(
        Repository,
        "read_blob",
        lambda self, blob, path="": read.append(blob) or original(self, blob, path),
    )
    other = Compiler(repository, ALL, compiler._cache)
    assert names(other.compile(second, "web")) == ["Value/a", "Value/c"]
    assert len(read) == 1
    assert names(other.compile(second, "web")) == ["Value/a", "Value/c"]
    assert len(read) == 1


def test_a_corrupt_cache_is_rebuilt_silently(commit, compiler):
    """A cache is only a shortcut: garbage in it changes nothing."""
    first = commit(a=VALUE.format("a"))
    compiler.compile(first, "web")
    (file,) = compiler._cache.iterdir()
    for garbage in (b"", b"\x93\x01", b"garbage", file.read_bytes()[:-3]):
        file.write_bytes(garbage)
        assert names(compiler.compile(first, "web")) == ["Value/a"]


def test_a_removed_manifest_takes_its_resources_along(commit, compiler):
    """What is no longer in the tree is no longer desired."""
    first = commit(a=VALUE.format("a"), b=VALUE.format("b"))
    compiler.compile(first, "web")
    assert names(compiler.compile(commit(first, b=None), "web")) == ["Value/a"]


def test_every_problem_of_every_file_is_reported_at_once(commit, compiler):
    """One run of the program tells all that has to be mended."""
    bad = commit(a=VALUE.format("A"), b="kind: Vale\n", c=VALUE.format("c"))
    with pytest.raises(InvalidWorkspace) as caught:
        compiler.compile(bad, "web")
    assert {each.source.file for each in caught.value.problems} == {
        "infra/web/a.yaml",
        "infra/web/b.yaml",
    }


def test_a_broken_manifest_is_not_cached(commit, compiler):
    """Asking again gives the same error, not silence."""
    bad = commit(a=VALUE.format("a") + "bogus: 1\n")
    for _ in range(2):
        with pytest.raises(InvalidManifest, match="bogus"):
            compiler.compile(bad, "web")


def test_a_link_is_refused_with_its_place(repository, commit, compiler):
    """What is no plain file is named by its path from the workspace's root."""
    first = commit(a=VALUE.format("a"))
    tree = repository._git[first].tree["infra/web"].id
    builder = repository._git.TreeBuilder(tree)
    builder.insert("b.yaml", repository._git.create_blob(b"a.yaml"), 0o120000)
    web = builder.write()
    builder = repository._git.TreeBuilder()
    builder.insert("web", web, 0o040000)
    infra = builder.write()
    builder = repository._git.TreeBuilder()
    builder.insert("infra", infra, 0o040000)
    author = repository._git[first].author
    linked = repository._git.create_commit(None, author, author, "m", builder.write(), [first])
    with pytest.raises(InvalidManifest, match="symbolic link") as caught:
        compiler.compile(str(linked), "web")
    assert caught.value.source.file == "infra/web/b.yaml"


def test_an_unknown_infra_is_answered_with_the_nearest_one(commit, compiler):
    """A slip in a name is recognised."""
    first = commit(a=VALUE.format("a"))
    with pytest.raises(InvalidArgument) as caught:
        compiler.check_infra(first, "wep")
    assert "'web'" in caught.value.hint


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("a.yaml", True),
        ("deep/er/b.yml", True),
        ("c.toml", True),
        ("d.json", True),
        ("config.toml", False),
        ("deep/config.toml", True),
        ("db.enc.yaml", False),
        ("files/data.json", False),
        ("deep/templates/page.yaml", False),
        ("README.md", False),
    ],
)
def test_what_counts_as_a_manifest(path, is_one):
    """Settings, secrets, and the material below files/ and templates/ are not manifests."""
    assert is_manifest(path) is is_one
