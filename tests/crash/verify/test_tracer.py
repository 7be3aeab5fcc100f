"""The proof that the tracer of the crash matrix is not blind."""

import subprocess
import sys
from pathlib import Path

import pytest

MATRIX = Path(__file__).parents[1] / "matrix"


@pytest.mark.peer("cc")
@pytest.mark.peer("strace")
def test_the_tracer_sees_every_call_of_longer_scenarios():
    """No effect of a run on the disk escapes the matrix: strace counts as many of each kind."""
    command = [sys.executable, "compare.py", "folders and values", "state log on a remote"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=MATRIX)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kernel: {") == 2
