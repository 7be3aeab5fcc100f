"""The page about the architecture has every package, and the layers as the linter checks them."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "provisioning"
ROWS = re.findall(r"^\| `([\w/]+)` \|", PAGE, re.MULTILINE)
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]


def list_packages():
    """Return each package of a layer, or its rooms where it has any."""
    for layer in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        rooms = sorted(path.parent.name for path in layer.glob("*/__init__.py"))
        if layer.name in {"bootstrap", "controller", "providers", "testing"} or not rooms:
            yield layer.name
        else:
            yield from (f"{layer.name}/{room}" for room in rooms)


@pytest.mark.parametrize("package", [*list_packages()])
def test_package_has_a_row(package):
    """A reader finds a sentence about each package."""
    assert package in ROWS


@pytest.mark.parametrize("row", ROWS)
def test_row_is_a_package(row):
    """No row is about a package that is gone."""
    assert (PACKAGE / row).is_dir()


@pytest.mark.parametrize(
    ("index", "prefix"), [(0, ""), (1, "core/")], ids=["the layers", "the rooms of the core"]
)
def test_rows_are_in_the_order_of_the_layers(index, prefix):
    """What may import comes before what it may import."""
    places = {
        name.strip().removeprefix("provisioning."): number
        for number, layer in enumerate(CONTRACTS[index]["layers"])
        for name in layer.split("|")
    }
    rows = [row.removeprefix(prefix) for row in ROWS if row.startswith(prefix)]
    found = [places[row.partition("/")[0]] for row in rows]
    assert found == sorted(found)


PLACES = (ROOT / "docs/contributing/where-to-add.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path",
    sorted(set(re.findall(r"`((?:provisioning|tests|docs|sops_python)/[\w./-]+)`", PLACES))),
)
def test_place_exists(path):
    """The guide for contributors names only files that are there."""
    assert (ROOT / path).exists()
