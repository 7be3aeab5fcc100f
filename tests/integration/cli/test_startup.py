import subprocess
import sys

import pytest

HEAVY = {"pydantic", "git", "pygit2", "yaml", "jinja2", "rich", "asyncio"}


def list_modules(shop, *words):
    program = (
        "import sys\nfrom provisioning.cli.main import main\n"
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
    "provisioning.core.shapes",
    "provisioning.reconciler.execution",
    "provisioning.providers.local.processes",
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
