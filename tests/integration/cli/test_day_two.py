import os
import subprocess
import sys
from pathlib import Path

STORY = Path(__file__).parents[3] / "examples" / "day-two" / "run"


def test_the_story_of_the_second_day_comes_true(tmp_path):
    """Hotfix, drift, rename, bad change, undo, lost state log, adopt; all is well at its end."""
    done = subprocess.run(
        [sys.executable, STORY],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for told in (
        "blocked: it is suspended by",
        "File/page  reads config.values.title",
        "it was File/robots",
        "<h1>The shop is open</h1>\n",
        "the same plan",
        "Run 1 done: 3 adopted.",
        "linear, fenced, complete",
        "checks, all ok.",
    ):
        assert told in done.stdout, told
    assert "Nothing to do: 3 unchanged." in done.stdout.rpartition("the plan is empty.")[2]
    assert not list(tmp_path.iterdir())
