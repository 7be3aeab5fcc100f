"""Which infras got a new name."""

import pytest

from provisioning.core.model.errors import Source
from provisioning.core.model.records import Action
from provisioning.core.reviews.findings import InfraReview
from provisioning.core.reviews.manifest_changes import ManifestChange
from provisioning.core.reviews.touched_infras import find_renamed


def review(infra, *names):
    changes = tuple(
        ManifestChange(id=name, action=Action.CREATE, source=Source("", 0), fields=())
        for name in names
    )
    return InfraReview(infra=infra, manifest_changes=changes)


@pytest.mark.parametrize(
    ("reviews", "before", "after", "renamed"),
    [
        ([review("a", "File/x"), review("b", "File/x")], {"a"}, {"b"}, {"a": "b"}),
        ([review("a", "File/x"), review("b", "File/y")], {"a"}, {"b"}, {}),
        ([review("a", "File/x"), review("b", "File/x")], {"a"}, {"a", "b"}, {}),
        ([review("a", "File/x"), review("b", "File/x")], {"a", "b"}, {"b"}, {}),
        ([review("a", "File/x")], {"a"}, set(), {}),
        (
            [review("a", "File/x", "File/y"), review("b", "File/x"), review("c", *"xy", "File/y")],
            {"a"},
            {"b", "c"},
            {"a": "b"},
        ),
    ],
    ids=["renamed", "unlike", "copied", "merged", "removed", "split"],
)
def test_what_went_and_came_alike_was_renamed(reviews, before, after, renamed):
    """Only what is gone has a new name, and only what is new can be it."""
    assert find_renamed(reviews, before, after) == renamed
