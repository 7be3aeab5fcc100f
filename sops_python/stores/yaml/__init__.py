"""YAML as `sops` reads and writes it: with comments, order, and several documents."""

from __future__ import annotations

from sops_python.errors import SopsError, UnreadableFile
from sops_python.metadata import TOP_LEVEL_KEY, find_metadata
from sops_python.stores.yaml.reader import load_documents
from sops_python.stores.yaml.writer import render_documents, render_value
from sops_python.tree import Branch, Value, encode_text

INDENT = 4


class YamlStore:
    """Reads and writes YAML documents; *indent* is a number of spaces."""

    name = "yaml"
    extract_metadata = staticmethod(find_metadata)

    def __init__(self, indent: int | None = None) -> None:
        self._indent = indent or INDENT

    def load(self, data: bytes) -> list[Branch]:
        """Return the documents of *data*.

        Raises:
            UnreadableFile: If it is not YAML, or a document is no mapping.
        """
        try:
            documents = load_documents(data.decode())
        except UnicodeDecodeError as exc:
            line = data[: exc.start].count(b"\n") + 1
            raise UnreadableFile(
                f"Error unmarshaling input YAML: line {line}: it is not UTF-8",
                hint="save it as UTF-8, or pass --input-type binary",
            ) from exc
        if data and not documents:
            raise UnreadableFile(
                "Error unmarshaling input YAML: there is nothing but comments",
                hint="write a key and its value",
            )
        return documents

    def dump(self, branches: list[Branch]) -> bytes:
        """Write *branches*.

        Raises:
            SopsError: If the indentation is negative.
        """
        if self._indent < 0:
            raise SopsError(
                "YAML Negative indentation not accepted", hint="indent by 2 to 9", exit_code=4
            )
        return encode_text(render_documents(branches, self._indent))

    def dump_encrypted(self, branches: list[Branch], metadata: Branch) -> bytes:
        """Write *branches*, each with the *metadata*."""
        return self.dump([Branch([*branch, (TOP_LEVEL_KEY, metadata)]) for branch in branches])

    def dump_value(self, value: Value) -> bytes:
        """Write one value of a tree."""
        return encode_text(render_value(value, self._indent))
