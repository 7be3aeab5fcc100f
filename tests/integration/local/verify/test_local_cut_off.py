"""Every call cut off before and after each of its effects, then made again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from provisioning.core.model.providers import Absent, Present, Unreadable
from provisioning.providers.local.files import replacement
from provisioning.providers.local.files.path_syntax import MARK_SUFFIX, NEW_SUFFIX
from provisioning.testing import PatchPoint, cut_at

EFFECTS = ("open", "mkdir", "rmdir", "link", "unlink", "rename", "replace", "write")
EFFECTS += ("setxattr", "fchmod", "fchown", "fsync")
POINTS = [
    *(PatchPoint(os, name, name) for name in EFFECTS),
    PatchPoint(replacement, "rename_beside_none", "rename_beside_none"),
    PatchPoint(subprocess, "_fork_exec", "spawn"),
]

CASES = {
    "File": ({"path": "a/x", "content": "1"}, {"path": "a/x", "content": "2", "mode": "0600"}),
    "Directory": ({"path": "a/x"}, {"path": "a/x", "mode": "0700"}),
    "Process": (
        {"command": ["sleep", "600"]},
        {"command": ["sleep", "600"], "stop": {"signal": "KILL"}},
    ),
}


@pytest.fixture(params=["as it is", "without_attributes", "without_nameless"])
def disk(request) -> str:
    if request.param != "as it is":
        request.getfixturevalue(request.param)
    return request.param


def prepare(bench: Any, kind: str, method: str) -> Any:
    """Build the call of *method*, in the world it is made for."""
    name, (spec, changed) = f"{kind}/x", CASES[kind]
    if method == "create":
        return bench.call(name, spec)
    bench.create(name, spec)
    seen = bench.look(name, spec).attributes
    return bench.call(name, changed if method == "update" else {}, seen)


def cut_everywhere(bench: Any, kind: str, method: str, when: str) -> Iterator[tuple[Any, Any]]:
    """Make the call again and again, cut off one effect later each time, until it is whole."""
    for number in count(1):
        shutil.rmtree(bench.root, ignore_errors=True)
        call = prepare(bench, kind, method)
        with cut_at(number, POINTS, when=when) as cut:
            getattr(bench.provider, method)(call)
        yield call, cut
        if not cut.is_cut:
            assert number > 2
            return


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["create", "update", "delete"])
@pytest.mark.parametrize("kind", ["File", "Directory"])
def test_same_call_again(bench, disk, kind, method, when):
    """Cut off anywhere, a call made again leaves exactly what it leaves uncut."""
    spec = CASES[kind][0]
    for call, cut in cut_everywhere(bench, kind, method, when):
        seen = bench.observe(f"{kind}/x", spec)
        assert not isinstance(seen, Unreadable), cut.effects
        assert isinstance(seen, Absent) or seen.mark.owner == call.mark.owner, cut.effects
        getattr(bench.provider, method)(call)
        if method != "delete":
            names = [name for name in bench.list_names() if not name.endswith(MARK_SUFFIX)]
            assert names == ["a", "a/x"], cut.effects
            made = bench.look(f"{kind}/x", spec)
            assert made.mark == call.mark, cut.effects
            assert call.spec.items() <= made.attributes.items(), cut.effects
            bench.delete(f"{kind}/x", spec)
        assert bench.list_names() == ["a"], cut.effects


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["create", "update", "delete"])
@pytest.mark.parametrize("kind", ["File", "Directory"])
def test_what_is_left_can_be_deleted(bench, disk, kind, method, when):
    """Whatever a cut-off call leaves is seen, and a delete of what is seen clears it away.

    But for the moment between making something and marking it: that leaves something empty.
    """
    spec = CASES[kind][0]
    for _call, cut in cut_everywhere(bench, kind, method, when):
        if isinstance(bench.observe(f"{kind}/x", spec), Present):
            bench.delete(f"{kind}/x", spec)
        assert bench.is_absent(f"{kind}/x", spec)
        for name in bench.list_names():
            path = bench.root / name
            assert name == "a" or name.endswith((NEW_SUFFIX, MARK_SUFFIX)), cut.effects
            assert path.is_dir() or not path.read_bytes(), cut.effects
        bench.create(f"{kind}/x", spec)
        bench.delete(f"{kind}/x", spec)
        assert bench.list_names() == ["a"], cut.effects


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["create", "update", "delete"])
def test_process_once(bench, method, when):
    """Cut off anywhere, a call on a process made again leaves exactly one, or none."""
    for call, cut in cut_everywhere(bench, "Process", method, when):
        seen = bench.observe("Process/x")
        getattr(bench.provider, method)(call)
        if method == "delete":
            assert not list((bench.home / "services" / "state").iterdir()), cut.effects
        else:
            again = bench.look("Process/x")
            assert again.mark == call.mark, cut.effects
            if isinstance(seen, Present):
                assert seen.attributes["pid"] == again.attributes["pid"], cut.effects
            bench.delete("Process/x")
        assert bench.is_absent("Process/x"), cut.effects
