"""A missing toolchain leaves tests out and says so; a build that fails twice fails them."""

import os
import re

import peer_programs
import pytest
from peer_programs import PeerMissing, PeerNotBuilt, build_once, find_peer

NEEDS_SOPS = """
import pytest

@pytest.mark.peer("sops")
def test_needs_it(peer):
    assert peer("sops").exists()

def test_needs_nothing():
    pass
"""


@pytest.fixture
def build(tmp_path):
    """Build something by a script that fails the first times; return how often it was tried."""

    def build(failures):
        count, result = tmp_path / "count", tmp_path / "result"
        script = (
            f"echo x >>{count}; [ $(wc -l <{count}) -gt {failures} ] && exec touch {result}; "
            "seq 100; echo no route to host >&2; exit 3"
        )
        try:
            assert build_once("it", tmp_path, result, [["sh", "-c", script]], tmp_path) == result
        finally:
            build.tried = len(count.read_text().split())

    return build


@pytest.fixture
def place(tmp_path):
    """A folder that is all of a PATH, with the programs that are put there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def test_a_build_that_fails_once_is_tried_again(build):
    """A lost connection costs a second attempt, and no test."""
    build(failures=1)
    assert build.tried == 2


def test_a_build_that_fails_twice_tells_its_last_lines(build):
    """And is not tried a third time by the same run."""
    with pytest.raises(PeerNotBuilt) as caught:
        build(failures=9)
    told = str(caught.value)
    assert build.tried == 2
    assert "no route to host\n[exit 3]" in told
    assert "\n99\n" in told
    assert "\n50\n" not in told
    with pytest.raises(PeerNotBuilt, match="no route to host"):
        build(failures=9)
    assert build.tried == 2


def test_another_run_tries_anew(build, monkeypatch):
    """What failed yesterday says nothing of today."""
    with pytest.raises(PeerNotBuilt):
        build(failures=2)
    monkeypatch.setattr(peer_programs, "RUN", "another")
    build(failures=2)
    assert build.tried == 3


def test_a_program_that_is_not_installed_is_missing():
    """It is named."""
    with pytest.raises(PeerMissing, match="needs no-such-program, which is not installed"):
        find_peer("no-such-program")


def test_without_the_toolchain_tests_are_left_out_and_listed(run_nested, place):
    """The run passes, and ends with what did not run and why."""
    code, told = run_nested(NEEDS_SOPS, path=str(place))
    assert code == 0, told
    assert "1 passed, 1 skipped" in told
    section = told.partition(" Not run ")[2]
    assert "1 tests: needs go to build sops, which is not installed" in section
    assert "1 in test_nested.py" in section


def test_where_peers_are_required_a_missing_toolchain_fails(run_nested, place):
    """As in CI."""
    code, told = run_nested(NEEDS_SOPS, path=str(place), PROVISIONING_REQUIRE_PEERS="1")
    assert code == 1
    assert "needs go to build sops, which is not installed" in told
    assert "skipped" not in told


def test_a_build_that_fails_fails_its_tests_with_its_last_lines(run_nested, place):
    """Required or not: a failed download never looks like a machine without Go."""
    go = place / "go"
    go.write_text(
        "#!/bin/sh\necho tried >>$XDG_CACHE_HOME/tries; echo proxy: no such host; exit 1\n"
    )
    go.chmod(0o755)
    code, told = run_nested(NEEDS_SOPS, path=f"{place}:{os.environ['PATH']}")
    assert code == 1
    assert "1 passed, 1 error" in told
    assert "sops could not be built, tried 2 times; its last lines:" in told
    assert "proxy: no such host\n" in told
    assert (place.parent / "cache/tries").read_text().split() == ["tried"] * 2


def test_a_run_in_which_all_ran_says_so(run_nested):
    """So that a missing section is no good news."""
    code, told = run_nested("def test_one():\n    pass\n")
    assert code == 0
    assert "nothing: every collected test ran" in told


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one process", "a worker"])
def test_what_a_stopped_run_did_not_reach_is_counted(run_nested, workers):
    """And what the command line left out."""
    text = (
        "import pytest, time\n\ndef test_a():\n    assert 0\n\n"
        "@pytest.mark.parametrize('n', range(9))\ndef test_b(n):\n    time.sleep(0.3)\n\n"
        "def test_c():\n    pass\n"
    )
    options = ("-x", "-p", "no:randomly", "--deselect", "test_nested.py::test_c")
    code, told = run_nested(text, *options, *workers)
    assert code in {1, 2}, told
    assert "call failed: test_nested.py::test_a" in told
    assert re.search(r"^\d tests: the run stopped before them$", told, re.MULTILINE)
    assert ("1 tests: deselected" in told) == (not workers)  # a worker does not tell
