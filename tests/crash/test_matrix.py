"""The crash matrix in short."""

import subprocess
import sys
from pathlib import Path

import pytest

MATRIX = Path(__file__).parent / "matrix"


def run_script(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=MATRIX)


@pytest.mark.peer("cc")
def test_a_sample_of_the_matrix_ends_in_the_right_world():
    """P2, P10: a real run killed, or its disk full, anywhere: the next one makes all right."""
    done = run_script("run.py", "--every", "839", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 wrong worlds" in done.stdout


@pytest.mark.peer("cc")
@pytest.mark.peer("strace")
def test_the_tracer_sees_every_call_that_the_kernel_sees():
    """No effect of a run on the disk escapes the matrix: strace counts as many of each kind."""
    done = run_script("compare.py", "hold")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kernel: {") == 1
