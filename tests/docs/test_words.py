"""Retired words stay out of the documentation, and their number in the sources only falls.

With `REWRITE_WORDS=1` the numbers that are left are written into `words_left.json`.
"""

import ast
import json
import os
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIST = tomllib.loads((ROOT / "docs/contributing/words.toml").read_text(encoding="utf-8"))
WORDS = LIST["word"]
LEFT = Path(__file__).parent / "words_left.json"
REWRITES = os.environ.get("REWRITE_WORDS") == "1"
CLAUSES = "docstring sentences that begin with What or Whether"
MODULES_A_FOLDER = 15

SOURCES = [
    path for package in ("provisioning", "sops_python") for path in (ROOT / package).rglob("*.py")
]
PAGES = [
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if not any(path.match(pattern) for pattern in LIST["pages"]["unchecked"])
]
EXAMPLES = [
    path
    for path in (ROOT / "examples").rglob("*")
    if path.is_file() and path.suffix not in {".json", ".pyc"}
]
FENCED = re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`]*`|\]\([^)]*\)|https?://\S+")
NAMED = re.compile(r"serve\.\w+|--allow[\", ]+[\w-]+")
"""Names of settings and gates that an example uses."""
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")
NOUN_CLAUSE = re.compile(r"(?:^|(?<=[.!:] )|(?<=\n))(?:What|Whether)\b[^.?!]*(?P<end>[.?!]|$)")


def read(path):
    return path.read_text(encoding="utf-8")


def name(path):
    return str(path.relative_to(ROOT))


def build_pattern(where):
    """Return one pattern for all words that are retired in *where*, a group `wN` for each."""
    groups = [
        f"(?P<w{number}>{word['pattern']})"
        for number, word in enumerate(WORDS)
        if word.get("only", where) == where
    ]
    return re.compile(rf"\b(?:{'|'.join(groups)})\b")


ALLOWED = re.compile("|".join(re.escape(each) for word in WORDS for each in word.get("allow", ())))
RETIRED = {where: build_pattern(where) for where in ("docs", "sources")}


def find_retired(text, where):
    """Yield each retired word of *text*, as it stands there and with its entry of the list."""
    for found in RETIRED[where].finditer(ALLOWED.sub(" ", text.lower())):
        yield found[0], WORDS[int(found.lastgroup[1:])]


def read_prose(path):
    """Return the prose of a page: without blocks of code, `code`, addresses and quoted texts."""
    text = CODE.sub(" ", FENCED.sub("\n", read(path)))
    for phrase in LIST["pages"]["quoted"]:
        text = text.replace(phrase, " ")
    return text


def list_docstrings(tree):
    """Return the docstrings of a module, also those below constants."""
    return [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]


def list_clauses(text):
    """Return the sentences that begin with a clause in place of a noun; no question is one."""
    joined = re.sub(r"(?<!\n)\n(?![\n|#-])\s*", " ", text)
    return [found[0] for found in NOUN_CLAUSE.finditer(joined) if found["end"] != "?"]


@pytest.fixture(scope="module")
def trees():
    return [ast.parse(read(path)) for path in SOURCES]


@pytest.fixture(scope="module")
def before():
    return json.loads(read(LEFT))


def describe(text):
    return sorted({f"{word}: use {entry['use']}" for word, entry in find_retired(text, "docs")})


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_page_has_no_retired_word(path):
    """A page uses the words of the glossary."""
    assert describe(read_prose(path)) == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_page_begins_no_sentence_with_a_clause(path):
    """The subject of a sentence is a noun."""
    assert list_clauses(read_prose(path)) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_example_has_no_retired_word(path):
    """An example uses the words of the glossary, too."""
    assert describe(CAMEL.sub(" ", NAMED.sub(" ", read(path)))) == []


def test_number_of_retired_words_only_falls(trees, before):
    """A change adds no retired word to the sources, and no sentence that begins with a clause."""
    left = Counter(
        word["pattern"]
        for path in SOURCES
        for _, word in find_retired(CAMEL.sub(" ", read(path)), "sources")
    )
    left[CLAUSES] = sum(len(list_clauses(text)) for tree in trees for text in list_docstrings(tree))
    if REWRITES:
        LEFT.write_text(json.dumps(left, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return
    more = {word: (before.get(word, 0), number) for word, number in left.items()}
    more = {word: numbers for word, numbers in more.items() if numbers[1] > numbers[0]}
    assert more == {}, "(allowed, now); docs/contributing/words.toml has the words to use instead"


def test_class_names_are_unique(trees):
    """A class name stands once in the code base."""
    names = Counter(
        node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    )
    assert [each for each, number in names.items() if number > 1] == []


def test_loop_variable_says_what_it_holds():
    """`for each in` says nothing of what it goes through."""
    found = [name(path) for path in SOURCES if re.search(r"\bfor each in\b", read(path))]
    assert found == []


def test_folder_has_few_modules():
    """A folder with more modules holds two rooms."""
    folders = Counter(name(path.parent) for path in SOURCES if path.name != "__init__.py")
    assert {key: number for key, number in folders.items() if number > MODULES_A_FOLDER} == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The door tells it in passing.", ["door", "tells", "in passing"]),
        ("They look up a name, and say yes.", ["say yes"]),
        ("NEWS of a keeper", ["news", "keeper"]),
    ],
)
def test_retired_words_are_found(text, words):
    """In every form, and not in an allowed phrase."""
    assert [word for word, _ in find_retired(text, "docs")] == words


def test_clauses_are_found():
    """A question is none."""
    text = "What is new? It is told.\nWhat is gone\nis told. A plan says: What is it. Whether: no."
    assert list_clauses(text) == ["What is gone is told.", "What is it.", "Whether: no."]
