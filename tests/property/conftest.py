"""The folders that examples are played in are gone when the tests end."""

import tempfile

import pytest


@pytest.fixture(scope="session", autouse=True)
def _clear_folders():
    """An example makes its folder itself: `tmp_path` is one for all of a test's examples."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        yield
