"""How paths of specs are written. Pure, so that models and the provider agree."""

from __future__ import annotations

NEW_SUFFIX, MARK_SUFFIX = ".provisioning-new", ".provisioning-mark"

LONGEST = 255 - len("." + MARK_SUFFIX)
"""Bytes a name may have; Linux allows 255, of which our own names beside it need some."""


def name_new(name: str) -> str:
    """Return where the new version of *name* is put together."""
    return f".{name}{NEW_SUFFIX}"


def name_sidecar(name: str) -> str:
    """Return where the marks of *name* are kept if the file system has no attributes."""
    return f".{name}{MARK_SUFFIX}"


def split_path(path: str) -> tuple[str, ...]:
    """Return the names that lead along *path*."""
    return tuple(name for name in path.split("/") if name not in {"", "."})


def find_path_problem(path: str) -> str | None:
    """Say what is wrong with the way *path* is written; None if nothing."""
    names = split_path(path)
    if not path:
        return "is empty"
    if "\0" in path:
        return "holds a NUL character"
    if ".." in names:
        return "leads out of its folder with '..'"
    if any(name.endswith((NEW_SUFFIX, MARK_SUFFIX)) for name in names):
        return f"ends like a name of ours ({NEW_SUFFIX}, {MARK_SUFFIX})"
    if any(len(name.encode(errors="surrogatepass")) > LONGEST for name in names):
        return f"holds a name of more than {LONGEST} bytes"
    return None
