"""A forge is looked up by its name; ours is imported when it is named, others are installed."""

import subprocess
import sys

import pytest

from provisioning.application.workspace.shared_state import SharedState
from provisioning.bootstrap.workspace import join_workspace
from provisioning.config import registry
from provisioning.config.home import Home
from provisioning.core.model.errors import InvalidConfiguration
from provisioning.forges.registry import find_forge, list_forge_names
from provisioning.testing.forges import MemoryForge

CODE = """
from provisioning.forges.registry import ForgeKind
from provisioning.testing.forges import MemoryHub

class Repository:
    def __init__(self, url, repository, token):
        self.url, self.repository, self.git_url = url, repository, f"{url}/{repository}.git"
        self.pulls = MemoryHub().build_forge("ana")
        self.is_closed = False

    def close(self):
        self.is_closed = True

FORGE = ForgeKind(name="memory", open=Repository)
"""


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A package beside ours that brings a forge."""
    about = tmp_path / "site/memory_forge-1.dist-info"
    about.mkdir(parents=True)
    (about / "entry_points.txt").write_text("[provisioning.forges]\nmemory = a_forge:FORGE\n")
    (tmp_path / "site/a_forge.py").write_text(CODE)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    monkeypatch.delitem(sys.modules, "provisioning.forges.settings", raising=False)
    for function in (registry.load_settings, registry.list_maps, registry.list_groups):
        function.cache_clear()
    yield
    sys.modules.pop("a_forge", None)
    sys.modules.pop("provisioning.forges.settings", None)
    for function in (registry.load_settings, registry.list_maps, registry.list_groups):
        function.cache_clear()


def open_hosted(folder, kind):
    (folder / "config").mkdir()
    (folder / "config/provisioning.yaml").write_text(
        f"workspace: {{id: x}}\nforge: {{kind: {kind}, url: https://git.example.org, "
        "repository: ana/shop, token_file: token}\n"
    )
    return join_workspace(folder, Home(folder / "home"), {}, (), SharedState())


def test_ours_is_looked_up_by_its_name():
    """Its address and repository are checked before anything is sent."""
    forge = find_forge("gitea").open("https://git.example.org/", "ana/shop", lambda: "x")
    assert forge.git_url == "https://git.example.org/ana/shop.git"
    with pytest.raises(InvalidConfiguration, match=r"forge\.repository is 'shop'"):
        find_forge("gitea").open("https://git.example.org", "shop", lambda: "x")


def test_to_know_the_names_imports_no_forge():
    """The settings need them in every command."""
    program = (
        "import sys\nfrom provisioning.forges.registry import list_forge_names\n"
        "print(list_forge_names(), any('gitea' in name for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['gitea'] False\n"


def test_an_unknown_forge_is_refused():
    """With the nearest one that is known."""
    with pytest.raises(InvalidConfiguration, match="there is no forge 'gitee'") as caught:
        find_forge("gitee")
    assert caught.value.hint == "did you mean 'gitea'?"


def test_a_forge_from_outside_is_a_value_of_the_setting(memory, tmp_path):
    """Nothing of ours names it: the workspace has its pull requests, and closes it."""
    assert list_forge_names() == ["gitea", "memory"]
    hosted = open_hosted(tmp_path, "memory")
    assert isinstance(hosted.forge.repository.pulls, MemoryForge)
    assert hosted.forge.repository.git_url == "https://git.example.org/ana/shop.git"
    hosted.shared.close()
    assert hosted.forge.repository.is_closed


def test_without_the_package_its_name_is_no_value(tmp_path):
    """The settings list what may be chosen."""
    with pytest.raises(InvalidConfiguration, match=r"forge\.kind is 'memory', and must be one of"):
        _ = open_hosted(tmp_path, "memory").forge.repository
