"""The image of `examples/container/` is built from what is there, and runs what there is."""

import json
import re
from pathlib import Path

from provisioning.interfaces.cli.setup.serve import serve

ROOT = Path(__file__).parents[2]
FILE = (ROOT / "examples/container/Containerfile").read_text(encoding="utf-8")


def test_what_is_copied_is_there():
    """And the readme with it, which the package's metadata name."""
    lines = re.findall(r"^COPY (.+)", FILE, re.MULTILINE)
    copied = [word for line in lines for word in line.split()[:-1]]
    assert {"pyproject.toml", "README.md", "provisioning", "sops_python"} == set(copied)
    assert all((ROOT / each).exists() for each in copied)


def test_what_is_run_is_a_command():
    """With options that it takes, as somebody who is not root."""
    (entry,) = re.findall(r"^ENTRYPOINT (.+)", FILE, re.MULTILINE)
    (words,) = re.findall(r"^CMD (.+)", FILE, re.MULTILINE)
    assert json.loads(entry) == ["provisioning"]
    program, *options = json.loads(words)
    assert program == "serve"
    assert serve.make_context("serve", options).params["listen"] == "0.0.0.0:8080"
    assert re.search(r"^USER [1-9]\d*$", FILE, re.MULTILINE)
