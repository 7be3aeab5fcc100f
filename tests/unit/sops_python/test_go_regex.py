"""Regular expressions without the library that reads all of them."""

import sys
import time

import pytest

from sops_python import go_regex
from sops_python.go_regex import InvalidPattern, compile_pattern

TEXTS = ["", "a", "ab", "secrets/db.enc.yaml", "db.enc", "db.enc.", "x.yml", "x.yaml\n", "x.yaml",
         "password", "data", "stringData", "a.b", "a$", "é", ".enc.aé", "x\n.yaml"]  # fmt: skip
READ = ["", r"\.enc(\.[a-z]+)?$", r"\.ya?ml$", "^(data|stringData)$", r".*\.yaml$", ".*", "^pass",
        r"^secrets/.*\.yaml$", r"(a|b)?$", r"a\$", r"^.$", r"[a-z0-9]\.[a-z]", "pass|word"[:4],
        r"\.enc\.[A-Za-z0-9_]+$", "^$", "$"]  # fmt: skip
REFUSED = [r"secrets/.*\.yaml$", "(a+)+$", "a+", "[a-z]+$", r"\.[a-z]+.*x", "a?a?a?a?aaaa", r"\w",
           "(a|b)(a|b)", "[^a]", "(?i)a", "é", "[", "a{2}", r"\é", "(?=a)", "[[:alpha:]]", "^.*.*x",
           r"\.[a-z-]+", "a|b"]  # fmt: skip


@pytest.fixture
def without_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    compile_pattern.cache_clear()
    yield
    compile_pattern.cache_clear()


@pytest.fixture
def read_by_library():
    compile_pattern.cache_clear()
    return {text: [compile_pattern(text)(part) for part in TEXTS] for text in READ}


@pytest.mark.parametrize("text", READ)
def test_a_plain_expression_means_what_it_means_to_the_library(text, read_by_library, monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    compile_pattern.cache_clear()
    assert [compile_pattern(text)(part) for part in TEXTS] == read_by_library[text]
    compile_pattern.cache_clear()


@pytest.mark.parametrize("text", REFUSED)
def test_any_other_is_refused_with_the_name_of_the_extra(text, without_library):
    with pytest.raises(InvalidPattern, match="needs google-re2") as caught:
        compile_pattern(text)
    assert caught.value.hint == "pip install 'provisioning[re2]'"


@pytest.mark.parametrize("text", READ)
@pytest.mark.parametrize("unit", ["a", ".enc", ".enc.a", "secrets/", ".yam", "data", ".a.", "\\"])
def test_a_plain_expression_takes_linear_time(text, unit, without_library):
    """A quadratic search of this text takes minutes."""
    start = time.perf_counter()
    compile_pattern(text)(unit * 300_000 + "!")
    assert time.perf_counter() - start < 10


def test_the_library_takes_linear_time_for_all():
    find = compile_pattern("(a*)*(a|aa)+$")
    start = time.perf_counter()
    assert not find("a" * 100_000 + "!")
    assert time.perf_counter() - start < 10


def test_the_acceptor_itself_takes_linear_time():
    start = time.perf_counter()
    texts = ["^" + r"\.[a-z]" * 20_000 + "++", "(" * 20_000, "^" + "a" * 50_000 + "+",
             "(a" + "|a" * 9_000, r"\.[a-z]+" * 9_000 + "+", "[" + "a-z" * 9_000]  # fmt: skip
    for text in texts:
        assert not go_regex._PLAIN.fullmatch(text)
    assert time.perf_counter() - start < 10
