import json
import subprocess

import pytest

ERROR, WARNING, OK = "error", "warning", "ok"


def examine(shop, expected=0, **more):
    found = json.loads(shop.run("doctor", "-o", "json", expected=expected, **more))
    return {f"{each['area']}/{each['name']}": each for each in found}


def test_a_sound_workspace_is_good_in_everything(shop):
    """No check cries wolf on a new workspace, before and after a run."""
    for _ in range(2):
        found = examine(shop)
        assert {each["health"] for each in found.values()} == {OK}
        assert {"machine/git", "git/remote", "keys/fingerprints", "infra web/live"} <= set(found)
        shop.run("apply", "--yes")


def test_each_thing_that_is_wrong_has_its_remedy(shop):
    """One look tells all of it, and the other checks are made all the same."""
    shop.run("apply", "--yes")
    shop.run("lock", "hold", "web", "--reason", "audit")
    (shop.folder / "live/etc/motd").unlink()
    shop.write("apiVersion: provisioning/v1\nkind: Fiel\n", "infra/app/app.yaml")
    shop.write("db: {sops: {}}\n", "secrets/db.enc.yaml")
    shop.commit()
    shop.write("half done", "infra/web/more.yaml")
    found = examine(shop, expected=1)
    told = {
        name: (each["health"], each["remedy"])
        for name, each in found.items()
        if each["health"] != OK
    }
    assert told["git/work tree"] == (WARNING, "git commit")
    assert told["infra web/state log"] == (WARNING, "provisioning lock explain web")
    assert told["infra web/live"] == (WARNING, "provisioning diff web")
    assert told["infra app/manifests"][0] == ERROR
    assert told["keys/secrets/db.enc.yaml"][0] == ERROR
    assert len(told) == 5


def test_a_home_that_cannot_be_written_is_bad(shop, tmp_path):
    """The remedy names the variable that moves it."""
    (tmp_path / "file").write_text("no folder")
    found = examine(shop, expected=1, PROVISIONING_HOME=str(tmp_path / "file/home"))
    assert found["machine/home"]["health"] == ERROR
    assert "PROVISIONING_HOME" in found["machine/home"]["remedy"]


def test_a_remote_that_does_not_answer_is_bad(shop):
    """Nothing behind it can be looked at, and that is told once."""
    settings = shop.folder / "config/provisioning.yaml"
    settings.write_text(settings.read_text().replace("remote: null", "remote: ../nowhere.git"))
    found = examine(shop, expected=1)
    assert found["git/remote"]["health"] == ERROR
    assert found["git/remote"]["remedy"]


def test_a_run_that_was_cut_off_is_doubtful(shop):
    """The next command is the one that finishes it."""
    shop.run("apply", "--yes")
    begin = shop.git("show", "provisioning/web~1:begin.json")
    path = shop.folder.parent / "begin.json"
    path.write_text(begin)
    index = {"GIT_INDEX_FILE": str(shop.folder.parent / "index")}

    def git(*words):
        environment = shop.environment | index
        done = subprocess.run(
            ["git", *words],
            cwd=shop.folder,
            env=environment,
            text=True,
            check=True,
            capture_output=True,
        )
        return done.stdout.strip()

    git("read-tree", "provisioning/web")
    blob = git("hash-object", "-w", str(path))
    git("update-index", "--add", "--cacheinfo", f"100644,{blob},begin.json")
    commit = git("commit-tree", git("write-tree"), "-p", "provisioning/web", "-m", "renew run 1")
    git("update-ref", "refs/heads/provisioning/web", commit)
    found = examine(shop)["infra web/state log"]
    assert (found["health"], found["remedy"]) == (WARNING, "provisioning reconcile web")


@pytest.mark.parametrize("broken", ["nonsense: 1\n", "[1, 2"])
def test_settings_that_cannot_be_read_are_bad(shop, broken):
    """The first thing that is wrong is told with its place."""
    (shop.folder / "config/provisioning.yaml").write_text(broken)
    found = examine(shop, expected=1)
    assert found["workspace/settings"]["health"] == ERROR
    assert "config/provisioning.yaml" in found["workspace/settings"]["message"]
