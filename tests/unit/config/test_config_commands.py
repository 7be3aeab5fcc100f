"""`workspace init`, `config show` and `config explain`, as they are called."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml
from click.testing import CliRunner

from provisioning.__main__ import WIRING
from provisioning.core.model.errors import InvalidArgument, InvalidConfiguration, WorkspaceNotFound
from provisioning.interfaces.cli.main import cli


@pytest.fixture
def run(tmp_path):
    def run(*words: str, folder: str = "shop") -> str:
        done = CliRunner().invoke(
            cli, ["-C", str(tmp_path / folder), *words], obj=WIRING, standalone_mode=False
        )
        if done.exception:
            raise done.exception
        return done.output

    return run


@pytest.fixture
def shop(run, tmp_path):
    run("workspace", "init", "shop", folder="")
    return tmp_path / "shop"


def list_files(folder):
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*"))


def test_new_workspace_is_committed_and_its_example_works(run, shop):
    """A new workspace is one commit, and applying its example makes what it says."""
    status = subprocess.run(
        ["git", "-C", shop, "status", "--porcelain"], capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
    run("apply", "--yes")
    assert (shop / "live" / "etc" / "motd").read_text() == "Welcome to shop\n"


def test_existing_repository_gets_files_and_no_commit(run, tmp_path):
    """In a repository that is there already, only files are written."""
    subprocess.run(["git", "init", "--quiet", tmp_path / "shop"], check=True)
    assert "git add and commit" in run("workspace", "init")
    found = subprocess.run(
        ["git", "-C", tmp_path / "shop", "rev-parse", "--verify", "--quiet", "HEAD"], check=False
    )
    assert found.returncode == 1
    assert (tmp_path / "shop" / "config" / "provisioning.yaml").is_file()


def test_unknown_user_leaves_the_files_uncommitted(run, shop, tmp_path, monkeypatch):
    """Where Git does not know who the user is, the files are there, and the next step is told."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{role}_NAME", raising=False)
        monkeypatch.delenv(f"GIT_{role}_EMAIL", raising=False)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    assert "git commit" in run("workspace", "init", "other", folder="")
    assert (tmp_path / "other" / "infra" / "web" / "example.yaml").is_file()


def test_second_init_changes_nothing(run, shop):
    """A workspace is never made over another one."""
    before = list_files(shop)
    with pytest.raises(InvalidArgument, match="is there already"):
        run("workspace", "init")
    assert list_files(shop) == before


def test_collision_makes_no_repository(run, tmp_path):
    """A file in the way is found before a repository is made."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "config").write_text("")
    with pytest.raises(InvalidArgument):
        run("workspace", "init")
    assert list_files(tmp_path / "shop") == ["config"]


def test_name_must_be_a_name(run, tmp_path):
    """A folder whose name cannot be the workspace's asks for --name, and nothing is made."""
    with pytest.raises(InvalidArgument, match="'my shop' cannot be"):
        run("workspace", "init", "my shop", folder="")
    assert list_files(tmp_path) == []
    run("workspace", "init", "my shop", "--name", "1e3", folder="")
    shown = json.loads(run("config", "show", "-o", "json", folder="my shop"))
    assert shown["workspace"]["name"] == "1e3"


def test_show_prints_one_document(run, shop):
    """JSON and YAML are one document of the same tree."""
    shown = json.loads(run("config", "show", "-o", "json"))
    assert shown["lock"] == {"backend": "git", "ttl": 120}
    assert yaml.safe_load(run("config", "show", "-o", "yaml")) == shown


def test_show_names_where_each_value_is_from(run, shop):
    """Every setting has a line with its value and where it is from."""
    lines = run("-c", "lock.ttl=30", "config", "show").splitlines()
    assert [line.split() for line in lines if line.startswith(("lock.", "mode"))] == [
        ["mode", "solo", "config/provisioning.yaml:3"],
        ["lock.backend", "git", "defaults"],
        ["lock.ttl", "30", "-c", "lock.ttl"],
    ]


def test_explain_shows_every_layer(run, shop):
    """Every layer has a line with file and line; the one that applies has a star."""
    (shop / "infra" / "web" / "config.toml").write_text("[lock]\nttl = 60\n")
    lines = run("config", "explain", "lock.ttl", "--infra", "web").splitlines()
    assert len(lines) == 9
    assert [line.split() for line in lines if line.startswith("*")] == [
        ["*", "infra", "60", "infra/web/config.toml:2"]
    ]
    shape = json.loads(run("config", "explain", "lock.ttl", "-o", "json"))
    assert shape[0] == {
        "layer": "defaults",
        "set": True,
        "value": 120,
        "from": "defaults",
        "wins": True,
    }
    assert shape[2] == {
        "layer": "workspace",
        "set": False,
        "value": None,
        "from": "config/provisioning.yaml",
        "wins": False,
    }


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["config", "explain", "lock.tll"], InvalidConfiguration, "did you mean 'lock.ttl'?"),
        (["config", "show", "--infra", "wbe"], InvalidArgument, "did you mean 'web'?"),
        (["config", "show", "--infra", "../x"], InvalidArgument, "there are: web"),
    ],
)
def test_slip_is_answered(run, shop, words, error, hint):
    """A slip in a name is answered with what was probably meant."""
    with pytest.raises(error) as caught:
        run(*words)
    assert caught.value.hint == hint


def test_outside_of_a_workspace(run):
    """Outside of a workspace the commands say so."""
    with pytest.raises(WorkspaceNotFound):
        run("config", "show", folder="")
