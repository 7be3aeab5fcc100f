"""Turns the path of a spec into an open folder and a name in it, never through a symbolic link.

Checking a path and then using it leaves a moment to swap a folder for a link. So every step
is taken from an open folder with `O_NOFOLLOW`, and the last one is left to the caller, who
has the folder open (openat(2), "Rationale for openat").
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from provisioning.core.model.errors import ProviderError
from provisioning.providers.local.files.path_syntax import find_path_problem, split_path

FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Enter = Callable[[int, str], int]
"""Opens a folder of the given name in the given open folder."""

ROOT_MODE = 0o755
"""The mode of a root that is made, whatever the umask is."""


class Folder(msgspec.Struct, frozen=True, order=True):
    """A folder below one of the roots, by the names that lead to it."""

    root: Path
    names: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.root.joinpath(*self.names))


class Roots:
    """Where the provider may work: below *root*, and below the absolute paths of *allow*."""

    def __init__(self, root: Path, allow: Sequence[Path] = ()) -> None:
        self._root = root
        self._all = sorted((root, *allow), key=lambda each: len(each.parts), reverse=True)

    def list_all(self) -> list[tuple[Path, bool]]:
        """Return every root, and whether paths are written relative to it."""
        return [(root, root == self._root) for root in self._all]

    def locate(self, path: object) -> tuple[Folder, str]:
        """Return the folder that *path* lies in, and its name there.

        Raises:
            ProviderError: If it is written wrongly, or lies below no root.
        """
        folder = self.locate_folder(path)
        if not folder.names:
            raise ProviderError(f"{path!r} names a root itself", hint="name something below it")
        return Folder(folder.root, folder.names[:-1]), folder.names[-1]

    def locate_folder(self, path: object) -> Folder:
        """Return the folder that *path* names, which may be a root itself.

        Raises:
            ProviderError: If it is written wrongly, or lies below no root.
        """
        if not isinstance(path, str):
            raise ProviderError(f"a path must be text, not {path!r}")
        if problem := find_path_problem(path):
            raise ProviderError(f"the path {path!r} {problem}")
        if not path.startswith("/"):
            return Folder(self._root, split_path(path))
        for root in self._all:
            if Path(path).is_relative_to(root):
                return Folder(root, Path(path).relative_to(root).parts)
        raise ProviderError(
            f"the path {path!r} lies below no allowed root",
            hint=f"write it relative to {self._root}, or add its root to `local.allow`",
        )

    @contextmanager
    def open(self, folder: Folder, make: Enter | None = None) -> Iterator[int]:
        """Open *folder* for as long as the block runs; *make* makes the missing ones.

        Raises:
            FileNotFoundError: If it is not there.
            ProviderError: If the way leads through something that is not a folder.
        """
        fd = self._walk(folder, make)
        try:
            yield fd
        finally:
            os.close(fd)

    def _walk(self, folder: Folder, make: Enter | None) -> int:
        step, fd = make or enter, self._open_root(folder.root, makes=make is not None)
        for position, name in enumerate(folder.names, start=1):
            try:
                below = step(fd, name)
            except OSError as exc:
                if exc.errno in {errno.ENOTDIR, errno.ELOOP}:
                    here = Folder(folder.root, folder.names[:position])
                    raise _describe_obstacle(fd, name, here) from exc
                raise
            finally:
                os.close(fd)
            fd = below
        return fd

    def _open_root(self, root: Path, *, makes: bool) -> int:
        try:
            return _open_path(root)
        except FileNotFoundError as exc:
            if root != self._root:
                raise ProviderError(
                    f"the allowed root {root} is not there",
                    hint="make or mount it, or remove it from `local.allow`",
                ) from exc
            if not makes:
                raise
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(ROOT_MODE)
        return _open_path(root)


def _open_path(root: Path) -> int:
    return os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def enter(fd: int, name: str) -> int:
    """Open the folder *name* in the open folder *fd*, not following a link."""
    return os.open(name, FOLDER, dir_fd=fd)


def _describe_obstacle(fd: int, name: str, here: Folder) -> ProviderError:
    mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
    what = name_type(mode)
    return ProviderError(
        f"{here} is a {what}, and is not followed" if stat.S_ISLNK(mode) else f"{here} is a {what}",
        hint="put a real directory there, or choose another path",
    )


def name_type(mode: int) -> str:
    """Say what a `st_mode` is of."""
    names = (
        (stat.S_ISREG, "file"),
        (stat.S_ISDIR, "directory"),
        (stat.S_ISLNK, "symbolic link"),
        (stat.S_ISFIFO, "pipe"),
        (stat.S_ISSOCK, "socket"),
    )
    return next((name for test, name in names if test(mode)), "device")
