"""The home and its fingerprint key."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from provisioning.config.home import KEY_BYTES, Home, find_home
from provisioning.core.model.errors import StorageFailed


def test_home_is_where_the_variable_says(monkeypatch, tmp_path):
    """`PROVISIONING_HOME` moves the home, and it stays there when the folder changes."""
    monkeypatch.chdir(tmp_path)
    assert find_home({"PROVISIONING_HOME": "mine"}).path == tmp_path / "mine"
    assert find_home({}).path == Path.home() / ".provisioning"
    assert find_home({"PROVISIONING_HOME": ""}).path == Path.home() / ".provisioning"


def test_key_is_made_once_and_for_the_user_only(tmp_path):
    """The key is made on first use, stays the same, and only its user can read it."""
    home = Home(tmp_path / "home")
    key = home.read_fingerprint_key()
    assert len(key) == KEY_BYTES
    assert home.read_fingerprint_key() == key
    (file,) = home.path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_makers_of_the_key_agree(tmp_path):
    """Many makers at once all get one and the same key, and leave nothing else behind."""
    barrier = Barrier(16)

    def read(_: int) -> bytes:
        barrier.wait()
        return Home(tmp_path).read_fingerprint_key()

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(read, range(16)))) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["fingerprint.key"]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_damaged_key_is_told(tmp_path, content):
    """A key of another size is never used."""
    (tmp_path / "fingerprint.key").write_bytes(content)
    with pytest.raises(StorageFailed, match="is damaged"):
        Home(tmp_path).read_fingerprint_key()


def test_home_that_cannot_be_made_is_told(tmp_path):
    """A home that is no folder gives one clear error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="cannot be used"):
        Home(tmp_path / "file").read_fingerprint_key()


def test_a_rotated_key_comes_before_the_former_ones(tmp_path):
    """Fingerprints of both are known, until the rotation is finished."""
    home = Home(tmp_path)
    first = home.read_fingerprint_key()
    second = home.rotate_fingerprint_key()
    assert (second != first, second.former) == (True, (first,))
    third = home.rotate_fingerprint_key()
    assert home.read_fingerprint_key().former == third.former == (second, first)
    done = home.rotate_fingerprint_key(finish=True)
    assert (done, done.former) == (third, ())
    assert [each.name for each in tmp_path.iterdir()] == ["fingerprint.key"]
    assert (tmp_path / "fingerprint.key").stat().st_mode & 0o777 == 0o600
