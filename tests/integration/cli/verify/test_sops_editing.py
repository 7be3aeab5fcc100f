"""Editing is safe: the plain text is in memory only, and nothing is half written."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pyrage
import pytest

TEXT = "password: the-plain-text # note\nlist:\n    - 1\n"


@pytest.fixture
def bench(tmp_path, monkeypatch):
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "keys.txt").write_text(str(identity))
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(tmp_path / "keys.txt"))
    (tmp_path / "runtime").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age: {identity.to_public()}\n")
    file = tmp_path / "file.yaml"
    file.write_text(TEXT)
    sops(tmp_path, "encrypt", "-i", file.name)
    return tmp_path


def start(folder, *arguments, editor=""):
    return subprocess.Popen(
        [sys.executable, "-m", "provisioning", "sops", *arguments],
        cwd=folder,
        env=os.environ | ({"SOPS_EDITOR": editor} if editor else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def sops(folder, *arguments, expected=0, editor=""):
    process = start(folder, *arguments, editor=editor)
    out, err = process.communicate(timeout=600)
    assert process.returncode == expected, (process.returncode, out, err)
    assert "Traceback" not in err
    return out + err


def write_editor(folder, text):
    script = folder / "editor.sh"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return str(script)


@pytest.fixture(autouse=True)
def _leave_nothing(bench):
    yield
    assert list((bench / "runtime").iterdir()) == []


def test_the_editor_sees_the_plain_text_in_a_file_of_its_owner_in_memory(bench, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    seen = bench / "seen"
    editor = write_editor(
        bench,
        f'stat -c %a "$1" > {seen}; stat -fc %T "$1" >> {seen}; echo "$1" >> {seen}; '
        f'cat "$1" >> {seen}; echo "x: 1" >> "$1"',
    )
    sops(bench, "file.yaml", editor=editor)
    mode, kind, place, *lines = seen.read_text().splitlines()
    assert (mode, kind) == ("600", "tmpfs")
    assert not Path(place).parent.exists()
    assert "password: the-plain-text" in "\n".join(lines)
    assert "x: 1" in sops(bench, "-d", "file.yaml")


def test_the_place_of_the_users_session_comes_first(bench):
    seen = bench / "seen"
    editor = write_editor(bench, f'echo "$1" > {seen}; echo "x: 1" >> "$1"')
    sops(bench, "file.yaml", editor=editor)
    assert seen.read_text().startswith(f"{bench}/runtime/.sops")


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 3", 201), ("true", 200), ('rm "$1"; exit 1', 201), ('echo "a: [" >> "$1"', 2)],
)
def test_an_editor_that_fails_or_changes_nothing_leaves_the_file_byte_for_byte(bench, script, code):
    before = (bench / "file.yaml").read_bytes()
    once = f"[ -e {bench}/done ] && exit 0; touch {bench}/done; {script}"
    sops(bench, "file.yaml", editor=write_editor(bench, once), expected=code)
    assert (bench / "file.yaml").read_bytes() == before


def test_a_missing_editor_is_named(bench):
    assert "/nowhere/editor" in sops(bench, "file.yaml", editor="/nowhere/editor", expected=201)


def test_a_mistake_opens_the_editor_again_with_the_reason_on_top(bench):
    log = bench / "log"
    editor = write_editor(
        bench,
        f'cat "$1" >> {log}; if grep -q "^#!!" "$1"; then sed -i "s/broken: \\[/broken: []/" "$1"; '
        'else echo "broken: [" >> "$1"; fi',
    )
    sops(bench, "file.yaml", editor=editor)
    assert "#!! Error unmarshaling input YAML: line" in log.read_text()
    assert "broken: []" in sops(bench, "-d", "file.yaml")
    assert "#!!" not in sops(bench, "-d", "file.yaml")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_removes_the_plain_text(bench, number):
    before = (bench / "file.yaml").read_bytes()
    mark = bench / "started"
    process = start(
        bench, "file.yaml", editor=write_editor(bench, f"echo $$ > {mark}; exec sleep 30")
    )
    deadline = time.monotonic() + 200
    while not mark.exists() or not mark.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    try:
        assert process.wait(timeout=600) != 0
    finally:
        with suppress(ProcessLookupError):  # it may outlive a command that was still starting it
            os.kill(int(mark.read_text()), signal.SIGKILL)
        process.communicate()
    assert (bench / "file.yaml").read_bytes() == before


def test_mode_and_owner_stay(bench):
    (bench / "file.yaml").chmod(0o640)
    sops(bench, "set", "file.yaml", '["password"]', '"new"')
    assert (bench / "file.yaml").stat().st_mode & 0o777 == 0o640


def test_a_failed_encryption_never_empties_a_file(bench):
    plain = bench / "plain.yaml"
    plain.write_text(TEXT)
    sops(bench, "encrypt", "-i", "--age", "age1nonsense", "plain.yaml", expected=1)
    assert plain.read_text() == TEXT
    sops(bench, "encrypt", "-i", "file.yaml", expected=203)


def test_a_new_file_begins_with_an_example(bench):
    sops(bench, "new.json", editor=write_editor(bench, 'sed -i s/example_value1/mine/ "$1"'))
    assert '"mine"' in sops(bench, "-d", "new.json")


def test_exec_env_gives_values_to_the_command_alone(bench):
    (bench / "env.env").write_text("TOKEN=abc\nOTHER=x y\n")
    sops(bench, "encrypt", "-i", "env.env")
    assert sops(bench, "exec-env", "env.env", 'echo "$TOKEN $OTHER"') == "abc x y\n"
    assert sops(bench, "exec-env", "env.env", "exit 9", expected=9) == "exit status 9\n"
    assert "HOME" not in sops(bench, "exec-env", "--pristine", "env.env", "env")


@pytest.mark.parametrize("option", [(), ("--no-fifo",), ("--filename", "a.yaml")])
def test_exec_file_gives_a_file_that_is_gone_afterwards(bench, option):
    said = sops(bench, "exec-file", *option, "file.yaml", "echo {}; cat {}")
    place, *lines = said.splitlines()
    assert "the-plain-text" in lines[-3] + lines[0] + lines[-1]
    assert not Path(place).exists()
