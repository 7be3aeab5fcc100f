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


def test_a_warm_plan_loads_neither_pydantic_nor_gitpython(shop):
    """Models and the git program are for what is new and for writing."""
    shop.run("apply", "--yes")
    shop.run("plan")
    assert not {"pydantic", "git", "jinja2", "rich", "asyncio"} & list_modules(shop, "plan")
