"""The proof that the judge of the crash matrix is not blind."""

import subprocess
import sys
from pathlib import Path

import pytest

MATRIX = Path(__file__).parents[1] / "matrix"


def run_script(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=MATRIX)


SPOIL = """
import os, subprocess
from pathlib import Path
from scenarios import SCENARIOS
from stage import Stage
stage = Stage(SCENARIOS[0], Path({folder!r}) / "stage")
stage.prepare()
print("before:", list(stage.recover("same")))
live = stage.workspace / "live"
mark = {{"PROVISIONING_MARK": stage.mark.decode()}}
def commit(*parents, token="9"):
    git = ["git", "-C", str(stage.log), "-c", "user.name=a", "-c", "user.email=a@b"]
    log = "refs/heads/provisioning/web"
    words = [word for parent in (log, *parents) for word in ("-p", parent)]
    message = f"stale\\n\\nFencing-Token: {{token}}"
    made = subprocess.run(
        [*git, "commit-tree", log + "^{{tree}}", *words, "-m", message],
        check=True, capture_output=True, text=True)
    subprocess.run([*git, "update-ref", log, made.stdout.strip()], check=True)
manifest = stage.workspace / "infra/web/example.yaml"
def change(text):
    manifest.write_text(text)
    stage._git("-C", str(stage.workspace), "commit", "--quiet", "--all", "-m", "change")
def suspend():
    stage._run("suspend", "web", folder=stage.workspace)
{spoil}
from world import find_faults
print("after:", list(find_faults(stage.scenario, stage.workspace, stage.log, stage.mark)))
stage.close()
"""

SPOILT = {
    "lost": ("(live / 'a.txt').unlink()", "the files are"),
    "leaked": ("(live / '.a.tmp').write_text('')", "the files are"),
    "foreign touched": ("(live / 'foreign.txt').write_text('ours')", "the files are"),
    "folder leaked": ("(live / 'd').mkdir()", "the folders are"),
    "twice": ("subprocess.Popen(['sleep', '60'], env=os.environ | mark)", "1 processes run"),
    "not asked for": ("change('# nothing\\n')", "Git asks for"),
    "half checked out": ("manifest.write_text('half')", "the work tree is not as its branch"),
    "suspended": ("suspend()", "is anything suspended"),
    "stale write": ("commit()", "fencing token 9 follows"),
    "forked": ("commit('HEAD', token='1')", "not linear"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_the_judge_finds_what_is_wrong(how, tmp_path):
    """A wrong world is called wrong: the matrix can fail."""
    spoil, fault = SPOILT[how]
    done = run_script("-c", SPOIL.format(folder=str(tmp_path), spoil=spoil))
    assert done.returncode == 0, done.stderr
    assert "before: []" in done.stdout
    assert fault in done.stdout.partition("after:")[2]
