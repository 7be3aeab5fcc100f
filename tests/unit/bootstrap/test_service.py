"""The workspaces of a service."""

from pathlib import Path

import pytest

from provisioning.bootstrap.service import _name_all


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        ("/a/shop /b/shop /c/shop", "shop shop-2 shop-3"),
        ("/a/shop-2 /a/shop", "shop-2 shop"),
        ("/a/shop-2 /b/shop /c/shop", "shop-2 shop shop-3"),
        ("/a/shop-staging /a/shop", "shop-staging shop"),
    ],
)
def test_each_workspace_has_a_name_of_its_own(folders, names):
    """By it webhooks find it; of two with one name, one would not be kept."""
    assert _name_all([Path(each) for each in folders.split()]) == names.split()
