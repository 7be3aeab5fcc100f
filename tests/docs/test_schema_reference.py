"""The published JSON Schema files are rendered from the documents' types."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.application.operations import OPERATIONS
from provisioning.interfaces.schema.catalogue import (
    DOCUMENTS,
    UNDOCUMENTED,
    compute_schemas,
    render_schema,
)

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "schema"
SCHEMAS = compute_schemas()
WRITE = """python -c '
from pathlib import Path
from provisioning.interfaces.schema.catalogue import compute_schemas, render_schema
for name, schema in compute_schemas().items():
    Path(f"docs/reference/schema/{name}.json").write_text(render_schema(schema))'"""


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_up_to_date(name):
    """Each file is what the types of its documents render to."""
    written = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert written == render_schema(SCHEMAS[name]), f"write it again: {WRITE}"


def test_nothing_else_is_published():
    """A document that is no more has no schema either."""
    assert {path.stem for path in FOLDER.iterdir()} == set(SCHEMAS)


def test_every_operation_has_its_documents():
    """An operation's answer has a published document, or is named as one that has none."""
    names = {operation.name for operation in OPERATIONS}
    assert names == DOCUMENTS.keys() | UNDOCUMENTED
    assert not DOCUMENTS.keys() & UNDOCUMENTED
