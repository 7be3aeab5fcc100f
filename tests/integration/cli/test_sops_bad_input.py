"""P9 for secrets: each bad input has its own error, names the next step, and changes nothing."""

import re
import shlex
import sys

import pyrage
import pytest
from click.testing import CliRunner

from provisioning.__main__ import main

TEXT = "password: the-plain-text\nopen_unencrypted: o\n"


def run(folder, line, stdin=b""):
    """Run one line; return the exit code, and what was said."""
    with CliRunner().isolation(stdin) as (output, errors, _):
        try:
            main(["-C", str(folder), "sops", *shlex.split(line)])
            code = 0
        except SystemExit as exc:
            code = exc.code
        sys.stdout.flush()
        return code, output.getvalue().decode() + errors.getvalue().decode()


def make_key(folder, name):
    identity = pyrage.x25519.Identity.generate()
    (folder / f"{name}.key").write_text(str(identity))
    return str(identity.to_public())


@pytest.fixture
def bench(tmp_path, monkeypatch):
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(tmp_path / "mine.key"))
    recipient = make_key(tmp_path, "mine")
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age: {recipient}\n")
    (tmp_path / "plain.yaml").write_text(TEXT)
    (tmp_path / "file.yaml").write_text(TEXT)
    assert run(tmp_path, "encrypt -i file.yaml")[0] == 0
    return tmp_path


def change(folder, pattern, new, name="file.yaml"):
    path = folder / name
    path.write_text(re.sub(pattern, new, path.read_text(), count=1))


def tamper(folder, _):
    change(folder, "open_unencrypted: o", "open_unencrypted: p")


def move(folder, _):
    change(folder, "password:", "other:")


def cut(folder, _):
    path = folder / "file.yaml"
    path.write_text(path.read_text()[: len(path.read_text()) // 2])


def cut_within_the_values(folder, _):
    path = folder / "file.yaml"
    path.write_text(path.read_text()[:40])


def take_another_key(folder, monkeypatch):
    make_key(folder, "other")
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(folder / "other.key"))


def have_no_key(folder, monkeypatch):
    monkeypatch.delenv("SOPS_AGE_KEY_FILE")


def have_a_key_that_is_none(folder, _):
    (folder / "mine.key").write_text("AGE-SECRET-KEY-1NONSENSE")


def use_an_unknown_kind_of_key(folder, _):
    change(folder, "    age:\n", "    moon_kms:\n")


def use_a_kind_that_is_not_used(folder, _):
    change(folder, "    age:\n", "    hckms:\n")
    change(folder, "recipient: .*", 'key_id: x:y\n          created_at: ""')


def write_a_newer_type(folder, _):
    change(folder, "type:str", "type:moon")
    change(folder, "version: .*", "version: 9.0.0")


def write_no_version(folder, _):
    change(folder, "version: .*", "version: x")


def match_nothing(folder, _):
    change(folder, "- age", "- path_regex: nothing\n    age", ".sops.yaml")


def match_by_two_selections(folder, _):
    change(folder, r"\Z", "    encrypted_regex: a\n    unencrypted_regex: b\n", ".sops.yaml")


def have_a_wrong_expression(folder, _):
    change(folder, "- age", "- path_regex: '('\n    age", ".sops.yaml")


def need_more_groups(folder, _):
    mine, other = ((folder / ".sops.yaml").read_text().split("age: ")[1], make_key(folder, "a"))
    (folder / ".sops.yaml").write_text(
        "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n"
        f"      - age: [{mine.strip()}]\n      - age: [{other}]\n"
    )
    (folder / "file.yaml").write_text(TEXT)
    assert run(folder, "encrypt -i file.yaml")[0] == 0


def need_too_many_groups(folder, _):
    need_more_groups(folder, _)
    change(folder, "threshold: 2", "threshold: 5", ".sops.yaml")


def have_no_editor(_, monkeypatch):
    monkeypatch.setenv("SOPS_EDITOR", "/nowhere/editor")


def have_no_rules(folder, _):
    (folder / ".sops.yaml").unlink()


BAD = [
    (tamper, "decrypt file.yaml", 51, "MAC mismatch", "restore it from Git"),
    (tamper, "set file.yaml '[\"a\"]' 1", 51, "MAC mismatch", "restore it from Git"),
    (move, "decrypt file.yaml", 25, "other: Could not decrypt", "restore the file from Git"),
    (cut, "decrypt file.yaml", 1, "sops metadata", "restore the file from Git"),
    (cut_within_the_values, "decrypt file.yaml", 1, "metadata not found", "sops encrypt FILE"),
    (take_another_key, "decrypt file.yaml", 128, "no identity matched", "ask for access"),
    (have_no_key, "decrypt file.yaml", 128, "Did not find keys in", "ask for access"),
    (have_a_key_that_is_none, "decrypt file.yaml", 128, "mine.key, line 1", "ask for access"),
    (use_an_unknown_kind_of_key, "decrypt file.yaml", 1, "moon_kms is a kind", "--add-age"),
    (use_a_kind_that_is_not_used, "decrypt file.yaml", 128, "hckms cannot be used", "access"),
    (write_a_newer_type, "decrypt file.yaml", 25, "written by sops 9.0.0", "upgrade"),
    (write_no_version, "decrypt file.yaml", 1, "'x', which is none", "restore the file"),
    (match_nothing, "encrypt -i plain.yaml", 1, "no matching creation rules", "path_regex fits"),
    (match_by_two_selections, "encrypt -i plain.yaml", 1, "more than one of", "correct it"),
    (have_a_wrong_expression, "encrypt -i plain.yaml", 1, "creation rule 1", "correct path_regex"),
    (have_no_rules, "encrypt -i plain.yaml", 1, "config file not found", "--age RECIPIENT"),
    (need_more_groups, "decrypt file.yaml", 128, "threshold of 2, but only 1", "ask for access"),
    (need_too_many_groups, "encrypt -i plain.yaml", 1, "less than threshold]", "at least 2"),
    (have_no_editor, "edit file.yaml", 201, "/nowhere/editor", "SOPS_EDITOR"),
    (have_no_rules, "encrypt -i --age age1x plain.yaml", 1, "is not an age", "age-keygen -y"),
    (have_no_rules, "encrypt -i --pgp nobody plain.yaml", 1, "nobody", "gpg"),
    (have_no_rules, "publish file.yaml", 1, "config file not found", "write .sops.yaml"),
    (have_no_rules, "keyservice --net unix --addr file.yaml", 1, "already in use", "name a file"),
    (have_no_rules, "keyservice --address 5000", 1, "'5000' is not an address", "127.0.0.1:5000"),
]


@pytest.mark.parametrize(
    ("spoil", "line", "code", "what", "step"), BAD, ids=[f"{e[0].__name__}-{e[2]}" for e in BAD]
)
def test_bad_input_is_told_with_the_next_step_and_changes_nothing(
    spoil, line, code, what, step, bench, monkeypatch
):
    spoil(bench, monkeypatch)
    before = {path.name: path.read_bytes() for path in bench.iterdir()}
    found, said = run(bench, line)
    message, _, hint = said.rpartition("\n  ")
    assert found == code, said
    assert what in message
    assert step in hint
    assert "the-plain-text" not in said
    assert {path.name: path.read_bytes() for path in bench.iterdir()} == before


def test_a_wrong_passphrase_is_told(bench, monkeypatch):
    locked = pyrage.passphrase.encrypt((bench / "mine.key").read_bytes(), "open sesame")
    (bench / "mine.key").write_bytes(locked)
    code, said = run(bench, "decrypt file.yaml", stdin=b"wrong\n")
    assert code == 128
    assert "mine.key: the passphrase is wrong" in said
    assert run(bench, "decrypt file.yaml", stdin=b"open sesame\n")[0] == 0


def test_of_two_rules_that_match_the_first_holds(bench):
    first, second = make_key(bench, "first"), make_key(bench, "second")
    rules = f"creation_rules:\n  - age: {first}\n  - path_regex: plain\n    age: {second}\n"
    (bench / ".sops.yaml").write_text(rules)
    _, encrypted = run(bench, "encrypt plain.yaml")
    assert first in encrypted
    assert second not in encrypted


def test_a_full_disk_leaves_the_file(bench, monkeypatch):
    before = (bench / "plain.yaml").read_bytes()

    def refuse(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    code, said = run(bench, "encrypt -i plain.yaml")
    assert code == 3
    assert "No space left on device" in said
    assert (bench / "plain.yaml").read_bytes() == before
    assert [path.name for path in bench.iterdir() if path.name.startswith(".plain")] == []
