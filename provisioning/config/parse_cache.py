"""A cache of parsed settings files by their content, so that most commands load no parser.

Each content has one small file below the home's cache, which may be deleted at any time. A damaged
file counts as missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path, PurePath

import msgspec

from provisioning import __version__
from provisioning.core.formats.documents import ManifestDocument
from provisioning.core.model.values import UNDECODABLE
from provisioning.core.model.values import Path as Place

Parse = Callable[[bytes, str], list[ManifestDocument]]


class _Parsed(msgspec.Struct, frozen=True, array_like=True):
    line: int
    tree: msgspec.Raw
    lines: list[tuple[Place, int]]


_decoder = msgspec.msgpack.Decoder(list[_Parsed])


def parse_once(parse: Parse, data: bytes, path: str, cache: Path) -> list[ManifestDocument]:
    """Return what *parse* makes of *data*, the file at *path*, from below *cache* if it is there.

    Raises:
        InvalidManifest: As *parse* does; an error is never remembered.
    """
    version = f"{__version__}\0{PurePath(path).suffix}\0".encode()
    file = cache / f"{hashlib.sha256(version + data).hexdigest()}.msgpack"
    known = _load(file)
    if known is not None:
        return known
    documents = parse(data, path)
    _save(file, documents)
    return documents


def _load(file: Path) -> list[ManifestDocument] | None:
    try:
        return [
            ManifestDocument(msgspec.msgpack.decode(item.tree), item.line, dict(item.lines))
            for item in _decoder.decode(file.read_bytes())
        ]
    except (OSError, *UNDECODABLE):
        return None


def _save(file: Path, documents: list[ManifestDocument]) -> None:
    parsed = [
        [document.line, document.tree, list(document.lines.items())] for document in documents
    ]
    try:
        encoded = msgspec.msgpack.encode(parsed)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded)
    except (OSError, OverflowError, TypeError, ValueError):
        return
