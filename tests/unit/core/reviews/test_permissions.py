"""Who may say what in a pull request."""

import pytest

from provisioning.core.reviews.codeowners import parse_codeowners
from provisioning.core.reviews.commands import Verb
from provisioning.core.reviews.permissions import Permissions, exclude_author, find_refusal

AUTHOR, OTHER = "the author may not", "CODEOWNERS names `ana` for `a`"


@pytest.mark.parametrize(
    ("permissions", "by", "owners", "told"),
    [
        ("writers", "ana", [], ""),
        ("writers", "ben", ["ana"], ""),
        ("owners", "ana", [], ""),
        ("owners", "ana", ["ana"], ""),
        ("owners", "ben", ["ana", "ops/team"], OTHER),
        ("owners", "ana", ["ops/team"], "CODEOWNERS names only teams"),
        ("others", "ana", [], AUTHOR),
        ("others", "ana", ["ana"], AUTHOR),
        ("others", "ben", [], ""),
        ("others", "ben", ["ana"], OTHER),
        (
            "nobody",
            "ana",
            ["ana"],
            "the setting `commands.apply` allows nobody",
        ),
    ],
)
def test_who_may(permissions, by, owners, told):
    """Of Ana, who is the author, and of Ben; whoever may not is told why."""
    line = " ".join(["a", *owners]) if owners else ""
    refusal = find_refusal(
        Verb.APPLY,
        Permissions(permissions),
        by=by,
        author="ana",
        owners=parse_codeowners(line),
        paths=["a"],
    )
    assert refusal.startswith(told)
    assert bool(refusal) == bool(told)


@pytest.mark.parametrize(
    ("before", "after"),
    [("writers", "others"), ("owners", "others"), ("others", "others"), ("nobody", "nobody")],
)
def test_an_author_is_excluded(before, after):
    """What is required only tightens what a setting says."""
    assert exclude_author(Permissions(before)) == after
