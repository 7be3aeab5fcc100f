"""Every test has a tier, every part of a tier its tests, and no test leaves unnoticed."""

import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest
from peer_programs import GO_TOOLS, PYTHON_TOOLS

TESTS = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("tiers", TESTS / "tiers.py")
tiers = importlib.util.module_from_spec(SPEC)
USED = sorted({*GO_TOOLS, *PYTHON_TOOLS, "sshd", "gpg", "strace", "cc"} - {"age"})
"""The peers that tests name; `age` comes with `age-keygen`."""


@pytest.fixture(scope="module", autouse=True)
def _load():
    import sys

    sys.modules["tiers"] = tiers  # dataclasses look there
    SPEC.loader.exec_module(tiers)
    yield
    del sys.modules["tiers"]


def list_before_verify(pattern):
    paths = (path.relative_to(TESTS) for path in TESTS.rglob(pattern))
    return [TESTS / path for path in paths if "verify" not in path.parts]


def test_every_folder_with_tests_is_in_exactly_one_tier():
    """A new folder is not forgotten."""
    there = {path.relative_to(TESTS).parts[0] for path in list_before_verify("test_*.py")}
    named = [folder for folders in tiers.FOLDERS.values() for folder in folders]
    assert sorted(named) == sorted(set(named))
    assert there == set(named)


@pytest.mark.parametrize("peer", USED)
def test_each_peer_is_used_before_verify(peer):
    """`make test` runs against each of them at least once."""
    texts = [
        path.read_text("utf-8")
        for path in list_before_verify("*.py")
        if path.relative_to(TESTS).parts[0] not in {"support", "peers"}
    ]
    assert any(re.search(rf"peer\(\"{peer}\"", text) for text in texts)


def test_each_promise_is_held_before_verify():
    """`make test` runs at least one test of each promise of the table."""
    page = (TESTS.parent / "docs/explanation/promises.md").read_text("utf-8")
    rows = re.findall(r"^\| (P\d+) \|(.*)$", page, re.MULTILINE)
    assert rows
    for promise, row in rows:
        held = re.findall(r"`(tests/[^`]*|docs/how-to/[^`]*)`", row)
        assert [path for path in held if "/verify/" not in path], promise


def test_a_test_that_disappears_is_named(monkeypatch, tmp_path, capsys):
    """And one that lost a parameter; one that came is no reason to fail, unless that is asked."""
    monkeypatch.setattr(tiers, "IDS", tmp_path)
    (tmp_path / "quick.txt").write_text("test_a 1\ntest_b 3\nprogram: the matrix 1\n")
    found = Counter({"test_a": 1, "test_b": 3, "program: the matrix": 1})
    assert tiers.check_ids(["quick"], found, exact=True) == 0
    found["test_c"] = 1
    assert tiers.check_ids(["quick"], found) == 0
    assert tiers.check_ids(["quick"], found, exact=True) == 1
    found["test_b"] = 2
    del found["test_a"]
    assert tiers.check_ids(["quick"], found) == 1
    told = capsys.readouterr().out
    assert "missing: test_a (1 of 1)\nmissing: test_b (1 of 3)\n" in told
    assert "`make ids`" in told


def test_the_tests_of_a_report_are_counted_without_their_parameters(tmp_path):
    """As the lists have them."""
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase name="test_a[x[1]]"/><testcase name="test_a[y]"/>'
        '<testcase name="test_b"/></testsuite></testsuites>'
    )
    assert tiers.count_reported(report) == Counter({"test_a": 2, "test_b": 1})
    assert tiers.count_reported(tmp_path / "none.xml") == Counter()


def test_a_part_replaces_its_own_rows_of_the_page(monkeypatch, tmp_path):
    """The others stay, in the order of the parts."""
    page = tmp_path / "page.md"
    monkeypatch.setattr(tiers, "PAGE", page)
    commit = "0123456789"
    tiers.write_page([tiers.Outcome(2, "crash matrix", True, "9 cuts", 1.0)], commit)
    tiers.write_page([tiers.Outcome(1, "crash matrix", True, "8 cuts", 1.0)], commit)
    tiers.write_page([tiers.Outcome(2, "crash matrix", False, "7 cuts | 1 wrong", 61.4)], commit)
    rows = [line for line in page.read_text().splitlines() if line.startswith(("| 1", "| 2"))]
    assert [row.split(" | ")[:4] for row in rows] == [
        ["| 1/8", "crash matrix", "passed", "8 cuts"],
        ["| 2/8", "crash matrix", "**failed**", "7 cuts / 1 wrong"],
    ]
    assert rows[1].split(" | ")[4:6] == ["61", "0123456789"]


@pytest.mark.parametrize("text", ["0/8", "9/8", "1/4", "x"])
def test_a_part_that_is_none_is_refused(text):
    """With the parts that there are."""
    with pytest.raises(tiers.argparse.ArgumentTypeError, match="1/8 to 8/8"):
        tiers.read_part(text)


def test_no_test_hands_a_device_to_git_as_its_configuration():
    """Git replaces its configuration by renaming a new file onto it: as root, a device is gone."""
    folders = (TESTS, TESTS.parent / "bench", TESTS.parent / "examples")
    texts = {path: path.read_text("utf-8") for each in folders for path in each.rglob("*.py")}
    pattern = re.compile(r"GIT_CONFIG\w*[\"']?\s*[:=,]\s*(f?[\"'])?(/dev/|os\.devnull)")
    assert [str(path) for path, text in texts.items() if pattern.search(text)] == []
