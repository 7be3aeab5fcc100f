import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from provisioning.core.model.errors import ProviderConflict, ProviderError
from provisioning.providers.local.files import replacement
from provisioning.providers.local.files.path_syntax import name_new, name_sidecar

D = "Directory/site"
SITE = {"path": "site"}


def test_new_directory(bench):
    """A new directory is 0755 whatever the umask, and a stated mode is kept to the bit."""
    old = os.umask(0o077)
    try:
        assert bench.create(D, {"path": "a/site"})["mode"] == "0755"
        assert bench.create("Directory/t", {"path": "t", "mode": "1777"})["mode"] == "1777"
    finally:
        os.umask(old)


def test_full_directory_is_not_deleted(bench):
    """A directory is deleted only when empty; the error names some of what is in it."""
    bench.create(D, SITE)
    for name in "abcd":
        (bench.root / "site" / name).touch()
    with pytest.raises(ProviderError, match=r"holds \w, \w, \w and more"):
        bench.delete(D, SITE)
    for name in "bcd":
        (bench.root / "site" / name).unlink()
    with pytest.raises(ProviderError, match=r"holds a$"):
        bench.delete(D, SITE)
    (bench.root / "site" / "a").unlink()
    bench.delete(D, SITE)
    assert bench.list_names() == []


def test_read_only_directory_is_marked_again(bench):
    """A directory its owner may not write in can still be updated."""
    bench.create(D, {**SITE, "mode": "0555"})
    assert bench.update(D, {**SITE, "mode": "0555"})["mode"] == "0555"
    assert bench.look(D, SITE).mark.operation == 2


def test_folder_on_the_way_becomes_a_directory(bench):
    """A folder that was made on the way to a file is absent as a directory until it is made one."""
    bench.create("File/page", {"path": "site/index.html", "content": ""})
    assert bench.is_absent(D, SITE)
    assert bench.create(D, {**SITE, "mode": "0750"})["mode"] == "0750"
    assert bench.look(D, SITE).mark.owner == f"{bench.infra}/{D}"


def test_folder_on_the_way_of_another_infra(bench):
    """A folder that was made for another infra's file is foreign."""
    bench.create("File/page", {"path": "site/x", "content": ""}, infra="other/infra")
    with pytest.raises(ProviderConflict, match="the directory at site was not made by us"):
        bench.create(D, SITE)


def test_order_does_not_matter(bench):
    """Files and the directories they lie in can be made at the same time, in any order."""
    calls = [
        call
        for number in range(10)
        for call in (
            bench.call(f"File/f{number}", {"path": f"d{number}/sub/x", "content": "x"}),
            bench.call(f"Directory/s{number}", {"path": f"d{number}/sub"}),
            bench.call(f"Directory/d{number}", {"path": f"d{number}"}),
        )
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bench.provider.create, calls))
    assert bench.look("Directory/s7", {"path": "d7/sub"}).mark == calls[7 * 3 + 1].mark


def test_file_in_the_place_of_a_directory(bench):
    """A file where a directory is to be is foreign, seen with its type, and stays."""
    bench.create("File/site", {"path": "site", "content": "x"})
    seen = bench.look(D, SITE)
    assert (seen.mark, seen.attributes["type"]) == (None, "file")
    for change in (bench.create, bench.update):
        with pytest.raises(ProviderConflict, match="the file at site"):
            change(D, SITE)
    with pytest.raises(ProviderConflict):
        bench.delete(D, SITE)


def test_empty_directory_is_no_free_place(bench, monkeypatch):
    """rename(2) takes the place of an empty directory; a directory of ours never does."""
    bench.root.mkdir()
    (bench.root / "new").mkdir()
    (bench.root / "old").mkdir()
    folder = os.open(bench.root, os.O_RDONLY)
    try:
        for _ in ("renameat2", "the way without it"):
            with pytest.raises(FileExistsError):
                replacement.rename_beside_none(folder, "new", "old")
            monkeypatch.setattr(replacement, "_load_libc", object)
        replacement.rename_beside_none(folder, "new", "free")
    finally:
        os.close(folder)
    assert bench.list_names() == ["free", "old"]


def test_unmarked_leftover_is_cleared_only_if_empty(bench):
    """An unmarked directory where new ones are made goes if empty, and else stops the call."""
    leftover = bench.root / name_new("site")
    leftover.mkdir(parents=True)
    (leftover / "x").touch()
    with pytest.raises(ProviderError, match="not empty"):
        bench.create(D, SITE)
    (leftover / "x").unlink()
    bench.create(D, SITE)
    assert bench.list_names() == ["site"]


@pytest.mark.usefixtures("without_attributes")
def test_sidecar_of_a_directory(bench):
    """Without extended attributes a directory's mark lies in a side-car beside it."""
    bench.create(D, SITE)
    bench.update(D, {**SITE, "mode": "0700"})
    assert bench.look(D, SITE).mark.operation == 2
    assert bench.list_names() == [name_sidecar("site"), "site"]
    bench.delete(D, SITE)
    assert bench.list_names() == []
