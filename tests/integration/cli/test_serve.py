"""`provisioning serve`, as a process of its own with real Git."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from running_service import RunningService

FILE = """\
apiVersion: provisioning/v1
kind: File
metadata: {{name: {name}}}
spec: {{path: {path}, content: "{content}"}}
"""


@pytest.fixture
def serve(shop):
    """Start services of the shop's workspace; every one is stopped at the end."""
    made = []

    def start(*flags, home=None, folders=(), waits=True):
        folder = home or shop.home
        service = RunningService(folders or [shop.folder], folder, shop.environment, flags)
        made.append(service)
        service.start(waits=waits)
        return service

    yield start
    for each in made:
        each.stop()


def read(shop, name):
    path = shop.folder / "live" / name
    return path.read_text() if path.exists() else None


def test_a_commit_is_applied_and_drift_is_healed(shop, serve):
    """Push and look: the change is there, and so it stays, whatever somebody does to it."""
    service = serve()
    service.wait(lambda: read(shop, "etc/motd"), "the first apply")
    shop.commit(FILE.format(name="a", path="a", content="one"), "infra/api/a.yaml")
    service.wait(lambda: read(shop, "a") == "one", "the commit to be applied")
    service.wait_idle()
    (shop.folder / "live/a").write_text("by hand")
    service.wait(lambda: read(shop, "a") == "one", "the edit to be healed")
    service.wait_idle()
    (shop.folder / "live/a").unlink()
    service.wait(lambda: read(shop, "a") == "one", "the file to be made again")
    service.wait_idle()
    healed = [each for each in service.read_log("cycle-ended") if each["urgency"] == "drift"]
    assert [each["result"] for each in healed if each.get("run")] == ["applied", "applied"]
    assert service.stop() == 0


def test_every_line_of_a_run_tells_which(shop, serve):
    """From taking the lock to the record, so that one search finds all of it."""
    service = serve()
    service.wait_idle()
    run = next(each["run"] for each in service.read_log("cycle-ended") if each.get("run"))
    told = [each["action"] for each in service.read_log() if each.get("run") == run]
    assert (told[0], told[-2:]) == ("run-begun", ["run-recorded", "cycle-ended"])
    assert "operation-ended" in told


def test_only_what_a_commit_touches_is_looked_at(shop, serve):
    """P11: a push to one infra is no work for another."""
    shop.commit(FILE.format(name="a", path="a", content="one"), "infra/api/a.yaml")
    service = serve()
    service.wait_idle()
    shop.commit(FILE.format(name="a", path="a", content="two"), "infra/api/a.yaml")
    service.wait(lambda: read(shop, "a") == "two", "the commit to be applied")
    service.wait_idle()
    pushed = [
        each["infra"] for each in service.read_log("cycle-begun") if each["urgency"] == "push"
    ]
    assert set(pushed) == {"api"}


def test_a_managed_process_that_dies_is_started_again(shop, serve):
    """The end of a process is noticed at once, by its descriptor."""
    shop.commit(
        "apiVersion: provisioning/v1\nkind: Process\nmetadata: {name: job}\n"
        "spec: {command: [/bin/sleep, '4711'], restart: always}\n",
        "infra/job/job.yaml",
    )
    service = serve()
    service.wait_idle()
    (first,) = find_sleeps("4711")
    os.kill(first, signal.SIGKILL)
    (second,) = service.wait(lambda: find_sleeps("4711") - {first}, "the process to be back")
    assert service.stop() == 0
    assert find_sleeps("4711") == {second}, "it outlives the service"
    os.kill(second, signal.SIGKILL)


def test_a_process_that_ends_at_once_does_not_fill_the_log(shop, serve):
    """It is started a few times at once, and then now and then."""
    shop.commit(
        "apiVersion: provisioning/v1\nkind: Process\nmetadata: {name: job}\n"
        "spec: {command: [/bin/true], restart: always}\n",
        "infra/job/job.yaml",
    )
    service = serve()
    service.wait(lambda: service.get_result("job") != "unknown", "the first start")
    service.wait(lambda: len(list_starts(service)) >= 3 and is_delayed(service), "the pause")
    assert len(list_starts(service)) <= 8


def list_starts(service):
    ended = service.read_log("cycle-ended")
    return [each for each in ended if each["infra"] == "job" and each.get("run")]


def is_delayed(service):
    queued = service.ask("queue")["queue"]
    return [each["status"] for each in queued if each["key"] == "shop/job"] == ["delayed"]


def find_sleeps(argument):
    found = set()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if each.read_bytes().split(b"\0")[:2] == [b"/bin/sleep", argument.encode()]:
                found.add(int(each.parent.name))
        except OSError:
            continue
    return found


def test_what_needs_another_infra_waits_for_it(shop, serve):
    """An infra is applied after those whose outputs it reads, and again when these change."""
    value = "apiVersion: provisioning/v1\nkind: Value\nmetadata: {{name: v}}\nspec: {{input: {}}}\n"
    shop.write(value.format("one"), "infra/zoo/v.yaml")
    shop.commit(
        FILE.format(name="a", path="a", content="{{infra.zoo.Value/v.output}}"),
        "infra/api/a.yaml",
    )
    service = serve()
    service.wait(lambda: read(shop, "a") == "one", "both to be applied")
    service.wait_idle()
    shop.commit(value.format("two"), "infra/zoo/v.yaml")
    service.wait(lambda: read(shop, "a") == "two", "the change to arrive")
    ended = [each for each in service.read_log("cycle-ended") if each["infra"] in {"api", "zoo"}]
    assert {each["result"] for each in ended} <= {"applied", "unchanged"}
    service.wait_idle()
    count = len(list_cycles(service, "api"))
    shop.commit(value.format("more").replace("name: v", "name: w"), "infra/zoo/w.yaml")
    service.wait(lambda: len(list_cycles(service, "zoo", "applied")) == 3, "what nobody reads")
    service.wait_idle()
    assert len(list_cycles(service, "api")) == count


def list_cycles(service, infra, result=None):
    return [
        each
        for each in service.read_log("cycle-ended")
        if each["infra"] == infra and result in {None, each["result"]}
    ]


def test_a_newer_commit_ends_the_wait_of_an_older_one(shop, serve):
    """What waits to become ready is not waited for any more; what was done is recorded."""
    process = (
        "apiVersion: provisioning/v1\nkind: Process\nmetadata: {{name: job}}\n"
        "spec: {{command: [/bin/sleep, '4712'], ready: {{exec: [{ready}]}}, timeout: 300}}\n"
    )
    shop.commit(process.format(ready="/bin/false"), "infra/job/job.yaml")
    service = serve("serve.poll=1")
    service.wait(lambda: service.read_log("operation-waiting"), "the run to wait")
    shop.commit(process.format(ready="/bin/true"), "infra/job/job.yaml")
    service.wait(lambda: service.get_result("job") in {"applied", "unchanged"}, "the newer commit")
    ended = [each for each in service.read_log("cycle-ended") if each["infra"] == "job"]
    assert ended[0]["result"] == "interrupted"
    assert "a newer commit came" in ended[0]["event"]
    assert len(find_sleeps("4712")) == 1
    for pid in find_sleeps("4712"):
        os.kill(pid, signal.SIGKILL)


def test_killed_at_any_time_it_goes_on(shop, serve, render_files):
    """P2: nothing is lost with the process: what it knew is in Git."""
    service = serve()
    for round_ in range(5):
        shop.commit(render_files(range(30), content=f"{round_} "), "infra/api/a.yaml")
        time.sleep(0.3 * round_)
        service.kill()
        service.start(waits=False)
    service.wait(lambda: read(shop, "d/29.txt") == "4 29", "the last commit to be applied")
    service.wait_idle()
    assert service.stop() == 0
    assert shop.run("fsck").count("linear, fenced, complete") == 2


def test_a_thousand_pushes_in_a_minute(shop, serve):
    """Only the newest counts; what comes while a cycle runs makes one more, not a thousand."""
    service = serve()
    service.wait_idle()
    before = len(service.read_log("cycle-begun"))
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@b> {1800000000 + number} +0000\ndata 1\nx\n"
        f"{'from refs/heads/main^0' + chr(10) if not number else ''}"
        f"M 100644 inline infra/api/a.yaml\ndata {len(text)}\n{text}\n"
        for number in range(1000)
        for text in [FILE.format(name="a", path="a", content=f"push {number}")]
    )
    command = ["git", "-C", str(shop.folder), "fast-import", "--quiet", "--force"]
    subprocess.run(command, input=stream.encode(), env=shop.environment, check=True)
    commits = shop.git("rev-list", "--reverse", "main").split()
    for each in [*commits[1::50], commits[-1]]:
        shop.git("update-ref", "refs/heads/main", each)
        time.sleep(0.01)
    service.wait(lambda: read(shop, "a") == "push 999", "the newest to be applied")
    service.wait_idle()
    assert len(service.read_log("cycle-begun")) - before < 60


def test_paused_resumed_asked_and_drained(shop, serve):
    """What the commands of `serve` do, and what they print."""
    service = serve()
    service.wait_idle()

    def ask(*words, expected=0):
        return shop.run("serve", *words, "--socket", str(service.home / "s"), expected=expected)

    assert "ready" in ask("status")
    assert ask("queue") == "nothing is queued\n"
    assert ask("pause", "web") == "paused: shop/web\n"
    (shop.folder / "live/etc/motd").write_text("by hand")
    service.wait(lambda: "paused" in ask("queue"), "the work to be paused")
    assert "shop/web is paused" in ask("status")
    assert "shop/web is paused" in ask("reconcile", "web", expected=1)
    assert read(shop, "etc/motd") == "by hand"
    assert ask("resume") == "resumed: all\n"
    service.wait(lambda: read(shop, "etc/motd") != "by hand", "the healing")
    told = ask("reconcile", "web")
    assert told.splitlines()[0].startswith("web: reconciling")
    assert "nothing done at" in told.splitlines()[-1]
    assert "the service has no infra 'nope'" in ask("reconcile", "nope", expected=1)
    status = json.loads(ask("status", "-o", "json"))
    (infra,) = status["workspaces"][0]["infras"]
    assert (infra["infra"], infra["result"]) == ("web", "unchanged")
    assert infra["nextResync"] is not None
    assert "draining" in ask("drain")
    assert service.process.wait(300) == 0
    assert "no service answers" in ask("status", expected=1)


def test_broken_settings_keep_the_last_good_ones(shop, serve):
    """A broken file is told, and changes nothing; the next good one counts."""
    service = serve()
    service.wait_idle()
    settings = shop.folder / "config/provisioning.yaml"
    good = settings.read_text()
    settings.write_text(good + "nonsense: [\n")
    service.send(signal.SIGHUP)
    service.wait(lambda: service.read_log("settings-rejected"), "the complaint")
    assert "settings are broken" in service.get("/readyz")[1]
    (shop.folder / "live/etc/motd").write_text("by hand")
    service.wait(lambda: read(shop, "etc/motd") != "by hand", "the healing")
    shop.commit(good + "serve: {resync: 3}\n", "config/provisioning.yaml")
    service.wait(lambda: service.ask("status")["ready"], "the service to be ready again")
    service.wait(
        lambda: [each for each in service.read_log("cycle-begun") if each["reason"] == "resync"],
        "the new rhythm",
    )


def test_a_broken_manifest_stops_its_own_infra_alone(shop, serve):
    """The others go on, and the status says what is wrong and where."""
    shop.commit("kind: [nonsense\n", "infra/api/a.yaml")
    service = serve()
    service.wait(lambda: read(shop, "etc/motd"), "the other infra")
    service.wait(lambda: service.get_result("api") == "invalid-manifest", "the complaint")
    told = shop.run("serve", "status", "--socket", str(service.home / "s"))
    assert "infra/api/a.yaml:1" in told
    shop.commit(FILE.format(name="a", path="a", content="one"), "infra/api/a.yaml")
    service.wait(lambda: read(shop, "a") == "one", "the mended one")


def test_a_remote_that_does_not_answer(shop, serve, over_http, hub):
    """`readyz` tells, the files are healed no more, and all is well when it is back."""
    settings = shop.folder / "config/provisioning.yaml"
    settings.write_text(
        f"{settings.read_text()}\nremote: {over_http}\n".replace("remote: null", "")
    )
    shop.commit()
    shop.git("push", "--quiet", hub.as_uri(), "main")
    service = serve("serve.poll=1")
    service.wait(lambda: read(shop, "etc/motd"), "the first apply")
    moved = hub.with_name("away.git")
    hub.rename(moved)
    service.wait(lambda: service.get("/readyz")[0] == 503, "the trouble to be told")
    assert service.get("/healthz")[0] == 200
    moved.rename(hub)
    service.wait(lambda: service.get("/readyz")[0] == 200, "the service to be ready again")


def test_a_workspace_deleted_under_it(shop, serve, tmp_path):
    """The other workspace goes on, and the trouble is told."""
    other = tmp_path / "other"
    shop.git("clone", "--quiet", str(shop.folder), str(other))
    text = (other / "config/provisioning.yaml").read_text()
    (other / "config/provisioning.yaml").write_text(text.replace("id: ", "id: other-"))
    shop.git("-C", str(other), "commit", "--quiet", "-am", "another id")
    service = serve(folders=[other, shop.folder])
    service.wait_idle()
    other.rename(tmp_path / "gone")
    service.wait(lambda: service.read_log("fetch-failed"), "the trouble to be told")
    (shop.folder / "live/etc/motd").write_text("by hand")
    service.wait(lambda: read(shop, "etc/motd") != "by hand", "the healing")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own, of a few MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path):
    """Write until there is no room."""
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def test_a_full_disk(shop, small_disk, serve):
    """Nothing is done that could not be recorded; with room again, it is done. The log goes on."""
    service = serve(home=small_disk)
    service.wait_idle()
    fill(small_disk / "filler")
    shop.commit(FILE.format(name="a", path="a", content="one"), "infra/api/a.yaml")
    service.wait(lambda: service.get_result("api") == "interrupted", "the complaint")
    assert "No space left" in json.dumps(service.ask("status"))
    assert read(shop, "a") is None
    assert service.ask("status")["ready"]
    (small_disk / "filler").unlink()
    service.wait(lambda: read(shop, "a") == "one", "the commit to be applied")
    assert service.stop() == 0


def test_the_control_socket_is_its_owners_alone(shop, serve):
    """Nobody else may tell a service what to do."""
    service = serve()
    assert stat.S_IMODE((service.home / "s").stat().st_mode) == 0o600


def test_a_second_one_at_the_same_socket_is_refused(shop, serve):
    """The first goes on; a socket that a dead one left is no obstacle."""
    service = serve()
    told = shop.run("serve", "--socket", str(service.home / "s"), expected=1)
    assert "listens at" in told
    service.kill()
    service.start()
    assert service.ask("status")["ready"]


def test_a_port_in_use_is_told(shop):
    """P9: one clear error, and nothing was begun."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        told = shop.run("serve", "--listen", address, expected=1)
    assert f"{address} cannot be listened at: Address already in use" in told
    assert "write HOST:PORT" in shop.run("serve", "--listen", "nonsense", expected=1)
    assert read(shop, "etc/motd") is None


def test_systemd_is_told_what_it_wants_to_know(shop, serve, tmp_path):
    """Type=notify with a watchdog: ready, signs of life, reloading, stopping."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        manager.settimeout(30)
        words = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "400000"}
        shop.environment.update(words)
        service = serve()
        said = set()

        def hear(word):
            while word not in said:
                said.update(line.split("=")[0] for line in manager.recv(4096).decode().split("\n"))

        hear("READY")
        hear("WATCHDOG")
        service.send(signal.SIGHUP)
        hear("RELOADING")
        said.discard("READY")
        hear("READY")
        service.send(signal.SIGTERM)
        hear("STOPPING")


def test_systemd_is_not_kept_waiting_by_what_is_broken(shop, serve, tmp_path):
    """The other workspaces are kept, so it has started; `STATUS` and `readyz` tell the trouble."""
    settings = shop.folder / "config/provisioning.yaml"
    nowhere = tmp_path / "nowhere.git"
    settings.write_text(settings.read_text().replace("remote: null", f"remote: {nowhere}"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        manager.settimeout(30)
        shop.environment["NOTIFY_SOCKET"] = str(tmp_path / "n")
        service = serve(waits=False)
        said = ""
        while "READY=1" not in said or "STATUS=shop: " not in said:
            said += manager.recv(4096).decode()
    told = shop.run("serve", "status", "--socket", str(service.home / "s"), expected=1)
    assert told.startswith("not ready\n  shop: ")
    assert told.endswith("\nshop  not read yet\n")


def test_the_unit_lets_it_write_where_it_must(shop):
    """Its home, the workspaces, and where their settings say that files may lie."""
    settings = ["-c", "local.root=/srv/live", "-c", 'local.allow=["/srv/live/x", "/var/www"]']
    unit = shop.run(*settings, "serve", "unit", "--listen", "127.0.0.1:8080")
    assert "Type=notify\n" in unit
    assert "KillMode=process\n" in unit
    assert f"--workspace {shop.folder} --listen 127.0.0.1:8080\n" in unit
    assert f"ReadWritePaths={shop.home} {shop.folder} /srv/live /var/www\n" in unit
    assert f"{sys.executable} -m provisioning -c local.root=/srv/live -c " in unit
