"""Finding a workspace, and writing a new one."""

from __future__ import annotations

import pytest

from provisioning.config.registry import load_settings
from provisioning.config.setting import Layer
from provisioning.config.workspace import (
    check_free,
    find_workspace,
    render_workspace,
    render_workspace_file,
    write_workspace,
)
from provisioning.core.model.errors import InvalidArgument, StorageFailed, WorkspaceNotFound

ID = "0198f3c2-0000-7000-8000-000000000000"


@pytest.fixture
def files():
    return render_workspace("shop", ID)


def test_workspace_is_found_from_below(tmp_path, files):
    """A workspace is found from itself and from any folder below it; the nearest one counts."""
    write_workspace(tmp_path, files)
    below = tmp_path / "infra" / "web"
    assert find_workspace(below) == find_workspace(tmp_path) == tmp_path
    write_workspace(below, files)
    assert find_workspace(below / "infra") == below


def test_no_workspace_names_the_next_command(tmp_path):
    """Outside of a workspace the error names the command that makes one."""
    with pytest.raises(WorkspaceNotFound) as caught:
        find_workspace(tmp_path)
    assert "workspace init" in caught.value.hint


@pytest.mark.parametrize("name", ["shop", "1e3", "12", "null", "true", "0x1f", "9" * 30, "08"])
def test_new_file_reads_back(load_workspace, name):
    """A new workspace's settings read back with the name as a string, whatever it looks like."""
    layers = load_workspace(render_workspace_file(name, ID))
    assert layers.get("workspace.name").value == name
    assert layers.get("workspace.id").value == ID


def test_new_file_has_every_setting(load_workspace):
    """Each setting stands in the new file; with every comment taken away it has its default."""
    text = render_workspace_file("shop", ID)
    lines = [
        line.removeprefix("# ")
        for line in text.splitlines()
        if not line.startswith("#") or not line.endswith((")", "default."))
    ]
    layers = load_workspace("\n".join(lines))
    for each in load_settings().values():
        if each.key.startswith("workspace.") or Layer.WORKSPACE not in each.layers:
            continue
        said = layers.explain(each.key)[list(Layer).index(Layer.WORKSPACE)]
        assert each.type is dict or (said.origin and said.value == each.default), each.key


def test_every_other_setting_is_documented_there():
    """What the head of the new file does not explain has its sentence from the table."""
    text = render_workspace_file("shop", ID)
    head = {"workspace.name", "workspace.id", "mode", "branch", "remote", "local.root"}
    for each in load_settings().values():
        if Layer.WORKSPACE not in each.layers:
            continue
        assert each.doc in text or each.key in {*head, "local.allow"}


def test_nothing_is_replaced(tmp_path, files):
    """A file in the way is an error, and nothing is written."""
    (tmp_path / "infra" / "web").mkdir(parents=True)
    (tmp_path / "infra" / "web" / "example.yaml").write_text("mine")
    with pytest.raises(InvalidArgument, match="is there already"):
        write_workspace(tmp_path, files)
    assert {each.name for each in tmp_path.iterdir()} == {"infra"}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_in_the_way(tmp_path, files, kind):
    """A file or a dangling link where a folder must be is in the way as well."""
    if kind == "file":
        (tmp_path / "config").write_text("")
    else:
        (tmp_path / "config").symlink_to("nowhere")
    with pytest.raises(InvalidArgument, match="config is there already"):
        check_free(tmp_path, files)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, b"/live/\n"),
        (b"foo", b"foo\n/live/\n"),
        (b"foo\n", b"foo\n/live/\n"),
        (b"/live/\nfoo\n", b"/live/\nfoo\n"),
        (b"/live/\r\n", b"/live/\r\n"),
    ],
)
def test_ignored_files_stay_ignored(tmp_path, files, old, new):
    """The local root is ignored once, and what was ignored before still is."""
    if old is not None:
        (tmp_path / ".gitignore").write_bytes(old)
    write_workspace(tmp_path, files)
    assert (tmp_path / ".gitignore").read_bytes() == new


def test_disk_that_refuses_is_told(tmp_path, files):
    """A folder that cannot be made gives one clear error."""
    (tmp_path / ".gitignore").mkdir()
    with pytest.raises(StorageFailed, match="cannot be written"):
        write_workspace(tmp_path, files)
