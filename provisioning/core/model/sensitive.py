"""Values that nobody may see, and how they stay unseen from the manifest to the state log.

A `Secret` may stand at any leaf of a tree. What is compared, shown or recorded holds a keyed
fingerprint (`Sensitive`) in its place; only a provider is given the value.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.kinds import Field, Kind, ListBehaviour
from provisioning.core.model.redaction import SHOWN, TELLTALE, Redactor
from provisioning.core.model.values import (
    Path,
    Sensitive,
    Tree,
    Unknown,
    compute_fingerprint,
    has_unknown,
)

ENCRYPTED = "ENC[AES256_GCM,"
"""What a value that nobody decrypted begins with."""


class Secret:
    """A value that shows itself to nobody who does not ask by `reveal`.

    It equals a secret of the same value. It cannot be pickled, and a copy is itself.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Tree) -> None:
        self._value: Tree = reveal(value)

    def __repr__(self) -> str:
        return SHOWN

    def __format__(self, spec: str) -> str:
        return format(SHOWN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        one, two = (repr(reveal(item)).encode("utf-8", "surrogatepass") for item in (self, other))
        return hmac.compare_digest(one, two)

    def __hash__(self) -> int:
        return hash(Secret)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (SHOWN,)


def reveal(tree: Tree) -> Tree:
    """Return *tree* with the value of every secret in it."""
    match tree:
        case Secret():
            return tree._value  # noqa: SLF001  nobody else may
        case dict():
            return {key: reveal(item) for key, item in tree.items()}
        case list() | tuple():
            return [reveal(item) for item in tree]
    return tree


def has_secret(tree: Tree) -> bool:
    """Tell whether there is a secret at any leaf of *tree*."""
    match tree:
        case dict():
            return any(has_secret(item) for item in tree.values())
        case list() | tuple():
            return any(has_secret(item) for item in tree)
    return isinstance(tree, Secret)


def find_encrypted(tree: Tree, path: Path = ()) -> Path | None:
    """Return the path of the first text in *tree* that nobody decrypted."""
    items: Iterator[tuple[str | int, Tree]]
    match tree:
        case str():
            return path if tree.startswith(ENCRYPTED) else None
        case dict():
            items = iter(tree.items())
        case list() | tuple():
            items = enumerate(tree)
        case _:
            return None
    found = (find_encrypted(item, (*path, key)) for key, item in items)
    return next((item for item in found if item is not None), None)


# Comparing and recording


def conceal_alike(field: Field, key: bytes, *sides: Tree) -> list[Tree]:
    """Return *sides*, values of one field, with fingerprints wherever one of them is secret.

    A list with a secret in it is one as a whole, for its items may have been moved.
    """
    marks = {mark for side in sides for mark in _find_marks(side)}
    if not marks:
        return list(sides)
    if field.lists is not ListBehaviour.ORDERED:
        marks = {()}
    known = tuple({text for side in sides for text in list_secret_texts(side)})
    return [_conceal_at(side, marks, known, key) for side in sides]


def conceal(value: Tree, key: bytes) -> Tree:
    """Return *value* with fingerprints in place of its secrets."""
    marks = set(_find_marks(value))
    return _conceal_at(value, marks, (), key) if marks else value


def conceal_whole(value: Tree, key: bytes) -> Tree:
    """Return the fingerprint of *value*; nothing and what is unknown stay what they are."""
    if value is None or isinstance(value, Sensitive | Unknown):
        return value
    if has_unknown(value):
        return Unknown("a sensitive value")
    return compute_fingerprint(reveal(value), key)


def _find_marks(tree: Tree, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of what is secret; of a list's items, the path of the list."""
    match tree:
        case Secret() | Sensitive():
            yield path
        case dict():
            for name, item in tree.items():
                yield from _find_marks(item, (*path, name))
        case list() | tuple():
            if any(True for item in tree for _ in _find_marks(item)):
                yield path


def is_marked(tree: Tree) -> bool:
    """Tell whether anything in *tree* is secret, or the fingerprint of what is."""
    return next(_find_marks(tree), None) is not None


def list_secret_texts(tree: Tree) -> Iterator[str]:
    """Yield the texts of the secrets in *tree* that are long enough to be told by."""
    match tree:
        case Secret():
            text = reveal(tree)
            if isinstance(text, str) and len(text) >= TELLTALE:
                yield text
        case dict():
            for item in tree.values():
                yield from list_secret_texts(item)
        case list() | tuple():
            for item in tree:
                yield from list_secret_texts(item)


def _conceal_at(value: Tree, marks: set[Path], known: tuple[str, ...], key: bytes) -> Tree:
    if () in marks or (marks and not isinstance(value, dict)):
        return conceal_whole(value, key)
    match value:
        case dict():
            return {
                name: _conceal_at(item, {m[1:] for m in marks if m[0] == name}, known, key)
                for name, item in value.items()
            }
        case str() if any(text in value for text in known):
            return conceal_whole(value, key)
        case list() if any(text in item for text in known for item in value if _is_text(item)):
            return conceal_whole(value, key)
    return value


def _is_text(value: Tree) -> bool:
    return isinstance(value, str)


# What a provider answers, and what a kind makes of a spec


def mark_secrets(
    kind: Kind, values: Mapping[str, Tree], spec: Mapping[str, Tree]
) -> dict[str, Tree]:
    """Return *values*, which a provider answered, with secrets where *spec* has them.

    *spec* is what is desired, or what was recorded, whose fingerprints count as secrets. A
    computed field that is derived from a secret one is secret, unless its kind calls it
    public.
    """
    secret = {name for name, value in spec.items() if is_marked(value)}
    if not secret:
        return dict(values)
    return {
        name: _mark(kind.get_field(name), value, spec, secret) for name, value in values.items()
    }


def _mark(field: Field, value: Tree, spec: Mapping[str, Tree], secret: set[str]) -> Tree:
    if field.name in secret:
        return _mark_like(value, spec[field.name])
    is_derived = field.derived_from is None or not secret.isdisjoint(field.derived_from)
    return Secret(value) if field.computed and is_derived and not field.public else value


def _mark_like(value: Tree, like: Tree) -> Tree:
    if not is_marked(like):
        return value
    if isinstance(like, dict) and isinstance(value, dict):
        return {name: _mark_like(item, like.get(name)) for name, item in value.items()}
    return Secret(value)


Expand = Callable[[dict[str, Tree]], dict[str, Tree]]


def expand_unseen(spec: dict[str, Tree], expand: Expand) -> dict[str, Tree]:
    """Return what *expand* makes of *spec*, with secrets wherever they had a part in it.

    It is found out by trying: *expand* is pure, so a leaf that comes out otherwise when the
    secrets are others depends on them.
    """
    try:
        real = expand(reveal(spec))
    except ProvisioningError as exc:
        Redactor(list_secret_texts(spec)).redact_error(exc)
        raise exc from None
    try:
        other = expand(_swap(spec))
    except Exception:  # noqa: BLE001  it may refuse a made-up value for any reason
        return {
            name: value if name in spec and not has_secret(spec[name]) else Secret(value)
            for name, value in real.items()
        }
    return {name: _mark_differing(value, other.get(name)) for name, value in real.items()}


def _swap(tree: Tree) -> Tree:
    """Return *tree* with a made-up value of the same type in place of every secret."""
    match tree:
        case Secret():
            return _make_up(reveal(tree))
        case dict():
            return {key: _swap(item) for key, item in tree.items()}
        case list() | tuple():
            return [_swap(item) for item in tree]
    return tree


def _make_up(value: Tree) -> Tree:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return _stretch(value.encode("utf-8", "surrogatepass"))[: max(len(value), 16)].hex()
        case bytes():
            return _stretch(value)
        case dict():
            return {key: _make_up(item) for key, item in value.items()}
        case list() | tuple():
            return [_make_up(item) for item in value]
    return value


def _stretch(value: bytes) -> bytes:
    """Return other bytes, never shown: they are compared with what *value* becomes."""
    return hashlib.shake_256(value).digest(max(len(value), 16))


def _mark_differing(one: Tree, other: Tree) -> Tree:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {key: _mark_differing(item, other[key]) for key, item in one.items()}
    return one if type(one) is type(other) and one == other else Secret(one)
