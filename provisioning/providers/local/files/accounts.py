"""Users and groups, by name or number."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Mapping

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.values import Tree


class Accounts:
    """The users and groups of this machine, each looked up once."""

    def __init__(self) -> None:
        self._users: dict[int, str] = {}
        self._groups: dict[int, str] = {}

    def name(self, status: os.stat_result, said: Mapping[str, Tree]) -> dict[str, str]:
        """Return the owner and the group of a file, each written as *said* if it is the same."""
        return {
            "owner": self._name_user(status.st_uid, said.get("owner")),
            "group": self._name_group(status.st_gid, said.get("group")),
        }

    def _name_user(self, number: int, said: Tree) -> str:
        if said == str(number):
            return str(said)
        if number not in self._users:
            self._users[number] = _find_name(lambda: pwd.getpwuid(number).pw_name, number)
        return self._users[number]

    def _name_group(self, number: int, said: Tree) -> str:
        if said == str(number):
            return str(said)
        if number not in self._groups:
            self._groups[number] = _find_name(lambda: grp.getgrgid(number).gr_name, number)
        return self._groups[number]


def _find_name(look_up: Callable[[], str], number: int) -> str:
    try:
        return look_up()
    except KeyError:
        return str(number)


def find_ids(spec: Mapping[str, Tree], standing: os.stat_result | None) -> tuple[int, int]:
    """Return the user's and the group's number that *spec* asks for.

    What it leaves out stays as it is, and is -1 for something new.

    Raises:
        ProviderError: If there is no such user or group.
    """
    user, group = (standing.st_uid, standing.st_gid) if standing else (-1, -1)
    if "owner" in spec:
        user = _find_id("user", spec["owner"], lambda name: pwd.getpwnam(name).pw_uid)
    if "group" in spec:
        group = _find_id("group", spec["group"], lambda name: grp.getgrnam(name).gr_gid)
    return user, group


def _find_id(what: str, name: str, look_up: Callable[[str], int]) -> int:
    try:
        return look_up(name)
    except KeyError as exc:
        if name.isascii() and name.isdecimal():
            return int(name)
        raise ProviderError(
            f"there is no {what} {name!r} on this machine",
            hint=f"make the {what} first, or write its number in quotes",
        ) from exc
