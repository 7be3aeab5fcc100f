import pytest

from provisioning.core.model.errors import InvalidArgument, InvalidManifest, InvalidWorkspace
from provisioning.gitstore.repository.repository import Repository
from provisioning.gitstore.repository.work_tree import create_repository
from provisioning.providers.local.kinds import KINDS
from provisioning.reconciler.planning.compiler import Compiler, is_manifest

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


EACH = (
    "apiVersion: provisioning/v1\nkind: Value\nmetadata: {name: 'v-{{each.key}}'}\n"
    "forEach: '{{config.values.map}}'\nspec: {input: '{{each.value}}'}\n"
)


@pytest.fixture
def settled(repository, tmp_path):
    """A compiler of an infra whose settings are `settings`, which counts what it asks them."""
    settings = {"map": {"a": 1, "b": 2}}
    asked = []

    def look_up(reference, source):
        asked.append(str(reference))
        if reference.steps[1] not in settings:
            raise InvalidManifest(f"{reference} has no value", source=source)
        return settings[reference.steps[1]]

    def build():
        return Compiler(repository, ALL, tmp_path / "cache", build_lookup=lambda *_: look_up)

    return settings, asked, build


def test_another_setting_compiles_what_hangs_on_it_again(commit, settled, monkeypatch):
    """Only that file, though no blob changed; and its identity is another one, too."""
    settings, _, build = settled
    first = commit(a=EACH, b=VALUE.format("c"))
    before = build().read_manifests(first, "web")
    settings["map"] = {"a": 1, "new": 3}
    compiled = []
    original = Compiler.compile_file
    monkeypatch.setattr(
        Compiler,
        "compile_file",
        lambda self, path, *more: compiled.append(path) or original(self, path, *more),
    )
    after = build().read_manifests(first, "web")
    assert compiled == ["a.yaml"]
    assert names(each for it in after.values() for each in it.read()) == [
        "Value/c",
        "Value/v-a",
        "Value/v-new",
    ]
    assert before["a.yaml"].blob != after["a.yaml"].blob
    assert before["b.yaml"].blob == after["b.yaml"].blob
    assert build().read_manifests(first, "web")["a.yaml"].blob == after["a.yaml"].blob
    assert compiled == ["a.yaml"]


def test_what_hangs_on_no_setting_asks_none(commit, settled):
    """Settings are not even joined for it."""
    _, asked, build = settled
    first = commit(b=VALUE.format("c"))
    build().compile(first, "web")
    build().compile(first, "web")
    assert asked == []


def test_a_setting_that_is_gone_is_an_error_and_comes_back(commit, settled):
    """What was kept is not used for it, and what is kept is not the error."""
    settings, _, build = settled
    first = commit(a=EACH)
    build().compile(first, "web")
    kept = settings.pop("map")
    with pytest.raises(InvalidManifest, match="has no value"):
        build().compile(first, "web")
    settings["map"] = kept
    assert names(build().compile(first, "web")) == ["Value/v-a", "Value/v-b"]
