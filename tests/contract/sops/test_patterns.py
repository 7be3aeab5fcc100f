"""Regular expressions mean what they mean to `sops`, or are refused."""

import json
import random
import subprocess
import warnings

import pyrage
import pytest

from sops_python.go_regex import InvalidPattern, compile_pattern

pytestmark = pytest.mark.peer("sops")

KEYS = ["a", "b", "ab", "aB", "AB", "a1", "1", "a_b", "a-b", "a.b", "a]b", "a[b", "x\ty", "é", "É",
        "aé", "a\nb", "db_password", "z&z", "~", "a|b", "{", "a{2}", "aa", "aaa", "-", "+", ",",
        "\\", "^", "$", "(", ")"]  # fmt: skip
ALIKE = [r"^a$", r"a\z", "(?i)ab", "a(?i)b|PASS", "(?U)a+", "[[:lower:]]+$", "^[[:word:]]$", r"\s",
         "[^[:alpha:]]", r"\S", r"^\w$", r"\W", r"\D", r"\Qa.b\E", r"a\x{62}", r"\x62", r"\101",
         "(?P<n>a)b", "(?<n>a)b", "a{2}", "a{,2}", "a*?", "[]a]", "[^]a]", "[[]", "[a-]", "[+--]",
         "[&&]", "[~~|]", "(?s)a.b", "a.b", "(?m)^b$", "^b$", "(?im)^B$", "(?i:A)b", "(?-i)a",
         "(?i-s)A", r"\bb\b", r"[\w-]", r"[\d]", "a|", "|a", "()", "", "{", "a{", "$a", r"\.",
         r"\-", "é", "(?i)é", "(?i)(a)(?-i)B", r"[\]]", r"[\-a]", r"\t", r"[\t]", r"\A\w+\z",
         "(a*)*", "(?U)a??", r"\0"]  # fmt: skip
REFUSED = ["(?=a)", "(?!a)", "(?<=a)b", r"(a)\1", "(?P=a)", "(?>a)", "(?#c)a", "(?x)a b", "a++",
           "a**", "a{1001}", "a{2}{3}", r"\Z", r"\u0061", r"\1", "(", ")", "[", "(a|b", "a)b", "*a",
           "a|*", "[z-a]", "[[:nope:]]", r"\C", "(?i", r"a\E", "[a-\\d]"]  # fmt: skip
PIECES = ["a", "b", "A", "1", ".", "^", "$", r"\d", r"\w", r"\s", "[ab]", "[^a]", "[[:upper:]]",
          "(", "(?:", "(?i)", "(?i:", ")", "|", "*", "+", "?", "{2}", r"\b", r"\.", "_", "é",
          "(?U)", "[a-c_]", r"\z"]  # fmt: skip


@pytest.fixture
def ask(peer, tmp_path):
    """Return the keys that `sops` finds a pattern in; None if it refuses the pattern."""
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    (tmp_path / "f.json").write_text(json.dumps(dict.fromkeys(KEYS, "v")))

    def run(*options):
        command = [peer("sops"), "encrypt", *options, "f.json"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    def find(pattern):
        rules = [{"path_regex": pattern, "age": recipient}, {"age": recipient}]
        (tmp_path / ".sops.yaml").write_text(json.dumps({"creation_rules": rules}))
        if "can not compile" in run().stderr:
            return None
        tree = json.loads(run("--age", recipient, "--encrypted-regex", pattern).stdout)
        return {key for key in KEYS if tree[key] != "v"}

    return find


def find_ours(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            compiled = compile_pattern(pattern)
        except InvalidPattern:
            return None
    return {key for key in KEYS if compiled(key)}


def test_what_both_languages_have_finds_the_same(ask):
    for pattern in ALIKE:
        assert find_ours(pattern) == ask(pattern), pattern


def test_what_go_refuses_is_refused(ask):
    for pattern in REFUSED:
        assert ask(pattern) is None, pattern
        assert find_ours(pattern) is None, pattern


def test_whatever_is_accepted_finds_the_same(ask):
    chance = random.Random(8)
    for _ in range(150):
        pattern = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 6)))
        found = find_ours(pattern)
        assert found is None or found == ask(pattern), pattern
