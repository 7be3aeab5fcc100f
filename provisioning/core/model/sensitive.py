"""Values that nobody may see, and how they stay unseen from the manifest to the state log.

A `Secret` may stand at any leaf of a tree. What is compared, shown or recorded holds a keyed
fingerprint (`Sensitive`) in its place; only a provider is given the value.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.kinds import Kind, ListBehaviour
from provisioning.core.model.redaction import SHOWN, TELLTALE, Redactor
from provisioning.core.model.schemas.field_tree import PLAIN, FieldTree, is_beside, parse_name
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

_HIDDEN = "a sensitive value"
_OPEN = frozenset({str, int, float, bool, type(None)})


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


def conceal_alike(tree: FieldTree, key: bytes, *sides: Tree) -> list[Tree]:
    """Return *sides*, values of one place, with fingerprints wherever one of them is secret.

    A list with a secret in it is one as a whole, for its items may have been moved; but what is
    sensitive in every item is one there, and leaves the rest of the item to be seen.
    """
    if not tree.hides and not any(map(is_marked, sides)):
        return list(sides)
    known = tuple({text for side in sides for text in list_secret_texts(side)})
    if tree.hides:
        sides = tuple(conceal_declared(tree, side, key) for side in sides)
    marks = {mark for side in sides for mark in _find_marks(side, tree)}
    if marks and tree.field.lists is not ListBehaviour.ORDERED:
        marks = {()}
    return [_conceal_at(side, marks, known, key) for side in sides]


def conceal(value: Tree, key: bytes, tree: FieldTree = PLAIN) -> Tree:
    """Return *value*, of the place *tree*, with fingerprints in place of its secrets."""
    if not tree.hides and not is_marked(value):
        return value
    value = conceal_declared(tree, value, key)
    marks = set(_find_marks(value, tree))
    return _conceal_at(value, marks, (), key) if marks else value


def conceal_declared(tree: FieldTree, value: Tree, key: bytes) -> Tree:
    """Return *value* with fingerprints wherever its kind calls it sensitive.

    Where the shape is not the declared one, so that nobody knows where it is, all is concealed.
    """
    return _change_sensitive(tree, value, lambda item: conceal_whole(item, key))


def _change_sensitive(tree: FieldTree, value: Tree, change: Callable[[Tree], Tree]) -> Tree:
    if not tree.hides:
        return value
    match value:
        case None | Unknown() | Sensitive():
            return value
        case _ if tree.field.sensitive:
            return change(value)
        case Secret():
            changed = _change_sensitive(tree, reveal(value), change)
            return changed if isinstance(changed, Sensitive) else Secret(changed)
        case dict() if not (tree.keys or tree.rest):
            return change(value)
        case list() | tuple() if not tree.items:
            return change(value)
        case dict() | list() | tuple():
            return tree.map(value, lambda below, item: _change_sensitive(below, item, change))
    return change(value)


def conceal_whole(value: Tree, key: bytes) -> Tree:
    """Return the fingerprint of *value*; nothing and what is unknown stay what they are."""
    if value is None or isinstance(value, Sensitive | Unknown):
        return value
    if has_unknown(value):
        return Unknown(_HIDDEN)
    return compute_fingerprint(reveal(value), key)


def _find_marks(value: Tree, tree: FieldTree = PLAIN, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of what is secret; of a list's items, the path of the list.

    The sensitive places of *tree* are left out: each of them is concealed where it is.
    """
    match value:
        case Secret() | Sensitive():
            if not tree.field.sensitive:
                yield path
        case dict():
            for name, item in value.items():
                yield from _find_marks(item, tree.get_key(name), (*path, name))
        case list() | tuple():
            below = tree.get_item()
            if any(True for item in value for _ in _find_marks(item, below)):
                yield path


def is_marked(value: Tree) -> bool:
    """Return whether anything in *value* is secret, or the fingerprint of a secret."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return isinstance(value, Secret | Sensitive)
    return any(True for item in value if type(item) not in _OPEN and is_marked(item))


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
    """Return *values*, which a provider answered, with secrets where *spec* or *kind* has them.

    *spec* is what is desired, or what was recorded, whose fingerprints count as secrets. A
    computed field that is derived from a secret one is secret, unless its kind calls it
    public.
    """
    tree = kind.tree
    values = {name: mark_declared(tree.get_key(name), value) for name, value in values.items()}
    spec = {name: mark_declared(tree.get_key(name), value) for name, value in spec.items()}
    secret = list(_find_secret(tree, spec))
    if not secret:
        return values
    return {
        name: _mark_computed(below, _mark_like(value, spec.get(name), below), secret)
        for name, below, value in tree.walk(values)
    }


def _find_secret(tree: FieldTree, value: Tree, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every secret in *value*, also of those in lists."""
    if isinstance(value, Secret | Sensitive):
        yield path
    for step, below, item in tree.walk(value):
        yield from _find_secret(below, item, (*path, step))


def mark_declared(tree: FieldTree, value: Tree) -> Tree:
    """Return *value* as a secret wherever its kind calls it sensitive."""
    return _change_sensitive(tree, value, _hide)


def _mark_computed(tree: FieldTree, value: Tree, secret: list[Path]) -> Tree:
    field = tree.field
    if field.computed:
        names = field.derived_from
        is_derived = names is None or any(
            is_beside(parse_name(name), path) for name in names for path in secret
        )
        return _hide(value) if is_derived and not field.public else value
    if not tree.computes:
        return value
    return tree.map(value, lambda below, item: _mark_computed(below, item, secret))


def _mark_like(value: Tree, like: Tree, tree: FieldTree) -> Tree:
    if next(_find_marks(like, tree), None) is None:
        return value
    if isinstance(like, dict) and isinstance(value, dict):
        return {
            name: _mark_like(item, like.get(name), below) for name, below, item in tree.walk(value)
        }
    return _hide(value)


def _hide(value: Tree) -> Tree:
    if isinstance(value, Unknown):
        return value
    return Unknown(_HIDDEN) if has_unknown(value) else Secret(value)


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
