import os

import pytest

from provisioning.core.model.errors import ProviderConflict, ProviderError
from provisioning.core.model.providers import Unreadable
from provisioning.providers.local.files import roots

F = "File/x"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../x", "leads out"),
        ("a/../../x", "leads out"),
        ("/etc/passwd", "below no allowed root"),
        ("", "is empty"),
        ("a\0b", "NUL"),
        (".", "names a root itself"),
        ("a/.b.provisioning-new", "ends like a name of ours"),
        ("a" * 300, "more than"),
    ],
)
def test_paths_refused_at_use(bench, path, why):
    """A path that leads out, or nowhere, is refused when it is used, whoever let it through."""
    for act in (bench.create, bench.update):
        with pytest.raises(ProviderError, match=why):
            act(F, {"path": path, "content": "x"})
    with pytest.raises(ProviderError, match=why):
        bench.provider.delete(bench.call(F, {}, {"path": path}))
    seen = bench.observe(F, {"path": path})
    assert isinstance(seen, Unreadable)
    assert why in seen.reason


def test_sibling_of_an_allowed_root(bench):
    """A root allows what is below it, not what only begins with the same letters."""
    with pytest.raises(ProviderError, match="below no allowed root"):
        bench.create(F, {"path": f"{bench.shared}-too/x", "content": "x"})


def test_link_on_the_way(bench):
    """A symbolic link on the way is never followed, even to a place that is allowed."""
    bench.root.mkdir()
    (bench.root / "way").symlink_to(bench.shared)
    spec = {"path": "way/x", "content": "x"}
    for act in (bench.create, bench.update):
        with pytest.raises(ProviderError, match="way is a symbolic link, and is not followed"):
            act(F, spec)
    with pytest.raises(ProviderError, match="symbolic link"):
        bench.provider.delete(bench.call(F, {}, {"path": "way/x"}))
    assert "symbolic link" in bench.observe(F, spec).reason
    assert list(bench.shared.iterdir()) == []


def test_file_on_the_way(bench):
    """A file where a folder should be on the way is said to be one."""
    bench.root.mkdir()
    (bench.root / "way").touch()
    with pytest.raises(ProviderError, match=r"way is a file$"):
        bench.create(F, {"path": "way/x", "content": "x"})


def test_link_put_there_after_the_check(bench, monkeypatch):
    """A folder swapped for a link after it was entered changes nothing: it stays the same."""
    (bench.root / "a" / "b").mkdir(parents=True)
    real = roots.enter

    def swap(fd, name):
        entered = real(fd, name)
        if name == "a":
            (bench.root / "a").rename(bench.root / "moved")
            (bench.root / "a").symlink_to(bench.shared)
        return entered

    monkeypatch.setattr("provisioning.providers.local.files.path_resource.enter", swap)
    bench.create(F, {"path": "a/b/x", "content": "x"})
    assert (bench.root / "moved" / "b" / "x").read_text() == "x"
    assert list(bench.shared.iterdir()) == []


@pytest.mark.parametrize("kind", ["File", "Directory"])
def test_link_in_the_place(bench, kind):
    """A link in the very place is foreign: seen as a link, neither followed nor removed."""
    bench.root.mkdir()
    victim = bench.shared / "victim"
    victim.write_text("precious")
    (bench.root / "x").symlink_to(victim)
    spec = {"path": "x", "content": "x"} if kind == "File" else {"path": "x"}
    seen = bench.look(f"{kind}/x", spec)
    assert (seen.mark, seen.attributes["type"]) == (None, "symbolic link")
    for act in (bench.create, bench.update):
        with pytest.raises(ProviderConflict, match="the symbolic link at x was not made by us"):
            act(f"{kind}/x", spec)
    with pytest.raises(ProviderConflict):
        bench.delete(f"{kind}/x", spec)
    assert victim.read_text() == "precious"
    assert (bench.root / "x").is_symlink()


def test_pipe_in_the_place(bench):
    """A pipe in the place is seen as one, and looking at it does not wait for a writer."""
    bench.root.mkdir()
    os.mkfifo(bench.root / "x")
    assert bench.look(F, {"path": "x"}).attributes["type"] == "pipe"


def test_working_directory_through_a_link(bench):
    """A process's working directory is reached as safely as a file."""
    bench.root.mkdir()
    (bench.root / "way").symlink_to("/")
    for cwd, why in (("way", "symbolic link"), ("..", "leads out"), ("none", "is not there")):
        with pytest.raises(ProviderError, match=why):
            bench.create("Process/p", {"command": ["sleep", "60"], "cwd": cwd})
