import os
import shutil


def tell(found):
    return sorted((str(each.id), each.place) for each in found)


def test_everything_of_ours_is_listed_wherever_it_is(bench):
    """Files, directories and processes, below the root and the allowed folders."""
    bench.create("Directory/d", {"path": "a/d"})
    bench.create("File/f", {"path": "a/d/f", "content": "x"})
    shared = str(bench.shared / "s")
    bench.create("File/s", {"path": shared, "content": "x"})
    bench.create("File/other", {"path": "o", "content": "x"}, infra=bench.infra + "2")
    process = bench.create("Process/p", {"command": ["sleep", "60"]})
    (bench.root / "by-hand").write_text("x")
    assert tell(bench.provider.survey(bench.infra)) == [
        ("Directory/d", "a/d"),
        ("File/f", "a/d/f"),
        ("File/s", shared),
        ("Process/p", f"process {process['pid']}"),
    ]


def test_a_copy_that_kept_its_mark_is_listed_beside_the_original(bench):
    """Which of the two is ours is not the provider's to say."""
    bench.create("File/f", {"path": "f", "content": "x"})
    os.setxattr(
        shutil.copy(bench.root / "f", bench.root / "copy"),
        "user.provisioning.mark",
        os.getxattr(bench.root / "f", "user.provisioning.mark"),
    )
    assert tell(bench.provider.survey(bench.infra)) == [("File/f", "copy"), ("File/f", "f")]


def test_no_link_is_followed(bench, tmp_path):
    """A link to elsewhere neither is a resource nor leads to one."""
    bench.create("File/f", {"path": "d/f", "content": "x"})
    (bench.root / "link").symlink_to(bench.root / "d")
    (bench.root / "loop").symlink_to(bench.root)
    assert tell(bench.provider.survey(bench.infra)) == [("File/f", "d/f")]


def test_a_root_that_is_not_there_has_nothing(bench):
    """Before the first run there is no folder yet."""
    assert bench.provider.survey(bench.infra) == []
    assert bench.provider.diagnose() == []


def test_a_root_that_cannot_be_written_is_told(bench):
    """With the setting that moves it."""
    bench.root.write_text("no folder")
    ((told, remedy),) = bench.provider.diagnose()
    assert "cannot be written" in told
    assert "local.root" in remedy
