"""Reads objects from the files of Git, without loading libgit2.

It reads loose objects, and packs with an index of version 2, as gitformat-pack(5) describes them.
Each object is checked against its name, the SHA-1 of its content; libgit2 reads unusual ones, and
reports damaged ones.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
OFFSET_DELTA, NAME_DELTA = 6, 7

MAX_CHAIN = 200
"""The longest chain of deltas; Git makes chains of 50."""

MAX_DELTAS = 300
"""Deltas that are applied here; beyond that libgit2, which caches bases, is faster."""

MAX_SIZE = 2**24 + 64
"""Bytes of the largest object that is read here, its header included."""

UNUSUAL = (OSError, ValueError, IndexError, KeyError, TypeError, zlib.error)
"""The errors of reading a damaged or unusual file."""


class TreeEntry(msgspec.Struct, frozen=True):
    """One entry of a tree; a name that is not UTF-8 has surrogates in it (PEP 383)."""

    name: str
    id: str
    mode: int


class ObjectFiles:
    """The objects below *folder*, a repository's `objects`. Any thread may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._packs: list[_Pack] | None = None
        self._left = MAX_DELTAS

    def read(self, name: str) -> tuple[str, bytes] | None:
        """Return the kind and the content of the object *name*; None if libgit2 must read it.

        After `MAX_DELTAS` deltas it reads no more from packs.
        """
        try:
            found = self._read_loose(name) or self._read_packed(name)
        except UNUSUAL:
            return None
        if found is None or _compute_name(*found) != name:
            return None
        return found

    def has(self, name: str) -> bool:
        """Tell whether a file here has the object *name*, be it damaged or not."""
        try:
            return os.path.exists(self._locate(name)) or self._find(name) is not None  # noqa: PTH110
        except UNUSUAL:
            return False

    def spend(self) -> None:
        """Count one delta.

        Raises:
            ValueError: If there were `MAX_DELTAS` already.
        """
        if self._left <= 0:
            raise ValueError(MAX_DELTAS)
        self._left -= 1

    def _locate(self, name: str) -> str:
        return f"{self._folder}/{name[:2]}/{name[2:]}"

    def _read_loose(self, name: str) -> tuple[str, bytes] | None:
        try:
            handle = os.open(self._locate(name), os.O_RDONLY)
        except FileNotFoundError:
            return None
        with open(handle, "rb") as file:  # noqa: PTH123  a path object costs more than the call
            data = _inflate(file.read(MAX_SIZE))
        head, _, content = data.partition(b"\0")
        kind, _, size = head.partition(b" ")
        if int(size) != len(content):
            raise ValueError(name)
        return kind.decode("ascii"), content

    def _read_packed(self, name: str) -> tuple[str, bytes] | None:
        found = self._find(name) if self._left > 0 else None
        return found[0].read(found[1], self) if found else None

    def _find(self, name: str) -> tuple[_Pack, int] | None:
        if self._packs is None:
            self._packs = list(_open_packs(f"{self._folder}/pack"))
        raw = bytes.fromhex(name)
        for pack in self._packs:
            offset = pack.find(raw)
            if offset is not None:
                return pack, offset
        return None


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    content = inflater.decompress(data, MAX_SIZE)
    if not inflater.eof:
        raise ValueError("it is too large, or truncated")
    return content


def _compute_name(kind: str, content: bytes) -> str:
    head = f"{kind} {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def _open_packs(folder: str) -> Iterator[_Pack]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  a path object costs more than the call
    except FileNotFoundError:
        return
    for name in names:
        if name.endswith(".idx"):
            yield _Pack(f"{folder}/{name}", f"{folder}/{name[:-4]}.pack")


class _Pack:
    """One pack and its index, mapped into memory."""

    def __init__(self, index: str, pack: str) -> None:
        self._index, self._pack = _map(index), _map(pack)
        if self._index[:8] != b"\xfftOc\0\0\0\2" or self._pack[:4] != b"PACK":
            raise ValueError(index)
        self._count = self._read_number(8 + 255 * 4)

    def _read_number(self, place: int, size: int = 4) -> int:
        return int.from_bytes(self._index[place : place + size], "big")

    def find(self, name: bytes) -> int | None:
        """Return the offset of the object *name* in the pack; None if it is not in it."""
        first = name[0]
        low = self._read_number(8 + (first - 1) * 4) if first else 0
        high = self._read_number(8 + first * 4)
        names = 8 + 256 * 4
        while low < high:
            middle = (low + high) // 2
            there = self._index[names + middle * 20 : names + middle * 20 + 20]
            if there == name:
                return self._read_offset(middle)
            low, high = (middle + 1, high) if there < name else (low, middle)
        return None

    def _read_offset(self, number: int) -> int:
        offsets = 8 + 256 * 4 + self._count * 24
        offset = self._read_number(offsets + number * 4)
        if offset < 2**31:
            return offset
        return self._read_number(offsets + self._count * 4 + (offset - 2**31) * 8, 8)

    def read(self, offset: int, files: ObjectFiles) -> tuple[str, bytes]:
        """Return the object at *offset*, with its deltas applied."""
        deltas: list[bytes] = []
        while len(deltas) < MAX_CHAIN:
            kind, size, place = self._read_head(offset)
            if kind in KINDS:
                return KINDS[kind], _apply_all(self._inflate(place, size), deltas)
            files.spend()
            if kind == OFFSET_DELTA:
                back, place = self._read_back(place)
                deltas.append(self._inflate(place, size))
                offset -= back
                continue
            base = files.read(self._pack[place : place + 20].hex())
            if kind != NAME_DELTA or base is None:
                break
            deltas.append(self._inflate(place + 20, size))
            return base[0], _apply_all(base[1], deltas)
        raise ValueError(offset)

    def _read_head(self, place: int) -> tuple[int, int, int]:
        byte = self._pack[place]
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 128:
            place += 1
            byte = self._pack[place]
            size |= (byte & 127) << shift
            shift += 7
        return kind, size, place + 1

    def _read_back(self, place: int) -> tuple[int, int]:
        byte = self._pack[place]
        back = byte & 127
        while byte & 128:
            place += 1
            byte = self._pack[place]
            back = (back + 1 << 7) | (byte & 127)
        return back, place + 1

    def _inflate(self, place: int, size: int) -> bytes:
        if size > MAX_SIZE:
            raise ValueError(size)
        with memoryview(self._pack) as whole, whole[place:] as rest:
            content = zlib.decompressobj().decompress(rest, size) if size else b""
        if len(content) != size:
            raise ValueError(place)
        return content


def _map(path: str) -> mmap.mmap:
    with open(path, "rb") as file:  # noqa: PTH123  as above
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _apply_all(content: bytes, deltas: list[bytes]) -> bytes:
    """Apply *deltas*, the last one first."""
    for delta in reversed(deltas):
        content = apply_delta(content, delta)
    return content


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Apply *delta* to *base*: gitformat-pack(5), "Deltified representation".

    Raises:
        ValueError: If the sizes differ.
        IndexError: If the delta is truncated.
    """
    size, place = _read_size(delta, 0)
    if size != len(base):
        raise ValueError(size)
    wanted, place = _read_size(delta, place)
    parts: list[bytes] = []
    while place < len(delta):
        command = delta[place]
        place += 1
        if command & 128:
            start, place = _read_bits(delta, place, command, 4)
            count, place = _read_bits(delta, place, command >> 4, 3)
            parts.append(base[start : start + (count or 0x10000)])
        else:
            parts.append(delta[place : place + command])
            place += command
    content = b"".join(parts)
    if len(content) != wanted:
        raise ValueError(wanted)
    return content


def _read_size(delta: bytes, place: int) -> tuple[int, int]:
    size = shift = 0
    while True:
        byte = delta[place]
        place += 1
        size |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return size, place


def _read_bits(delta: bytes, place: int, mask: int, count: int) -> tuple[int, int]:
    value = 0
    for number in range(count):
        if mask >> number & 1:
            value |= delta[place] << 8 * number
            place += 1
    return value, place


def parse_tree(content: bytes) -> list[TreeEntry]:
    """Split a tree into its entries, each `MODE SP NAME NUL ID`.

    Raises:
        ValueError: If it is malformed.
    """
    entries = []
    place = 0
    while place < len(content):
        space = content.index(b" ", place)
        end = content.index(b"\0", space)
        name = content[space + 1 : end].decode(errors="surrogateescape")
        identifier = content[end + 1 : end + 21]
        if len(identifier) != 20:  # noqa: PLR2004  bytes of a SHA-1
            raise ValueError(name)
        entries.append(TreeEntry(name, identifier.hex(), int(content[place:space], 8)))
        place = end + 21
    return entries


def parse_tree_of(commit: bytes) -> str:
    """Return the id of the tree in the first line of a commit's content.

    Raises:
        ValueError: If there is none.
    """
    head, _, rest = commit.partition(b"\n")
    word, _, name = head.partition(b" ")
    if word != b"tree" or len(name) != 40 or not rest:  # noqa: PLR2004  digits of a SHA-1
        raise ValueError(head)
    return bytes.fromhex(name.decode("ascii")).hex()


def parse_parents_of(commit: bytes) -> list[str]:
    """Return the ids of the parents in a commit's content."""
    lines = commit.partition(b"\n\n")[0].split(b"\n")
    return [line[7:].decode("ascii") for line in lines if line.startswith(b"parent ")]
