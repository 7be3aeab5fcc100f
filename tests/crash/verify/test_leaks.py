"""P8: a run with secrets that is killed, or whose disk is full, anywhere, leaves none behind."""

import subprocess
import sys
from pathlib import Path

import pytest

MATRIX = Path(__file__).parents[1] / "matrix"

BLIND = """
import base64, zlib
from pathlib import Path
from leaks import CANARIES, SCENARIO, SecretStage, find_leaks
stage = SecretStage(SCENARIO, Path({folder!r}) / "stage")
stage.prepare()
print(len(list(find_leaks(stage, ""))))
text = CANARIES["held"]
(stage.base / "note").write_bytes(b"x" + base64.b64encode(b"y" + text.encode() + b"z"))
print(len(list(find_leaks(stage, ""))) > 0)
(stage.base / "note").unlink()
(stage.workspace / "infra/web/example.yaml").write_text(text)
stage._git("-C", str(stage.workspace), "commit", "-qam", "a leak")
(stage.workspace / "infra/web/example.yaml").unlink()
stage._git("-C", str(stage.workspace), "gc", "--quiet")
print([each for each in find_leaks(stage, "") if "Git's objects" in each] != [])
print(len(list(find_leaks(stage, text))) > 0)
"""


def run_script(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=MATRIX)


@pytest.mark.peer("cc")
def test_a_sample_of_the_cuts_leaves_no_secret_anywhere():
    done = run_script("leaks.py", "--every", "101")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 finds" in done.stdout
    assert not done.stdout.startswith("0 cuts")


def test_the_search_is_not_blind(tmp_path):
    done = run_script("-c", BLIND.format(folder=str(tmp_path)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["0", "True", "True", "True"]
