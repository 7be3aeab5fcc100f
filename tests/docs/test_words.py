"""Retired words stay out of the documentation, and their number in the sources only falls.

`REWRITE_WORDS=1` writes `words_left.json` anew where a number has fallen.
"""

import ast
import io
import json
import os
import re
import tokenize
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIST = tomllib.loads((ROOT / "docs/contributing/words.toml").read_text(encoding="utf-8"))
WORDS = LIST["word"]
LEFT = Path(__file__).parent / "words_left.json"
REWRITES = os.environ.get("REWRITE_WORDS") == "1"
MODULES_A_FOLDER = 15

SOURCES = sorted(
    path for package in ("provisioning", "sops_python") for path in (ROOT / package).rglob("*.py")
)
PAGES = sorted(
    path
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    if str(path.relative_to(ROOT)) not in LIST["generated"]
    and "docs/decisions" not in str(path.relative_to(ROOT))
)
EXAMPLES = sorted(
    path for path in (ROOT / "examples").rglob("*") if path.is_file() and path.suffix != ".json"
)
FENCED = re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`]*`|\]\([^)]*\)|https?://\S+")
NOUN_CLAUSE = re.compile(r"(?:^|(?<=[.!:] )|(?<=\n))(?:What|Whether)\b(?P<rest>[^.?!]*)(?P<end>[.?!]|$)")
SETTING = re.compile(r"serve\.\w+|--allow[\", ]+\w+")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")


def read(path):
    return path.read_text(encoding="utf-8")


def build_pattern(word):
    return re.compile(rf"\b(?:{word['pattern']})\b", re.IGNORECASE)


def is_wanted(word, where):
    return word.get("only", where) == where


def drop_allowed(word, text):
    for phrase in word.get("allow", ()):
        text = re.sub(re.escape(phrase), " ", text, flags=re.IGNORECASE)
    return text


def read_prose(path):
    """Return the prose of a page: without blocks of code, `code`, addresses and quoted texts."""
    text = CODE.sub(" ", FENCED.sub("\n", read(path)))
    for phrase in LIST["quoted"]:
        text = text.replace(phrase, " ")
    return text


def read_source(path):
    """Return the identifiers (as words), strings and comments of a module."""
    parts = []
    for token in tokenize.generate_tokens(io.StringIO(read(path)).readline):
        if token.type == tokenize.NAME:
            parts.append(CAMEL.sub(" ", token.string))
        elif token.type in {tokenize.STRING, tokenize.COMMENT} or "FSTRING" in (
            tokenize.tok_name[token.type]
        ):
            parts.append(CAMEL.sub(" ", token.string))
    return "\n".join(parts)


def list_docstrings(path):
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if text := ast.get_docstring(node):
                yield text
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                yield node.value.value


def list_noun_clauses(text):
    """Return the sentences that begin with a clause instead of a noun; questions are none."""
    joined = re.sub(r"(?<!\n)\n(?![\n|#-])", " ", text)
    return [found[0] for found in NOUN_CLAUSE.finditer(joined) if found["end"] != "?"]


def count_left():
    """Count the uses of each retired word that are left in the sources."""
    texts = [read_source(path) for path in SOURCES]
    left = {
        word["pattern"]: sum(
            len(build_pattern(word).findall(drop_allowed(word, text))) for text in texts
        )
        for word in WORDS
        if is_wanted(word, "sources")
    }
    docstrings = {text for path in SOURCES for text in list_docstrings(path)}
    left["docstring sentences that begin with What or Whether"] = sum(
        len(list_noun_clauses(text)) for text in docstrings
    )
    return left


def list_twice():
    """Return the class names that stand in more than one place."""
    names = Counter(
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(read(path)))
        if isinstance(node, ast.ClassDef)
    )
    return sorted(name for name, number in names.items() if number > 1)


@pytest.fixture(scope="module")
def left():
    """What is left now, and what was left when `words_left.json` was written."""
    now = {"uses": count_left(), "classes": list_twice()}
    if REWRITES:
        LEFT.write_text(json.dumps(now, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return now, json.loads(read(LEFT))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_page_has_no_retired_word(path):
    """A page uses the words of the glossary."""
    prose = read_prose(path)
    found = [
        f"{match[0]!r} in {path.name}: use {word['use']}"
        for word in WORDS
        if is_wanted(word, "docs")
        for match in build_pattern(word).finditer(drop_allowed(word, prose))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_page_begins_sentences_with_their_subject(path):
    """No sentence begins with a clause in place of a noun."""
    assert list_noun_clauses(read_prose(path)) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_example_has_no_retired_word(path):
    """An example is read like a page."""
    text = CAMEL.sub(" ", SETTING.sub(" ", read(path)))
    found = {
        match[0]: word["use"]
        for word in WORDS
        if is_wanted(word, "docs")
        for match in build_pattern(word).finditer(drop_allowed(word, text))
    }
    assert found == {}


def test_number_of_retired_words_only_falls(left):
    """A module that is changed uses no retired word more than before."""
    now, before = left
    more = {
        pattern: (before["uses"].get(pattern, 0), number)
        for pattern, number in now["uses"].items()
        if number > before["uses"].get(pattern, 0)
    }
    assert more == {}, "use the words of docs/contributing/words.toml (before, now)"


def test_class_names_are_unique(left):
    """A class name stands once in the code base; the list of exceptions only shrinks."""
    now, before = left
    assert set(now["classes"]) <= set(before["classes"])


def test_loop_variable_says_what_it_holds():
    """`for each in` says nothing."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in SOURCES
        for line in read(path).splitlines()
        if re.search(r"\bfor each in\b", line)
    ]
    assert found == []


def test_folder_has_few_modules():
    """A folder with more modules holds two rooms."""
    folders = Counter(path.parent for path in SOURCES if path.name != "__init__.py")
    assert {str(key): n for key, n in folders.items() if n > MODULES_A_FOLDER} == {}
