"""Which infras a change of files can have touched."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from provisioning.core.reviews.codeowners import PLACES

_FOREIGN = frozenset({"docs", ".gitea", ".github", ".git", ".gitignore", ".gitattributes"})
_PROSE = (".md", ".rst", ".adoc", "LICENSE", "NOTICE")


class TouchedInfras(msgspec.Struct, frozen=True):
    """Infras with a changed file of their own, and those that a shared one may have touched."""

    directly: frozenset[str]
    perhaps: frozenset[str]


def find_touched(paths: Iterable[str], infras: Collection[str]) -> TouchedInfras:
    """Sort *infras* by what the files at *paths* can mean to them.

    Settings, secrets and files outside of `infra/` may be named by any infra; prose is by none.
    """
    directly, is_shared = set(), False
    for path in paths:
        top, _, rest = path.partition("/")
        name = rest.partition("/")[0]
        if top == "infra" and name in infras:
            directly.add(name)
        elif not _is_foreign(path):
            is_shared = True
    perhaps = set(infras) - directly if is_shared else set()
    return TouchedInfras(frozenset(directly), frozenset(perhaps))


def _is_foreign(path: str) -> bool:
    return path.partition("/")[0] in _FOREIGN or path in PLACES or path.endswith(_PROSE)
