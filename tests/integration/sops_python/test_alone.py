"""`python -m sops_python` in a process in which nothing of `provisioning` can be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

ROOT = Path(__file__).parents[3]
START = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
sys.modules["provisioning"] = None
runpy.run_module("sops_python", run_name="__main__", alter_sys=True)
"""
EXPORT = "import os, sys; os.write(1, os.environ['password'].encode())"


class Alone:
    """Runs the program below *folder*, where an age identity is at hand."""

    def __init__(self, folder):
        self.folder = folder
        identity = pyrage.x25519.Identity.generate()
        self.recipient = str(identity.to_public())
        keep = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self._environ = {**keep, "HOME": str(folder), "SOPS_AGE_KEY": str(identity)}

    def __call__(self, *words, stdin="", expected=0):
        done = subprocess.run(
            [sys.executable, "-c", START, ROOT, *words],
            cwd=self.folder,
            env=self._environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expected, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if expected == 0 else done.stderr


@pytest.fixture
def sops(tmp_path):
    return Alone(tmp_path)


def test_a_file_goes_round(sops):
    rule = {"age": sops.recipient, "path_regex": r"\.enc\.yaml$"}
    (sops.folder / ".sops.yaml").write_text(json.dumps({"creation_rules": [rule]}))
    text = "password: correct horse\n"
    made = sops("encrypt", "--filename-override", "db.enc.yaml", stdin=text)
    (sops.folder / "db.enc.yaml").write_text(made)
    assert "correct horse" not in made
    assert sops("decrypt", "db.enc.yaml") == text
    assert sops("-d", "db.enc.yaml") == text
    sops("set", "db.enc.yaml", '["password"]', '"new"')
    sops("rotate", "-i", "db.enc.yaml")
    assert sops("decrypt", "--extract", '["password"]', "db.enc.yaml") == "new"
    assert sops("filestatus", "db.enc.yaml") == '{"encrypted":true}\n'
    assert sops("updatekeys", "-y", "db.enc.yaml") == ""
    command = f'{sys.executable} -c "{EXPORT}"'
    assert sops("exec-env", "db.enc.yaml", command) == "new"


def test_each_command_can_be_imported(sops):
    shown = sops("--help")
    assert shown.startswith("Usage: sops-python ")
    names = shown.partition("Commands:\n")[2].split("\n  ")
    for name in (line.split()[0] for line in names):
        assert f"Usage: sops-python {name}" in sops(name, "--help")


def test_errors_have_the_exit_codes_of_sops(sops):
    (sops.folder / "plain.yaml").write_text("a: 1\n")
    assert "sops metadata not found" in sops("decrypt", "plain.yaml", expected=1)
    assert "non-existent file" in sops("decrypt", "nowhere.yaml", expected=100)
    assert "sops --help" in sops(expected=100)
    assert "No such option" in sops("encrypt", "--nonsense", "plain.yaml", expected=1)


def test_completion_asks_the_program_itself(sops):
    for shell in ("bash", "zsh"):
        script = sops("completion", shell)
        assert f"_SOPS_PYTHON_COMPLETE={shell}_complete sops-python" in script
        assert "provisioning" not in script
