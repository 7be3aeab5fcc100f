import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provisioning.core.model.errors import ProviderConflict, ProviderError
from provisioning.core.model.providers import Absent
from provisioning.providers.local.processes import notes
from provisioning.providers.local.processes.launch import start
from provisioning.providers.local.processes.notes import find_process_files
from provisioning.providers.local.processes.procfs import (
    MARK_VARIABLE,
    find_members,
    is_exiting,
    read_environment,
    read_seen,
)

P = "Process/web"
SLEEP = {"command": ["sleep", "600"]}


def shell(script: str, **more: object) -> dict:
    return {"command": ["sh", "-c", script], **more}


def read_log(bench) -> str:
    return (bench.home / "services" / "logs" / "web-web.log").read_text()


def list_live(bench) -> list[int]:
    return [member.seen.pid for member in find_members(bench.infra)]


STARTER = """
import json, os, sys
from pathlib import Path
from provisioning.core.model.ids import Mark
from provisioning.core.model.providers import Call
from provisioning.providers.local import LocalProvider
root, home, owner, spec, end = sys.argv[1:]
call = Call(id="Process/web", kind="Process", mark=Mark(owner, "1-abcdef", 1),
            spec=json.loads(spec), attributes={}, deadline=30)
print(json.dumps(LocalProvider(Path(root), Path(home)).create(call)), flush=True)
os.kill(os.getpid(), int(end))
"""


@pytest.mark.parametrize("end", [0, 9])
def test_survives_who_started_it(bench, end):
    """A process goes on when the reconciler ends or is killed, and another finds it again."""
    spec = bench.call(P, {**SLEEP, "env": {"A": "ä b"}}).spec
    arguments = [bench.root, bench.home, f"{bench.infra}/{P}", json.dumps(spec), str(end)]
    done = subprocess.run(
        [sys.executable, "-c", STARTER, *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == -end, done.stderr
    seen = bench.look(P)
    assert seen.attributes == json.loads(done.stdout)
    assert seen.attributes["env"] == {"A": "ä b"}
    assert os.getsid(seen.attributes["pid"]) == seen.attributes["pid"] != os.getsid(0)
    bench.delete(P)
    assert list_live(bench) == []


def test_never_found_by_pid(bench):
    """A process is found by its mark: one with the same id and no mark is not ours."""
    bench.create(P, SLEEP)
    real = bench.look(P).attributes
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        bench.provider.delete(bench.call(P, {}, {**real, "pid": stranger.pid}))
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_environment_is_little(bench, monkeypatch, wait_until):
    """A process gets what its spec says and a few of our variables, and nothing else of ours."""
    monkeypatch.setenv("TOKEN", "secret")
    bench.create(P, shell("env; pwd; exec sleep 600", env={"GREETING": "a=b\nc"}))
    wait_until(lambda: str(bench.root) in read_log(bench))
    log = read_log(bench)
    assert "GREETING=a=b\nc" in log
    assert "PATH=" in log
    assert "TOKEN" not in log


def test_output_is_kept(bench, wait_until):
    """Both streams are appended to one log, which only its user may read."""
    bench.create(P, shell("echo out; echo err >&2; exec sleep 600"))
    wait_until(lambda: read_log(bench) == "out\nerr\n")
    bench.delete(P)
    bench.create(P, shell("echo again; exec sleep 600"))
    wait_until(lambda: read_log(bench) == "out\nerr\nagain\n")
    path = Path(bench.look(P).attributes["log"])
    assert path.stat().st_mode & 0o777 == 0o600


def test_working_directory(bench, wait_until):
    """A process runs in `cwd`, and is seen with it as it was written."""
    bench.create("Directory/site", {"path": "site"})
    bench.create(P, shell("pwd; cd /; exec sleep 600", cwd="./site"))
    wait_until(lambda: read_log(bench) == f"{bench.root}/site\n")
    assert bench.look(P).attributes["cwd"] == "./site"


def test_unknown_program(bench):
    """A program that does not exist is refused before anything is touched."""
    bench.create(P, SLEEP)
    pid = bench.look(P).attributes["pid"]
    with pytest.raises(ProviderError, match="no program 'no-such-program'"):
        bench.update(P, {"command": ["no-such-program"]})
    assert bench.look(P).attributes["pid"] == pid


def test_program_is_no_shell_builtin(bench, wait_until):
    """A command is a program of that name, never what a shell would make of it."""
    bench.create(P, {"command": ["echo", "$HOME", "*", "; exit"], "restart": "never"})
    wait_until(lambda: not list_live(bench))
    assert read_log(bench) == "$HOME * ; exit\n"


def test_policy_is_changed_without_a_restart(bench):
    """What does not concern the running process is changed around it."""
    bench.create(P, {**SLEEP, "ready": {"exec": ["true"]}})
    before = bench.look(P).attributes
    changed = {**SLEEP, "stop": {"signal": "INT"}, "restart": "never", "ready": {"tcp": 80}}
    answer = bench.update(P, changed)
    after = bench.look(P)
    assert answer == after.attributes
    assert after.attributes["pid"] == before["pid"]
    assert after.attributes["stop"] == {"signal": "INT", "grace": 10}
    assert after.attributes["restart"] == "never"
    assert after.mark.operation == 2


def test_changed_probe_is_not_written_down(bench):
    """How a running process is newly probed may hold a secret: it is neither kept nor answered."""
    bench.create(P, {**SLEEP, "ready": {"exec": ["true"]}})
    bench.update(P, {**SLEEP, "ready": {"http": "http://u:hunter2@localhost/"}})
    assert "ready" not in bench.look(P).attributes
    bench.update(P, {**SLEEP, "timeout": 5})
    assert "ready" not in bench.look(P).attributes
    process_files = (bench.home / "services" / "state").iterdir()
    assert not any("hunter2" in path.read_text() for path in process_files)


def test_lost_home_loses_little(bench):
    """Without the notes a process is found as it was started: the mark is in the world."""
    bench.create(P, SLEEP)
    bench.update(P, {**SLEEP, "restart": "never"})
    for path in (bench.home / "services" / "state").iterdir():
        path.unlink()
    seen = bench.look(P)
    assert seen.attributes["restart"] == "always"
    assert seen.mark.owner == f"{bench.infra}/{P}"
    bench.delete(P)


def test_update_of_what_is_fixed_starts_anew(bench):
    """An update that needs another command ends in the new one running, and only that."""
    old = bench.create(P, SLEEP)
    new = bench.update(P, {"command": ["sleep", "601"]})
    assert new["pid"] != old["pid"]
    assert read_seen(old["pid"]) is None
    assert bench.look(P).attributes["command"] == ["sleep", "601"]


def test_moved_process(bench):
    """A process that is renamed runs under its new name alone, for its mark is its name."""
    seen = bench.create("Process/old", SLEEP)
    bench.provider.update(bench.call(P, SLEEP, seen))
    assert bench.is_absent("Process/old")
    assert bench.look(P).mark.owner == f"{bench.infra}/{P}"


def test_delete_spares_what_bears_another_name(bench):
    """A delete that speaks of a process with another name's mark is a conflict."""
    seen = bench.create("Process/old", SLEEP)
    with pytest.raises(ProviderConflict, match="Process/old"):
        bench.provider.delete(bench.call(P, {}, seen))
    assert bench.look("Process/old").attributes == seen


def test_second_create_is_refused(bench):
    """Another create beside one that runs is a conflict: no second is started."""
    bench.create(P, SLEEP)
    with pytest.raises(ProviderConflict, match="bears the mark"):
        bench.create(P, SLEEP)
    assert len([pid for pid in list_live(bench) if os.getsid(pid) == pid]) == 1


def test_what_a_sleeper_starts_on_waking_is_cleared_away(bench):
    """P3: of two runs that started it the one with the higher token counts, the other's goes."""
    wanted = bench.create(P, SLEEP, run="7-abcdef")
    late = bench.call(P, SLEEP, run="6-fedcba")
    stale = start(late, bench.root, find_process_files(bench.home, late.mark.owner))
    seen = bench.look(P)
    assert (seen.attributes["pid"], seen.is_unfinished) == (wanted["pid"], True)
    assert bench.update(P, SLEEP, run="8-abcdef")["pid"] == wanted["pid"]
    assert read_seen(stale.pid) is None
    assert not bench.look(P).is_unfinished
    bench.delete(P)
    assert list_live(bench) == []


def test_a_delete_clears_away_both(bench):
    """Nothing of it is left, whoever started it."""
    bench.create(P, SLEEP, run="7-abcdef")
    late = bench.call(P, SLEEP, run="6-fedcba")
    start(late, bench.root, find_process_files(bench.home, late.mark.owner))
    bench.delete(P)
    assert list_live(bench) == []


def test_killed_is_absent(bench, wait_until):
    """A process that is to run always and was killed is absent, and made again."""
    pid = bench.create(P, SLEEP)["pid"]
    os.killpg(pid, 9)
    wait_until(lambda: bench.is_absent(P))
    assert bench.create(P, SLEEP)["pid"] != pid


def test_broken_without_its_leader(bench, wait_until):
    """Parts that run on without their leader are seen with no command, and replaced."""
    pid = bench.create(P, shell("sleep 600 & sleep 600"))["pid"]
    wait_until(lambda: len(list_live(bench)) == 4)
    os.kill(pid, 9)
    wait_until(lambda: bench.look(P).attributes["command"] is None)
    parts = list_live(bench)
    bench.create(P, SLEEP)
    assert bench.look(P).attributes["command"] == ["sleep", "600"]
    assert not any(read_seen(part) for part in parts)


@pytest.mark.parametrize(
    ("restart", "code", "is_there"),
    [
        ("always", 0, False),
        ("on-failure", 0, True),
        ("on-failure", 3, False),
        ("never", 0, True),
        ("never", 3, True),
    ],
)
def test_ended(bench, wait_until, restart, code, is_there):
    """Whether an ended process is to run again follows from `restart` and its exit code."""
    spec = shell(f"exit {code}", restart=restart)
    call = bench.call(P, spec)
    bench.provider.create(call)
    wait_until(lambda: not list_live(bench))
    if not is_there:
        assert bench.is_absent(P)
        return
    seen = bench.look(P)
    assert seen.attributes["exit_code"] == code
    assert seen.mark == call.mark
    assert bench.provider.create(call) == seen.attributes
    assert bench.update(P, {**spec, "timeout": 5})["timeout"] == 5
    assert bench.look(P).attributes["exit_code"] == code
    assert bench.update(P, {**spec, "restart": "always"})["pid"]
    wait_until(lambda: not list_live(bench))
    assert bench.is_absent(P)


def test_killed_program_has_a_code_too(bench, wait_until):
    """A program that a signal ended has 128 and the signal's number as its code."""
    bench.create(P, shell("kill -9 $$", restart="never"))
    wait_until(lambda: not list_live(bench))
    assert bench.look(P).attributes["exit_code"] == 137


def test_delete_forgets_the_exit_code(bench, wait_until):
    """After a delete nothing is left but the log."""
    bench.create(P, shell("exit 3", restart="never"))
    wait_until(lambda: not list_live(bench))
    bench.delete(P)
    assert bench.observe(P) == Absent()
    assert [path.name for path in bench.home.rglob("*.*")] == ["web-web.log"]


def test_corrupt_note_is_as_none(bench):
    """A note that cannot be read changes nothing of what the world says."""
    bench.create(P, SLEEP)
    notes.find_process_files(bench.home, f"{bench.infra}/{P}").note.write_bytes(b"\x00")
    assert bench.look(P).attributes["command"] == ["sleep", "600"]


def test_stopped_by_its_signal(bench, wait_until):
    """A process is asked to stop by the signal it wants, and has its grace to do so."""
    script = "trap 'echo bye; exit' USR1; echo up; while :; do sleep 0.01; done"
    bench.create(P, shell(script, stop={"signal": "USR1", "grace": 20}))
    wait_until(lambda: read_log(bench) == "up\n")
    bench.delete(P)
    assert read_log(bench).splitlines()[-1] == "bye"
    assert list_live(bench) == []


def test_killed_after_its_grace(bench, wait_until):
    """What ignores its signal is killed when its grace is over."""
    script = "trap '' TERM; echo up; while :; do sleep 0.01; done"
    bench.create(P, shell(script, stop={"grace": 0.05}))
    wait_until(lambda: read_log(bench) == "up\n")
    bench.delete(P)
    assert list_live(bench) == []


def test_stopped_with_its_whole_group(bench, wait_until):
    """A stop ends children, those in sessions of their own, and those without the mark."""
    script = "sleep 600 & setsid sleep 600 & env -i sleep 600 & echo $!; wait"
    bench.create(P, shell(script))
    wait_until(lambda: len(list_live(bench)) == 4 and read_log(bench))
    bare = int(read_log(bench))
    wait_until(lambda: not Path(f"/proc/{bare}/environ").read_bytes())
    bench.delete(P)
    assert list_live(bench) == []
    assert read_seen(bare) is None


def test_session_of_somebody_else_is_spared(bench):
    """A process that bears our mark in a session that is not ours is stopped alone."""
    call = bench.call(P, SLEEP)
    bench.provider.create(call)
    script = f"PROVISIONING_MARK='{call.mark}' sleep 600 & sleep 600"
    stranger = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    try:
        bench.delete(P)
        assert list_live(bench) == []
        assert stranger.poll() is None
    finally:
        os.killpg(stranger.pid, 9)
        stranger.wait()


def test_title_over_the_environment(bench, wait_until):
    """A program that overwrites its environment is still found, and still stopped."""
    script = (
        "import ctypes, pathlib, time\n"
        "fields = pathlib.Path('/proc/self/stat').read_text().rpartition(')')[2].split()\n"
        "start, end = int(fields[47]), int(fields[48])\n"
        "ctypes.memset(start, 0, end - start)\n"
        "print('titled', flush=True)\n"
        "time.sleep(600)\n"
    )
    bench.create(P, {"command": [sys.executable, "-c", script]})
    wait_until(lambda: read_log(bench) == "titled\n")
    leader = bench.look(P).attributes["pid"]
    assert list_live(bench) == [leader]
    (child,) = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    bench.delete(P)
    assert read_seen(int(child)) is None


def test_found_in_the_middle_of_an_exec():
    """A child that a shell starts at this very moment has its environment read, not missed."""
    environment = {"PATH": os.environ["PATH"], MARK_VARIABLE: "exec/x:1-abcdef:1"}
    shell = subprocess.Popen(
        ["sh", "-c", "while :; do setsid true; done"], env=environment, start_new_session=True
    )
    missed, until = [], time.monotonic() + 1
    try:
        while time.monotonic() < until:
            pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
            unread = [pid for pid in pids if is_child(pid, shell.pid) and not read_environment(pid)]
            missed += [pid for pid in unread if not is_exiting(pid)]
    finally:
        shell.kill()
        shell.wait()
    assert missed == []


def is_child(pid: int, parent: int) -> bool:
    """Tell whether *parent* started the process *pid*."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[1] == str(parent)


@pytest.mark.skipif(os.getuid() != 0, reason="only root starts processes of others")
def test_the_mark_of_somebody_else_counts_for_nothing(bench):
    """Anybody can write our mark into an environment; that neither shows nor stops anything."""
    bench.create(P, SLEEP)
    (ours,) = {seen.session for seen in map(read_seen, list_live(bench))}
    mark = f"{bench.infra}/{P}#99-abcdef.1"
    other = subprocess.Popen(
        ["/bin/sleep", "600"], env={MARK_VARIABLE: mark}, user=65534, start_new_session=True
    )
    try:
        assert read_environment(other.pid)
        assert {seen.session for seen in map(read_seen, list_live(bench))} == {ours}
        bench.delete(P)
        assert list_live(bench) == []
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another account")
def test_a_program_that_becomes_another_account_is_stopped(bench, wait_until):
    """It is still in the session that we began for it."""
    program = "import os, time; os.setuid(65534); time.sleep(600)"
    bench.create(P, {"command": [sys.executable, "-c", program]})
    wait_until(lambda: {item.user for item in find_members(bench.infra)} == {0, 65534})
    bench.delete(P)
    assert list_live(bench) == []
