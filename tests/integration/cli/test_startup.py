import subprocess
import sys

import pytest

HEAVY = {"pydantic", "git", "pygit2", "yaml", "jinja2", "rich", "asyncio"}


def list_modules(shop, *words):
    program = (
        "import sys\nfrom provisioning.__main__ import main\n"
        f"try:\n    main({list(words)!r})\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write('\\nMODULES ' + ' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("words", [["--help"], ["plan", "--help"], ["help", "lock"], ["--version"]])
def test_help_loads_nothing_heavy(shop, words):
    """Help is quick because no library is loaded that it does not need."""
    assert not HEAVY & list_modules(shop, *words)


NOT_FOR_A_PLAN = {
    "pydantic",
    "git",
    "jinja2",
    "rich",
    "asyncio",
    "yaml",
    "logging",
    "pygit2",
    "subprocess",
    "provisioning.interfaces.schema.plans",
    "provisioning.reconciler.execution.executor",
    "provisioning.providers.local.processes.process",
    "provisioning.secrets",
}
"""Libraries for what is new and for writing, and our own modules for what a plan does not do."""


def test_a_warm_plan_loads_nothing_that_it_does_not_need(shop):
    """A plan of what was compiled and applied before reads, compares and prints; no more."""
    value = "apiVersion: provisioning/v1\nkind: Value\nmetadata: {name: v}\nspec: {input: 1}\n"
    shop.commit(value)
    shop.run("apply", "--yes")
    shop.run("plan")
    assert not NOT_FOR_A_PLAN & list_modules(shop, "plan")


@pytest.mark.parametrize(
    "words",
    [
        ["lock", "hold", "web", "--reason", b"\xff"],
        ["apply", "--yes", "--reason", b"caf\xe9"],
        ["plan", b"\xff"],
        ["plan", "--target", b"\xff"],
        ["plan", "-o", "json", b"\xff"],
        ["-c", b"branch=\xff", "plan"],
        [b"\xff"],
        ["sops", "encrypt", "--age", b"\xff", "config/provisioning.yaml"],
    ],
)
def test_an_argument_that_is_not_utf_8_is_one_clear_error(shop, words):
    """P9: it is named by its place, and nothing was changed."""
    assert "is not UTF-8" in shop.run(*words, expected=1)
    assert "never applied" in shop.run("log", "web")


def test_nothing_that_people_wrote_moves_the_cursor(shop):
    """P9: what a reason or an unknown command holds is spelled out where it is shown."""
    shop.run("lock", "hold", "web", "--reason", "a\u202eb\x08c\x9bd")
    for words in (["log"], ["lock", "ls"], ["lock", "ls", "-o", "json"], ["plan"], ["status"]):
        shown = shop.run(*words)
        assert not {"\u202e", "\x08", "\x9b", "\x1b"} & set(shown)
    assert "a\\u202eb\\u0008c\\u009bd" in shop.run("lock", "ls")
    assert "\x1b" not in shop.run("\x1b]0;title\x07", expected=1)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_the_caller_closed_is_missed_by_nobody(shop, closed):
    """No file that is opened later gets the number, and with it what is printed."""
    shop.commit("apiVersion: provisioning/v1\nkind: Value\nmetadata: {name: v}\nspec: {input: 1}\n")
    line = f'"{sys.executable}" -m provisioning apply --yes {closed}'
    done = subprocess.run(["sh", "-c", line], cwd=shop.folder, env=shop.environment, check=True)
    assert done.returncode == 0
    assert "linear, fenced, complete" in shop.run("fsck")


def test_the_end_waits_for_no_thread(shop):
    """One that hangs in a library's C code would crash while the interpreter is taken apart."""
    program = (
        "import threading, time\nfrom provisioning.__main__ import run\n"
        "threading.Thread(target=time.sleep, args=[600]).start()\nrun()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"],
        env=shop.environment, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("provisioning")
