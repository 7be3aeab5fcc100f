import inspect
import re
from pathlib import Path

import pytest

from provisioning.core.model import errors
from provisioning.core.policy.builtin_gates import GATES
from provisioning.interfaces.cli.main import COMMANDS
from provisioning.interfaces.cli.runs.exit_codes import BLOCKED, CODES, PENDING
from provisioning.localstore import journal
from provisioning.providers.local.kinds import KINDS
from provisioning.secrets import errors as secret_errors

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(path for path in (ROOT / "docs").rglob("*.md")),
]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def list_errors():
    found = [each for module in (errors, secret_errors, journal) for each in vars(module).values()]
    classes = [each for each in found if inspect.isclass(each)]
    wanted = [each for each in classes if issubclass(each, errors.ProvisioningError)]
    return {each for each in wanted if each is not errors.ProvisioningError}


@pytest.mark.parametrize("error", sorted(list_errors(), key=lambda each: each.code))
def test_every_error_is_documented_as_it_is(error):
    """Code, exit code, and whether a retry helps stand in the reference."""
    retry = "yes" if error.retryable else "no"
    assert f"| `{error.code}` | {error.exit_code} | {retry} |" in read("docs/reference/errors.md")


def test_every_exit_code_is_documented():
    """No command exits with a number that the reference does not know."""
    known = {
        int(code)
        for code in re.findall(r"^\| (\d+) \|", read("docs/reference/exit-codes.md"), re.MULTILINE)
    }
    used = {*CODES.values(), PENDING, BLOCKED, *(each.exit_code for each in list_errors())}
    assert known == used


@pytest.mark.parametrize("kind", [each.name for each in KINDS])
def test_every_kind_and_its_computed_fields_are_documented(kind):
    """The table of kinds has each kind with the fields that it computes."""
    (row,) = [
        line
        for line in read("docs/reference/kinds.md").splitlines()
        if line.startswith(f"| `{kind}`")
    ]
    (found,) = [each for each in KINDS if each.name == kind]
    for field in found.fields:
        assert not field.computed or f"`{field.name}`" in row, field.name


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "completion"])
def test_every_command_is_shown_somewhere(name):
    """A reader finds each command in the documentation."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert re.search(rf"`?(provisioning )?{name}\b", text)


@pytest.mark.parametrize("gate", [each.code for each in GATES])
def test_every_gate_is_explained(gate):
    """What `--allow` takes is explained."""
    assert f"`{gate}`" in read("docs/explanation/how-a-run-works.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_is_dead(document):
    """Every relative link leads to a file or folder that is there."""
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


PATH = re.compile(
    r"`((?:tests|docs|bench|examples|sops_python|provisioning|core|reconciler)/[\w./-]*(?:\.\w+|/))"
    r"(?:::\w+)?`"
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_named_path_is_gone(document):
    """A file or folder of the code that a page names is there, from the root or the package."""
    named = set(PATH.findall(document.read_text(encoding="utf-8")))
    gone = [
        path
        for path in named
        if not any((ROOT / at / path).exists() for at in ("", "provisioning"))
    ]
    assert gone == []


def test_glossary_is_in_order():
    """A term has one row, where the alphabet puts it."""
    rows = [line for line in read("docs/glossary.md").splitlines() if line.startswith("| ")]
    terms = [line.split("|")[1].strip().lower() for line in rows[2:]]
    assert terms == sorted(set(terms))
