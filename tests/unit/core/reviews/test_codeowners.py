"""CODEOWNERS as Gitea reads it."""

import pytest

from provisioning.core.reviews.codeowners import find_owners, parse_codeowners
from provisioning.core.reviews.touched_infras import find_touched

TEXT = """
# a comment
infra/web/.* @ana @org/team
!infra/.*  @ben
infra/db/.*\\.yaml @eve  # another
[ @broken
no-owner
"""


@pytest.mark.parametrize(
    ("paths", "owners"),
    [
        (["infra/web/a.yaml"], {"ana", "org/team"}),
        (["infra/db/a.yaml"], {"eve"}),
        (["infra/db/a.toml"], set()),
        (["README"], {"ben"}),
        ([], set()),
    ],
)
def test_owners_are_found_by_whole_paths(paths, owners):
    """Every rule that matches any path counts; a negated one if it does not."""
    assert find_owners(parse_codeowners(TEXT), paths) == owners


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
