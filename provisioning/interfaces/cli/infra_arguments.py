"""Which infra a command means, when it was given a resource's id."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import ResourceId, parse_resource_id


def split_names(names: Sequence[str]) -> tuple[str | None, list[str]]:
    """Split what was given into the infra, if it begins with one, and the rest."""
    if names and "/" not in names[0] and not names[0].startswith("."):
        return names[0], list(names[1:])
    return None, list(names)


def find_infra(
    infras: Sequence[str], given: str | None, name: str, has: Callable[[str, ResourceId], bool]
) -> tuple[str, ResourceId]:
    """Return the infra that *name* is in, and its id.

    Args:
        infras: All infras.
        given: The one that was named, if any.
        name: The id, `Kind/name`.
        has: Tells whether an infra has it.

    Raises:
        InvalidArgument: If it is no id, or several infras have such a resource, or none.
    """
    resource = parse_resource_id(name)
    if given is not None:
        return given, resource
    found = [infra for infra in infras if has(infra, resource)]
    if len(found) > 1:
        raise InvalidArgument(
            f"{name} is in {', '.join(found)}", hint=f"name the infra first: {found[0]} {name}"
        )
    if found or len(infras) == 1:
        return (found or infras)[0], resource
    raise InvalidArgument(
        f"no infra has a resource {name!r}", hint="`provisioning get` lists what is recorded"
    )


def choose_infra(infras: Sequence[str], names: Sequence[str]) -> tuple[str, str]:
    """Return the infra and the other of *names*: the infra may be left out if it is the only one.

    Raises:
        InvalidArgument: If there is no such infra, or which one is meant cannot be known.
    """
    known = ", ".join(infras) or "none"
    if len(names) not in {1, 2}:
        raise InvalidArgument(
            f"{len(names)} names were given", hint="at most an infra and one more"
        )
    if len(names) == 1:
        if len(infras) != 1:
            raise InvalidArgument(
                "which infra is meant?", hint=f"name it first; there are: {known}"
            )
        return infras[0], names[0]
    if names[0] not in infras:
        raise InvalidArgument(f"there is no infra {names[0]!r}", hint=f"there are: {known}")
    return names[0], names[1]
