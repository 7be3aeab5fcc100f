"""Key groups that cannot wrap a data key are refused with the words and exit codes of `sops`."""

import json

import pyrage
import pytest

pytestmark = pytest.mark.peer("sops")

KEY = str(pyrage.x25519.Identity.generate().to_public())
FULL, EMPTY = {"age": [KEY]}, {}
RULES = {
    "a rule without keys": {},
    "no key groups": {"key_groups": []},
    "an empty key group": {"key_groups": [FULL, EMPTY]},
    "a threshold above the groups": {"key_groups": [FULL, FULL], "shamir_threshold": 3},
    "a threshold of one": {"key_groups": [FULL, FULL], "shamir_threshold": 1},
    "an empty group below the threshold": {"key_groups": [FULL, EMPTY], "shamir_threshold": 3},
}


def ask_both(ours, theirs, *words):
    """Return exit code and last line of each program, without the hint of ours."""
    found = []
    for program in (ours, theirs):
        answer = program(*words)
        lines = [line for line in answer.errors.splitlines() if "master key" in line or "[" in line]
        found.append((answer.code, lines[-1:]))
    return found


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("words", [("encrypt", "f.yaml"), ("edit", "new.yaml"), ("new.yaml",)])
def test_a_new_file(words, rule, ours, theirs, folder, monkeypatch):
    monkeypatch.setenv("EDITOR", "true")
    (folder / "f.yaml").write_text("a: 1\n")
    (folder / ".sops.yaml").write_text(json.dumps({"creation_rules": [rule]}))
    one, other = ask_both(ours, theirs, *words)
    assert one == other
    assert one[1]
    assert not (folder / "new.yaml").exists()


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("rotate", "-i", "--rm-age", "RECIPIENT", "f.yaml"), None),
        (("-r", "-i", "--rm-age", "RECIPIENT", "f.yaml"), None),
        (("updatekeys", "-y", "f.yaml"), {}),
        (("updatekeys", "-y", "f.yaml"), {"key_groups": [FULL, EMPTY]}),
    ],
)
def test_a_file_that_would_lose_its_keys(words, rule, ours, theirs, folder, recipient):
    (folder / "f.yaml").write_text("a: 1\n")
    assert ours("encrypt", "-i", "--age", recipient, "f.yaml").code == 0
    before = (folder / "f.yaml").read_bytes()
    if rule is not None:
        (folder / ".sops.yaml").write_text(json.dumps({"creation_rules": [rule]}))
    words = [recipient if word == "RECIPIENT" else word for word in words]
    one, other = ask_both(ours, theirs, *words)
    assert one == other
    assert one[1]
    assert (folder / "f.yaml").read_bytes() == before
