import json
import re
import signal
import subprocess

import pytest


def write_site(shop, greeting, mode="0644", name="infra/web/example.yaml"):
    shop.commit(
        "apiVersion: provisioning/v1\nkind: File\nmetadata: {name: motd}\n"
        f"spec: {{path: motd, content: {greeting}}}\n"
        "---\napiVersion: provisioning/v1\nkind: File\nmetadata: {name: other}\n"
        "# room\n# room\n# room\n# room\n"
        f"spec: {{path: other, content: x, mode: '{mode}'}}\n",
        name,
    )


def commit_at(shop, time, greeting):
    shop.environment |= {"GIT_AUTHOR_DATE": time, "GIT_COMMITTER_DATE": time}
    write_site(shop, greeting)
    shop.environment.pop("GIT_AUTHOR_DATE")
    shop.environment.pop("GIT_COMMITTER_DATE")


@pytest.fixture
def runs(shop):
    """Run 1 made `one`, run 2 `two`, run 3 healed a drift."""
    write_site(shop, "one")
    shop.run("apply", "--yes")
    write_site(shop, "two")
    shop.run("apply", "--yes")
    (shop.folder / "live/motd").write_text("by hand")
    shop.run("reconcile")
    return shop


def get(shop, *words):
    shape = json.loads(shop.run("at", *words, "-o", "json"))
    return {each["id"]: each["run"][:2] for each in shape["resources"]}, shape["desired"]


# at


def test_a_commit_shows_what_was_recorded_of_it(runs):
    """The newest run that had applied it, and what it asked for."""
    head = runs.git("rev-parse", "main").strip()
    ids = ["File/motd", "File/other"]
    assert get(runs, head[:9], "get", "web") == ({"File/motd": "3-", "File/other": "1-"}, ids)
    assert get(runs, "main~1", "get", "web") == ({"File/motd": "1-", "File/other": "1-"}, ids)
    assert get(runs, "main~2", "get", "web")[0] == {}
    assert "run 1 applied" in runs.run("at", "main~1", "status")
    assert "asked for, and not applied then: Directory/etc" in runs.run("at", "main~2", "get")


def test_a_time_shows_branch_and_log_as_they_were(shop):
    """The newest commit before the time is desired, and nothing recorded if no run had come."""
    shop.git("checkout", "-q", "--orphan", "fresh")
    commit_at(shop, "2020-01-01T12:00:00Z", "old")
    commit_at(shop, "2020-03-01T12:00:00+02:00", "young")
    shop.git("branch", "-M", "main")
    shop.run("apply", "--yes")
    first, second = shop.git("rev-list", "--reverse", "main").split()
    for time, commit in [
        ("2020-01-01T12:00", first),
        ("2020-03-01T09:59:59Z", first),
        ("2020-03-01T10:00", second),
    ]:
        (shape,) = json.loads(shop.run("at", time, "get", "-o", "json"))
        assert (shape["at"]["commit"], shape["resources"]) == (commit, [])
    (shape,) = json.loads(shop.run("at", "0s ago", "get", "-o", "json"))
    assert len(shape["resources"]) == 2
    assert "its first is of 2020-01-01T12:00:00" in shop.run("at", "2019-01-01", "get", expected=1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nonsense", "get"], "is neither a commit nor a time"),
        (["--output=json", "get"], "Usage"),
        (["2020-13-01", "get"], "is no time"),
        (["provisioning/web", "get"], "is not on main"),
        (["main", "get", "nix"], "there was no infra 'nix'"),
        (["main", "get", "File/nix"], "nothing of that name was recorded"),
    ],
)
def test_a_moment_that_is_none_is_refused(runs, words, told):
    """Each slip gets an error, and nothing is shown."""
    assert told in runs.run("at", *words, expected=1)


# replay


def test_each_run_is_computed_again(runs):
    """The digest is the same, also of a run that healed what somebody had changed by hand."""
    for number in "123":
        assert "the same plan" in runs.run("replay", number)
    begin = runs.git("show", "provisioning/web~1:begin.json")
    assert "by hand" not in begin


def test_another_surrounding_is_told(shop):
    """A variable that has another value, or none, is why the plan is another one."""
    shop.commit(
        "apiVersion: provisioning/v1\nkind: Value\nmetadata: {name: v}\n"
        'spec: {input: "{{env.PLACE}} on {{now.time}}"}\n'
    )
    shop.run("apply", "--yes", PLACE="here")
    assert "the same plan" in shop.run("replay", "1", PLACE="here")
    assert "env.PLACE had another value" in shop.run("replay", "1", PLACE="there", expected=1)
    told = json.loads(shop.run("replay", "1", "-o", "json", expected=1))
    assert (told["same"], told["digest"]) == (False, None)
    assert "env.PLACE" in told["reasons"][0]
    assert "here" not in shop.git("show", "provisioning/web~1:begin.json")


def test_a_run_that_is_none_is_refused(runs):
    """The error names the command that lists runs."""
    assert "`provisioning log web` lists them" in runs.run("replay", "9", expected=1)
    assert "there is no infra 'wep'" in runs.run("replay", "wep", "1", expected=1)


# undo


def test_an_undo_is_a_commit_that_the_next_run_applies(runs):
    """The desired state before the run comes back, on top of what was committed since."""
    runs.commit("hello", "README.md")
    told = runs.run("undo", "2", "--yes")
    assert "brings back, as at" in told
    assert runs.git("status", "--porcelain") == ""
    assert "Undo run 2 of web: change" in runs.git("log", "-1", "--format=%s%n%an")
    assert (runs.folder / "README.md").exists()
    runs.run("apply", "--yes")
    assert runs.live()["motd"] == "one"
    assert "is already that before run 2" in runs.run("undo", "2", expected=1)


def test_an_undo_keeps_what_others_changed_beside_it(runs):
    """Another resource in the same file may have moved on."""
    write_site(runs, "two", mode="0600")
    runs.run("undo", "2", "--yes")
    text = (runs.folder / "infra/web/example.yaml").read_text()
    assert "content: one" in text
    assert "mode: '0600'" in text


def test_an_undo_of_what_changed_again_says_which_and_changes_nothing(runs):
    """The resource, the commit that changed it, and the run to undo first."""
    write_site(runs, "three")
    runs.run("apply", "--yes")
    head = runs.git("rev-parse", "main")
    told = runs.run("undo", "2", "--yes", expected=3)
    assert "1 of the resources of run 2 changed again since: File/motd" in told
    assert "undo run 4 first" in told
    assert runs.git("rev-parse", "main") == head


def test_an_undo_without_a_yes_shows_its_plan_and_does_nothing(runs):
    """Without a terminal it is a dry run."""
    head = runs.git("rev-parse", "main")
    told = runs.run("undo", "2", expected=1)
    assert "Plan: 1 to update" in told
    assert runs.git("rev-parse", "main") == head


def test_an_undo_stops_before_changes_that_are_not_committed(runs):
    """What somebody is just writing is not overwritten."""
    runs.write("half a manifest")
    head = runs.git("rev-parse", "main")
    assert "commit or stash your changes" in runs.run("undo", "2", "--yes", expected=1)
    assert runs.git("rev-parse", "main") == head


def test_an_undo_names_the_lock_file_that_a_killed_git_left(runs):
    """Only the user can know that no other git runs; without the file it goes on."""
    left = runs.folder / ".git/index.lock"
    left.touch()
    head = runs.git("rev-parse", "main")
    told = runs.run("undo", "2", "--yes", expected=1)
    assert f"if no other git runs: rm {left}" in told
    assert runs.git("rev-parse", "main") == head
    left.unlink()
    runs.run("undo", "2", "--yes")
    assert runs.git("rev-parse", "main^") == head


def test_there_is_nothing_to_undo_of_a_first_run_or_a_healing(runs):
    """Their desired state is the one before."""
    assert "run 1 was the first" in runs.run("undo", "1", "--yes", expected=1)
    assert "is the same before and in run" in runs.run("undo", "3", "--yes", expected=1)


def test_an_undo_is_pushed_where_the_branch_is_shared(shop, tmp_path):
    """With a remote the commit is made there; a clone gets it by a pull."""
    hub = tmp_path / "hub.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(hub)], check=True)
    settings = shop.folder / "config/provisioning.yaml"
    settings.write_text(settings.read_text().replace("remote: null", f"remote: {hub}"))
    for greeting in ("one", "two"):
        write_site(shop, greeting)
        shop.git("push", "-q", str(hub), "main")
        shop.run("apply", "--yes")
    shop.run("undo", "2", "--yes")
    shop.run("reconcile")
    assert shop.live()["motd"] == "one"
    shop.git("pull", "-q", "--ff-only", str(hub), "main")
    assert "content: one" in (shop.folder / "infra/web/example.yaml").read_text()


# events


def test_events_are_a_line_each_oldest_first(runs):
    """What was begun, what became of each resource, and how it ended; holds too."""
    runs.run("lock", "hold", "web", "--reason", "audit")
    lines = [line.split("Z  ", 1)[1] for line in runs.run("events", "-n", "5").splitlines()]
    wanted = [
        r"web  run 2  done: 1 updated",
        r"web  run 3  begun: 1 change by \S+ \(reconcile\) of \w{10}",
        r"web  run 3  File/motd  updated: it was changed outside of Git",
        r"web  run 3  done: 1 updated",
        r"web  held: by \S+: audit",
    ]
    assert all(map(re.fullmatch, wanted, lines))
    assert len(lines) == len(wanted)
    (shape,) = json.loads(runs.run("events", "web", "-n", "1", "-o", "json"))
    assert (shape["what"], shape["run"]) == ("held", "")


def test_following_tells_what_comes(runs):
    """Each event is a line of its own as soon as the log has it."""
    follower = runs.start("events", "--follow", "-n", "1", "-o", "json")
    first = json.loads(follower.stdout.readline())
    write_site(runs, "three")
    runs.run("apply", "--yes")
    told = []
    while not told or told[-1]["what"] != "done":
        told.append(json.loads(follower.stdout.readline()))
    follower.send_signal(signal.SIGINT)
    follower.communicate(timeout=600)
    assert first["run"] == "3"
    assert ("4", "File/motd", "updated") in {(it["run"], it["id"], it["what"]) for it in told}
    assert follower.returncode == 0
