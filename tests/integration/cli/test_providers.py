"""Provider instances, locations, and providers of installed packages, by the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

SUPPORT = Path(__file__).parents[2] / "support"

FILE = """apiVersion: provisioning/v1
kind: File
metadata: {name: motd}
spec: {path: motd, content: "hi\\n"%s}
"""


def settings(shop, text):
    path = shop.folder / "config/provisioning.yaml"
    kept = [
        line
        for line in path.read_text().splitlines()
        if not line.startswith(("local:", "providers:"))
    ]
    path.write_text("\n".join([*kept, text, ""]))
    shop.git("commit", "--quiet", "--all", "--message", "settings")


def plan(shop, expected=0):
    process = shop.start("plan", "web", "-o", "json")
    out, err = process.communicate(timeout=600)
    assert process.returncode == expected, err
    return json.loads(out)


def test_a_changed_location_is_a_replacement(shop):
    """The old file goes where it was made, the new one comes where the settings say now."""
    shop.commit(FILE % "")
    shop.run("apply", "--yes")
    settings(shop, "local: {root: site}")
    (change,) = plan(shop)["changes"]
    assert (change["action"], change["reason"]) == ("replace", "its location changed")
    shop.run("apply", "--yes")
    assert not (shop.folder / "live/motd").exists()
    assert (shop.folder / "site/motd").read_text() == "hi\n"
    assert plan(shop)["changes"] == []


def test_a_deletion_happens_where_the_resource_was_made(shop):
    """Looked for elsewhere is not gone: settings that changed meanwhile orphan nothing."""
    shop.commit(FILE % "")
    shop.run("apply", "--yes")
    settings(shop, "local: {root: site}")
    shop.commit("# nothing\n")
    shop.run("apply", "--yes", "--allow", "prune")
    assert not (shop.folder / "live/motd").exists()
    assert plan(shop)["changes"] == []


def test_a_manifest_chooses_an_instance(shop):
    """Two instances of one provider serve one kind at two places."""
    settings(shop, "providers: {other: {provider: local, root: other}}")
    shop.commit(FILE % "" + "---\n" + (FILE % ", provider: other").replace("motd}", "second}"))
    shop.run("apply", "--yes")
    assert (shop.folder / "live/motd").exists()
    assert (shop.folder / "other/motd").exists()
    assert plan(shop)["changes"] == []


def test_another_instance_is_a_replacement(shop):
    """It is deleted by the instance that made it."""
    settings(shop, "providers: {other: {provider: local, root: other}}")
    shop.commit(FILE % "")
    shop.run("apply", "--yes")
    shop.commit(FILE % ", provider: other")
    (change,) = plan(shop)["changes"]
    assert (change["action"], change["reason"]) == ("replace", "its provider changed")
    shop.run("apply", "--yes")
    assert not (shop.folder / "live/motd").exists()
    assert (shop.folder / "other/motd").exists()
    assert plan(shop)["changes"] == []


def test_a_root_written_otherwise_is_the_same_root(shop):
    """`./live/` and `live` are one folder, and nothing is replaced."""
    shop.commit(FILE % "")
    shop.run("apply", "--yes")
    settings(shop, "local: {root: ./live/}")
    assert plan(shop)["changes"] == []


def test_a_folder_below_two_roots_loses_nothing(shop):
    """The new is the old under another name: what the run has just made it does not delete."""
    outside = shop.folder.parent / "outside"
    outside.mkdir()
    settings(shop, f"local: {{root: live, allow: [{outside}]}}")
    absolute = (FILE % "").replace("path: motd", f"path: {outside}/motd")
    shop.commit(FILE % "" + "---\n" + absolute.replace("name: motd", "name: second"))
    shop.run("apply", "--yes")
    settings(shop, f"local: {{root: {shop.folder}/live, allow: [{outside}]}}")
    assert plan(shop)["summary"]["replace"] == 2
    shop.run("apply", "--yes")
    assert (shop.folder / "live/motd").read_text() == (outside / "motd").read_text() == "hi\n"
    assert plan(shop)["changes"] == []


def test_a_missing_former_root_is_not_gone(shop):
    """An unmounted disk blocks; once the folder is there and empty, the file is made anew."""
    shop.commit(FILE % "")
    shop.run("apply", "--yes")
    settings(shop, "local: {root: site}")
    (shop.folder / "live").rename(shop.folder / "away")
    blocked = plan(shop, expected=3)
    assert blocked["summary"]["blocked"] == 1
    assert not (shop.folder / "site").exists()
    assert "its root was 'live', and there is no such folder" in shop.run("plan", expected=3)
    (shop.folder / "live").mkdir()
    assert [change["action"] for change in plan(shop)["changes"]] == ["create"]


def test_a_folder_moved_with_its_setting_is_recorded(shop):
    """What bears our mark at the new location is neither made nor deleted there."""
    shop.commit(FILE % "")
    shop.run("apply", "--yes")
    settings(shop, "local: {root: site}")
    (shop.folder / "live").rename(shop.folder / "site")
    before = (shop.folder / "site/motd").stat()
    (change,) = plan(shop)["changes"]
    assert change["action"] == "adopt"
    shop.run("apply", "--yes")
    assert (shop.folder / "site/motd").stat() == before
    assert plan(shop)["changes"] == []


def test_a_configured_default_stays_the_default(shop):
    """Whatever instances are beside it, a manifest without `provider` means the same one."""
    shop.commit(FILE % "")
    shop.run("apply", "--yes")
    settings(
        shop, "providers: {archive: {provider: local, root: archive}, local: {provider: local}}"
    )
    assert plan(shop)["changes"] == []


def test_a_resource_of_an_instance_that_is_no_more_is_deleted(shop):
    """The record names the provider and the location, so it is found where it was made."""
    settings(shop, "providers: {other: {provider: local, root: other}}")
    shop.commit(FILE % ", provider: other")
    shop.run("apply", "--yes")
    settings(shop, "")
    shop.commit("# nothing\n")
    (change,) = plan(shop, expected=3)["changes"]
    assert (change["action"], change["id"]) == ("delete", "File/motd")
    shop.run("apply", "--yes", "--allow", "prune")
    assert not (shop.folder / "other/motd").exists()
    assert plan(shop)["changes"] == []


def test_an_instance_of_nothing_is_refused(shop):
    """The error names the setting and the nearest provider."""
    settings(shop, "providers: {other: {provider: lokal}}")
    error = shop.run("plan", expected=1)
    assert "there is no provider 'lokal'" in error
    assert "did you mean 'local'?" in error
    settings(shop, "providers: {other: {provider: local, rot: x}}")
    assert "providers.other.rot is no setting of local" in shop.run("plan", expected=1)


PLUGIN = '''
import click
from provisioning.interfaces.cli.session import pass_session
from provisioning.core.model.kinds import Field, Kind
from provisioning.core.model.providers import Absent, Observed, Present
from provisioning.providers.registry import ProviderType
from provisioning.config.setting import Setting
from pydantic import BaseModel

class Memo(BaseModel):
    text: str

KIND = Kind(name="Memo", provider="memo", summary="A note in a folder.", model=lambda: Memo)
SETTINGS = (Setting(key="memo.folder", type=str, default="memos", doc="Where notes are."),)

class Provider:
    name = "memo"
    def __init__(self, folder): self.folder = folder
    def describe(self): return [KIND]
    def observe(self, owner, targets): return Observed(answers=[self._read(t.id) for t in targets])
    def _path(self, name): return self.folder / name.replace("/", "-")
    def _read(self, name):
        path = self._path(name)
        if not path.exists(): return Absent()
        mark, _, text = path.read_text().partition("\\n")
        from provisioning.core.model.ids import parse_mark
        return Present({"text": text}, parse_mark(mark))
    def create(self, call):
        self.folder.mkdir(exist_ok=True)
        self._path(call.id).write_text(f"{call.mark}\\n{call.spec['text']}")
        return {"text": call.spec["text"]}
    update = create
    def delete(self, call): self._path(call.id).unlink()
    def close(self): pass

@click.command()
@pass_session
def memos(session):
    """Name the branch."""
    click.echo(f"memos on {session.open_workspace().settings.branch}")

PROVIDER = ProviderType(
    name="memo",
    list_kinds=lambda: [KIND],
    locate=lambda settings: {"folder": settings["folder"]},
    connect=lambda place, settings, location: Provider(place.root / location["folder"]),
)
'''


def test_an_installed_provider_needs_no_change_of_ours(shop, tmp_path, monkeypatch):
    """It appears in plan, schema, doctor and the settings, and its resources are managed."""
    site = tmp_path / "site"
    info = site / "memo-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: memo\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[provisioning.providers]\nmemo = memo_plugin:PROVIDER\n"
        "[provisioning.settings]\nmemo = memo_plugin:SETTINGS\n"
        "[provisioning.commands]\nmemos = memo_plugin:memos\nplan = memo_plugin:memos\n"
    )
    (site / "memo_plugin.py").write_text(PLUGIN)
    old = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(site), *filter(None, [old])])
    monkeypatch.setenv("PYTHONPATH", path)
    shop.environment["PYTHONPATH"] = path
    shop.commit(
        "apiVersion: provisioning/v1\nkind: Memo\nmetadata: {name: one}\nspec: {text: hello}\n"
    )
    assert [change["id"] for change in plan(shop)["changes"]] == ["Memo/one"]
    shop.run("apply", "--yes")
    assert (shop.folder / "memos/Memo-one").read_text().endswith("\nhello")
    assert plan(shop)["changes"] == []
    assert "Memo" in shop.run("schema")
    assert "memo" in shop.run("doctor")
    assert "memo.folder" in shop.run("config", "show")
    assert "memos" in shop.run("--help")
    assert shop.run("memos") == "memos on main\n"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([path, str(SUPPORT)]))
    code = "from reference_pages import *; print(render_settings())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "memo.folder" in done.stdout


JOB = """---
apiVersion: provisioning/v1
kind: Process
metadata: {name: job}
spec: {command: [sleep, "600"], provider: other}
"""


def test_a_lost_state_log_is_rebuilt_for_each_instance(shop):
    """Each resource is recorded with the instance and the location that its manifest names."""
    settings(shop, "providers: {other: {provider: local, root: other}}")
    second = (FILE % ", provider: other").replace("motd}", "second}")
    shop.commit(FILE % "" + "---\n" + second + JOB)
    try:
        shop.run("apply", "--yes")
        shop.git("update-ref", "-d", "refs/heads/provisioning/web")
        shop.run("adopt", "web", "--yes")
        assert plan(shop)["changes"] == []
        got = json.loads(shop.run("get", "-o", "json"))[0]["resources"]
        found = {item["id"]: item["provider"] for item in got}
        assert found == {"File/motd": "local", "File/second": "other", "Process/job": "other"}
    finally:
        shop.commit("# nothing\n")
        shop.run("apply", "--yes", "--allow", "prune")
    assert not (shop.folder / "other/motd").exists()
