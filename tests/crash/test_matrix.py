"""The crash matrix in short, and the proof that its tracer misses nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MATRIX = Path(__file__).parent / "matrix"

needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None and not os.environ.get("PROVISIONING_REQUIRE_PEERS"),
    reason="no C compiler to build the tracer with",
)
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and not os.environ.get("PROVISIONING_REQUIRE_PEERS"),
    reason="no strace to compare the tracer with",
)

CHANGING = (
    "creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,"
    "mkdirat,truncate,ftruncate,fsync,fdatasync,write,pwrite64,writev,setxattr,lsetxattr,fsetxattr,"
    "chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,open,openat,sendfile,copy_file_range,"
    "fallocate,mknod,mknodat,removexattr,fremovexattr,pwritev,splice"
)
"""Every call of Linux that changes a disk; programs and signals are counted by their own tests."""


def run_matrix(*arguments, **more):
    command = [sys.executable, str(MATRIX / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


@needs_compiler
def test_every_89th_case_of_the_matrix_ends_in_the_right_world():
    """P2, P10: a real run killed, or its disk full, anywhere: the next one makes all right."""
    done = run_matrix("--every", "89")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 wrong worlds" in done.stdout


@needs_compiler
def test_the_matrix_can_fail():
    """A world that is not what it should be is found: the oracle is not blind."""
    done = run_matrix("--every", "1000", "--scenario", "update", "--expect-other")
    assert done.returncode == 1
    assert "the files are" in done.stdout


@needs_compiler
@needs_strace
@pytest.mark.parametrize("scenario", ["everything at once", "state log on a remote"])
def test_the_tracer_sees_all_that_the_kernel_sees(scenario, tmp_path):
    """No effect of a run on the disk escapes the tracer: strace counts as many, of each kind."""
    log = tmp_path / "strace"
    done = run_matrix("--strace", str(log), "--scenario", scenario)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        re.search(r"^traced: (.+)$", done.stdout, re.M)[1]
        == re.search(r"^kernel: (.+)$", done.stdout, re.M)[1]
    )
