"""Lines of `NAME=value`, as environment files hold them."""

from __future__ import annotations

from sops_python.errors import NotEncrypted, SopsError, UnreadableFile
from sops_python.metadata import flatten, unflatten
from sops_python.stores.scalars import render_scalar
from sops_python.tree import Branch, Comment, Value, decode_text, encode_text

PREFIX = "sops_"
"""The prefix of every name of metadata."""


class DotenvStore:
    r"""Reads and writes environment files; a line break in a value is written `\\n`."""

    name = "dotenv"

    def load(self, data: bytes) -> list[Branch]:
        """Return the one tree of *data*.

        Raises:
            UnreadableFile: If a line is neither a comment nor has a `=`.
        """
        branch = Branch()
        for number, line in enumerate(decode_text(data).split("\n"), 1):
            name, mark, value = line.partition("=")
            if line.startswith("#"):
                branch.append((Comment(line[1:]), None))
            elif mark:
                branch.append((name, value.replace("\\n", "\n")))
            elif line:
                raise UnreadableFile(
                    f"line {number}: invalid dotenv input line", hint="write NAME=value"
                )
        return [branch]

    def extract_metadata(self, branches: list[Branch]) -> tuple[list[Branch], Branch]:
        """Split the metadata off *branches*.

        Raises:
            NotEncrypted: If there is none.
        """
        mine = Branch(
            (key.removeprefix(PREFIX), value) for key, value in branches[0] if _is_metadata(key)
        )
        if not mine:
            raise NotEncrypted("sops metadata not found", hint="encrypt it: `sops encrypt FILE`")
        rest = Branch(pair for pair in branches[0] if not _is_metadata(pair[0]))
        return [rest], unflatten(mine)

    def dump(self, branches: list[Branch]) -> bytes:
        """Write the first of *branches*.

        Raises:
            SopsError: If it holds maps or lists.
        """
        return encode_text("".join(_render_line(key, value) for key, value in branches[0]))

    def dump_encrypted(self, branches: list[Branch], metadata: Branch) -> bytes:
        """Write *branches* with their *metadata*."""
        lines = [(PREFIX + key, value) for key, value in flatten(metadata)]
        return self.dump([Branch([*branches[0], *lines])])

    def dump_value(self, value: Value) -> bytes:
        """Write one value.

        Raises:
            SopsError: If it is not text.
        """
        if not isinstance(value, str):
            raise SopsError(
                f"the dotenv store only supports emitting strings, got {type(value).__name__}",
                hint="pass --output-type json",
            )
        return encode_text(value)


def _is_metadata(key: str | Comment) -> bool:
    return isinstance(key, str) and key.startswith(PREFIX)


def _render_line(key: str | Comment, value: Value) -> str:
    if isinstance(key, Comment):
        return f"#{key.text}\n"
    if isinstance(value, list):
        raise SopsError(
            f"cannot use complex value in dotenv file; offending key {key}",
            hint="choose another --output-type",
            exit_code=4,
        )
    text = value.replace("\n", "\\n") if isinstance(value, str) else render_scalar(value)
    return f"{key}={text}\n"
