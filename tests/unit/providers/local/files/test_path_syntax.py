import os.path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioning.providers.local.files.path_syntax import (
    LONGEST,
    find_path_problem,
    name_new,
    name_sidecar,
    split_path,
)

PIECES = st.lists(st.sampled_from(["a", "..", ".", "", "/", "b c", "\0", "...", "é"]), max_size=6)


@given(PIECES.map("/".join))
@example("a/../..")
@example("./../x")
def test_accepted_paths_stay_below_the_root(path):
    """A path that is accepted leads nowhere but down, as the operating system counts."""
    if find_path_problem(path) is None:
        inside = os.path.normpath("/root/" + path.lstrip("/"))
        assert inside == "/".join(["/root", *split_path(path)])
        assert inside.startswith("/root")


@pytest.mark.parametrize(
    "name", ["...", "..a", "a..", " ", "\n", "~", "-", "*", "é" * (LONGEST // 2)]
)
def test_odd_names_are_names(name):
    """What only looks odd is a name like any other."""
    assert find_path_problem(f"a/{name}") is None


@pytest.mark.parametrize("name", [name_new("x"), name_sidecar("x"), "a" * (LONGEST + 1)])
def test_our_own_names_are_ours(name):
    """A name that we use beside another, or that leaves no room for ours, is refused."""
    assert find_path_problem(f"a/{name}/b")


def test_our_names_fit():
    """Beside the longest name ours still fit into what Linux allows."""
    longest = "a" * LONGEST
    assert max(len(name_new(longest)), len(name_sidecar(longest))) == 255
