"""CODEOWNERS as Gitea reads it."""

import pytest

from provisioning.core.reviews.codeowners import parse_codeowners
from provisioning.core.reviews.touched_infras import find_touched

TEXT = """
# a comment
infra/web/.* @ana @org/team
!infra/.*  @Ben
infra/db/.*\\\\.yaml @eve  # another
/config/.* ana#note
infra/my\\ app/.* @eve
infra/prod|secrets/.* @eve
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("infra/web/a.yaml", {"ana", "org/team"}),
        ("infra/db/a.yaml", {"eve"}),
        ("infra/db/a.toml", set()),
        ("README", {"ben"}),
        ("config/provisioning.yaml", {"ana", "ben"}),
        ("infra/my app/a.yaml", {"eve"}),
        ("infra/prod/a.yaml", {"eve"}),
        ("infra/web/secrets/x", {"ana", "org/team", "eve"}),
    ],
)
def test_owners_are_found_by_whole_paths(path, owners):
    """Every rule that matches the path counts, a negated one if it does not; as Gitea has it."""
    assert parse_codeowners(TEXT).find_owners(path) == owners


def test_each_path_needs_an_owner_of_its_own():
    """An owner of one path is none of the next; a path without a name needs nobody."""
    owners = parse_codeowners("infra/web/.* @ana\nconfig/.* @ben @Ana\ndocs/.* @org/team")
    assert owners.find_refusal("Ana", ["infra/web/a.yaml", "config/x", "other"]) == ""
    told = owners.find_refusal("ben", ["infra/web/a.yaml", "config/x"])
    assert told == "CODEOWNERS names `ana` for `infra/web/a.yaml`"
    assert owners.find_refusal("ben", ["config/x"]) == ""
    assert "only teams" in owners.find_refusal("ana", ["docs/x"])


@pytest.mark.parametrize(
    "line",
    ["* @boss", "( @boss", "infra/.*", r"infra/\\p{L}+/.* @boss", "a" * 300 + " @boss"],
    ids=["a star", "a group", "no owner", "a class", "too long"],
)
def test_a_line_that_cannot_be_read_lets_nobody_in(line):
    """It is named by its number."""
    owners = parse_codeowners(f"# owners\n{line}\ninfra/web/.* @ana\n")
    told = owners.find_refusal("ana", ["infra/web/a.yaml"])
    assert told == "CODEOWNERS cannot be read at line 2, and so names no owner"


@pytest.mark.parametrize(
    ("paths", "directly", "perhaps"),
    [
        (["infra/web/a.yaml"], {"web"}, set()),
        (["infra/web/a.yaml", "config/provisioning.yaml"], {"web"}, {"db"}),
        (["README.md", "docs/x", "CODEOWNERS", ".gitea/workflows/a.yaml"], set(), set()),
        (["secrets/app.enc.yaml"], set(), {"web", "db"}),
        (["infra/unknown/a.yaml"], set(), {"web", "db"}),
        ([], set(), set()),
    ],
)
def test_what_a_change_can_touch(paths, directly, perhaps):
    """A shared file may mean something to every infra, prose to none."""
    touched = find_touched(paths, {"web", "db"})
    assert (touched.directly, touched.perhaps) == (directly, perhaps)
