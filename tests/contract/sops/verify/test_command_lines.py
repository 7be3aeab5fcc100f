"""Whatever a script asks of `sops`, both programs answer alike: exit code, output, and files.

The lines are those of `lines/*.txt`, in the words of a shell. `$plain`, `$enc` and `$both` stand
for a file of each format: in plain text, encrypted, and encrypted for two; `$one`, `$two` and
`$three` for recipients, whose identities are there.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

import pyrage
import pytest
from click.testing import CliRunner

from provisioning.__main__ import main

pytestmark = pytest.mark.peer("sops")

SOURCES = {
    "yaml": "name: text # note\nlist:\n    - x\n    - y: z\nopen_unencrypted: o\nnumber: 1.5\n",
    "json": '{"name": "text", "list": ["x", {"y": "z"}], "open_unencrypted": "o"}',
    "env": "name=text\n# note\nother='quoted'\n",
    "ini": "[list]\nname = text\nother = b\n",
    "bin": "hello\0wörld\n",
}


RULES = {
    "two": "- path_regex: sub/.*\n  age: $two\n- path_regex: file\\.\n  age: $one\n",
    "none fits": "- path_regex: nothing\n  age: $one\n",
    "a list": "- age:\n  - $one\n  - $two\n",
    "groups": "- shamir_threshold: 2\n  key_groups:\n  - age: [$one]\n  - age: [$two, $three]\n",
    "merged": "- key_groups:\n  - merge:\n    - age: [$one]\n    age: [$two]\n",
    "too many": "- shamir_threshold: 5\n  key_groups:\n  - age: [$one]\n  - age: [$two]\n",
    "no key": "- path_regex: file\n",
    "empty group": "- key_groups:\n  - age: []\n",
    "no recipient": "- age: nonsense\n",
    "regex": "- age: $one\n  encrypted_regex: ^[[:alpha:]]ame\\z\n",
    "two regexes": "- age: $one\n  encrypted_regex: ^a\n  unencrypted_regex: ^b\n",
    "mac only": "- age: $one\n  mac_only_encrypted: true\n  encrypted_regex: ^name$\n",
    "comment": "- age: $one\n  unencrypted_comment_regex: note\n",
    "wrong regex": "- path_regex: '['\n  age: $one\n",
    "not YAML": "[\n",
    "not a list": "  age: $one\n",
    "twice": "- age: $one\n  age: $two\n",
    "alias": "- &a\n  path_regex: nothing\n  age: $one\n- <<: *a\n  path_regex: file\n",
    "indents": "- age: $one\nstores:\n  yaml: {indent: 2}\n  json: {indent: 1}\n"
    "  json_binary: {indent: 0}\n",
}


ENVIRONMENTS = {
    "no key": {"SOPS_AGE_KEY_FILE": ""},
    "a missing key file": {"SOPS_AGE_KEY_FILE": "/nowhere"},
    "no identity": {"SOPS_AGE_KEY": "nonsense", "SOPS_AGE_KEY_FILE": ""},
    "a command that fails": {"SOPS_AGE_KEY_CMD": "false", "SOPS_AGE_KEY_FILE": ""},
    "no service": {"SOPS_ENABLE_LOCAL_KEYSERVICE": "false"},
    "no boolean": {"SOPS_ENABLE_LOCAL_KEYSERVICE": "nonsense"},
    "the order": {"SOPS_DECRYPTION_ORDER": "pgp,age"},
    "the order twice": {"SOPS_DECRYPTION_ORDER": "age,age"},
    "recipients": {"SOPS_AGE_RECIPIENTS": "$one,$two"},
    "no configuration": {"SOPS_CONFIG": "missing"},
}


DAMAGES = {
    "tampered": lambda text: text.replace("open_unencrypted: o", "open_unencrypted: p"),
    "flipped": lambda text: text.replace("data:", "data:AAAA", 1),
    "cut": lambda text: text[: len(text) // 2],
    "without a MAC": lambda text: re.sub(r"    mac: .*\n", "", text),
    "without a version": lambda text: re.sub(r"    version: .*\n", "", text),
    "of no version": lambda text: re.sub(r"version: .*", "version: x", text),
    "of a newer version": lambda text: re.sub(r"version: .*", "version: 9.0.0", text),
    "without a date": lambda text: re.sub(r"    lastmodified: .*\n", "", text),
    "of no date": lambda text: re.sub(r"lastmodified: .*", 'lastmodified: "x"', text),
    "without keys": lambda text: re.sub(r"    age:\n(.*\n)*?    lastmod", "    lastmod", text),
    "of comments": lambda _: "# nothing else\n",
    "of a list": lambda _: "- a\n",
    "of nothing": lambda _: "",
    "of no YAML": lambda _: "a: [\n",
    "of a scalar sops": lambda _: "sops: 1\na: 2\n",
}


def list_lines(name):
    text = (Path(__file__).parents[1] / "lines" / f"{name}.txt").read_text(encoding="utf-8")
    return text.splitlines()


@dataclass(frozen=True)
class Answer:
    """How a program ended, what it wrote, and the files it left; all but what is random."""

    code: int
    output: str
    files: dict[str, str]


class World:
    """The files that each command line begins with, and the recipients."""

    def __init__(self, program, folder):
        self._program, self._folder = program, folder / "files"
        self._folder.mkdir()
        identities = [pyrage.x25519.Identity.generate() for _ in range(3)]
        self.keys = folder / "keys"
        self.keys.write_text("\n".join(map(str, identities)))
        names = ("one", "two", "three")
        self.recipients = {
            name: str(each.to_public()) for name, each in zip(names, identities, strict=True)
        }
        for kind, text in SOURCES.items():
            (self._folder / f"file.{kind}").write_text(text)
            for name, recipients in (("file", "$one"), ("both", "$one,$two")):
                command = [program, "encrypt", "--age", self.fill(recipients), f"file.{kind}"]
                done = subprocess.run(command, cwd=self._folder, capture_output=True, check=True)
                (self._folder / f"{name}.enc.{kind}").write_bytes(done.stdout)

    def fill(self, line, kind="yaml"):
        """Write names and recipients into *line*."""
        names = {"plain": f"file.{kind}", "enc": f"file.enc.{kind}", "both": f"both.enc.{kind}"}
        return Template(line).safe_substitute(names | self.recipients)

    def compare(self, line, place, *, kind="yaml", files=(), ours=None, stdin=b""):
        """Give *line* to both programs, each in a folder of its own; their answers are equal."""
        words = shlex.split(self.fill(line, kind))
        answers = []
        for name, run in (("theirs", self._run_theirs), ("ours", ours or run_ours)):
            folder = place / name
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self._folder, folder)
            for file, change in files:
                old = (folder / file).read_text() if (folder / file).exists() else ""
                (folder / file).write_text(change(old))
            code, output, errors = run(words, folder, stdin)
            answers.append((Answer(code, blank(output), read_all(folder)), errors))
        (theirs, theirs_said), (ours_, ours_said) = answers
        if theirs_said.startswith("panic"):
            theirs = replace(theirs, code=1)  # it crashes; ours says what is wrong
        if theirs.output.startswith("Incorrect Usage"):
            theirs = replace(theirs, output="")  # the help, which ours shows if it is asked
        assert ours_ == theirs, f"{words}\ntheirs: {theirs_said}\nours: {ours_said}"
        assert ours or not ours_.code or ours_said, f"{words} fails without a reason"
        assert "Traceback" not in ours_said

    def _run_theirs(self, words, folder, stdin):
        done = subprocess.run(
            [self._program, *words], cwd=folder, input=stdin, capture_output=True, check=False
        )
        return done.returncode, done.stdout, done.stderr.decode()


def run_ours(words, folder, stdin):
    """Run our program in this process."""
    with CliRunner().isolation(stdin) as (output, errors, _):
        try:
            main(["-C", str(folder), "sops", *words])
            code = 0
        except SystemExit as exc:
            code = exc.code
        sys.stdout.flush()
        return code, output.getvalue(), errors.getvalue().decode()


def run_ours_alone(words, folder, stdin):
    """Run our program as a process of its own."""
    command = [sys.executable, "-m", "provisioning", "sops", *words]
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def read_all(folder):
    return {path.name: blank(path.read_bytes()) for path in folder.iterdir() if path.is_file()}


def blank(data):
    """Return the text of *data* with all that is random removed, and what tells time or place."""
    text = data.decode("utf-8", "surrogateescape")
    text = re.sub(r"ENC\[AES256_GCM,data:[^,]*,iv:[^,]*,tag:[^,]*,", "ENC[", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", text)
    return re.sub(r"-----BEGIN AGE.*?END AGE ENCRYPTED FILE-----", "AGE", text, flags=re.DOTALL)


@pytest.fixture(scope="session")
def worlds():
    return {}


@pytest.fixture
def world(peer, worlds, tmp_path_factory, monkeypatch):
    program = peer("sops")
    if program not in worlds:
        worlds[program] = World(program, tmp_path_factory.mktemp("world"))
    world = worlds[program]
    for name in [name for name in os.environ if name.startswith(("SOPS_", "XDG_", "EDITOR"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(world.keys))
    return world


DEEP = re.compile(r"""\["list"\]\[|\["b"\]\[0|'\{"x": """)


def list_kinds(line):
    """Return the formats to try *line* with; in INI files `sops` loses what is below a section."""
    if not any(each in line for each in ("$plain", "$enc", "$both")):
        return ["yaml"]
    return [kind for kind in SOURCES if kind != "ini" or not DEEP.search(line)]


@pytest.mark.parametrize(
    "line", [*list_lines("encrypt"), *list_lines("decrypt"), *list_lines("change")]
)
def test_a_command_line_has_the_same_effect(line, world, tmp_path):
    for kind in list_kinds(line):
        world.compare(line, tmp_path, kind=kind)


@pytest.mark.parametrize("name", RULES)
def test_the_rules_of_a_configuration_mean_the_same(name, world, tmp_path):
    text = f"creation_rules:\n{world.fill(RULES[name])}"
    files = [(".sops.yaml", lambda _: text)]
    for line in list_lines("rules"):
        world.compare(line, tmp_path, files=files)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_environment_means_the_same(name, world, tmp_path, monkeypatch):
    for variable, value in ENVIRONMENTS[name].items():
        monkeypatch.setenv(variable, world.fill(value))
    for line in list_lines("environment"):
        world.compare(line, tmp_path)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_answered_alike(name, world, tmp_path):
    files = [("file.enc.yaml", DAMAGES[name])]
    for line in list_lines("damaged"):
        world.compare(line, tmp_path, files=files)


@pytest.mark.parametrize("line", list_lines("run"))
def test_a_program_is_given_the_same(line, world, tmp_path):
    world.compare(line, tmp_path, ours=run_ours_alone, stdin=b"input")


@pytest.mark.parametrize("kind", SOURCES)
def test_the_standard_input_is_read_alike(kind, world, tmp_path):
    plain = SOURCES[kind].encode()
    for line in (
        "encrypt --age $one --filename-override $plain",
        "encrypt --age $one --filename-override x.json --input-type binary",
        "decrypt --filename-override $plain",
    ):
        world.compare(line, tmp_path, kind=kind, stdin=plain)


@pytest.mark.parametrize(
    ("answer", "line"),
    [(b"y\n", "updatekeys $both"), (b"n\n", "updatekeys $both"), (b"", "updatekeys $both"),
     (b"what\ny\n", "updatekeys $both")],
)  # fmt: skip
def test_updatekeys_asks_alike(answer, line, world, tmp_path):
    files = [(".sops.yaml", lambda _: world.fill("creation_rules:\n- age: $three\n"))]
    world.compare(line, tmp_path, files=files, stdin=answer)


@pytest.mark.parametrize(
    ("editor", "line"),
    [("sed -i s/text/changed/", "$enc"), ("sed -i s/text/changed/", "edit $enc"),
     ("sed -i s/text/changed/", "edit -s $enc"), ("true", "edit $enc"), ("false", "edit $enc"),
     ("/nowhere", "edit $enc"), ("'", "edit $enc"), ("sed -i s/text/a/", "edit $plain"),
     ("sed -i s/example/sample/", "edit --age $one new.yaml"), ("true", "edit new.yaml")],
)  # fmt: skip
def test_editing_has_the_same_effect(editor, line, world, tmp_path, monkeypatch):
    monkeypatch.setenv("SOPS_EDITOR", editor)
    for kind in list_kinds(line):
        world.compare(line, tmp_path, kind=kind)


# What differs on purpose


@pytest.mark.parametrize(
    "line",
    ["groups add -f $enc", "groups add -f $enc --age nonsense", "groups delete -f $enc 0",
     "groups delete -f $enc 5", "encrypt --encrypted-regex ( --age $one $plain",
     """-d --extract '["name"]["x"]' $enc""", "exec-file --background $enc true"],
)  # fmt: skip
def test_what_would_lock_out_leak_or_crash_is_refused(line, world, tmp_path):
    (tmp_path / "file.yaml").write_text(SOURCES["yaml"])
    encrypted = run_ours(["-e", "--age", world.recipients["one"], "file.yaml"], tmp_path, b"")
    (tmp_path / "file.enc.yaml").write_bytes(encrypted[1])
    before = read_all(tmp_path)
    code, output, errors = run_ours(shlex.split(world.fill(line)), tmp_path, b"")
    assert (code, output) == (1, b"")
    assert errors
    assert read_all(tmp_path) == before


@pytest.mark.parametrize(
    ("value", "shown"), [("1000000", "1000000"), ("9007199254740993", "9007199254740993"),
    ("[1, 2]", "- 1\n- 2\n")],
)  # fmt: skip
def test_numbers_stay_whole_and_lists_can_be_set(value, shown, world, tmp_path):
    (tmp_path / "f.yaml").write_text(SOURCES["yaml"])
    run_ours(["-e", "-i", "--age", world.recipients["one"], "f.yaml"], tmp_path, b"")
    assert run_ours(["set", "f.yaml", '["new"]', value], tmp_path, b"")[0] == 0
    found = run_ours(["-d", "--extract", '["new"]', "f.yaml"], tmp_path, b"")
    assert found[1].decode().strip() == shown.strip()
