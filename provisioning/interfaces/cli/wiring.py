"""The functions of `bootstrap` that the command line is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.controller.controller import Controller
    from provisioning.controller.events import EventSink
    from provisioning.core.model.kinds import Kind
    from provisioning.core.model.redaction import Redactor


class Wiring(NamedTuple):
    """The functions of `bootstrap`, which are imported when they are called.

    A workspace is opened by its folder, and a service by those of its workspaces; both take
    settings as `key=value`.
    """

    open_workspace: Callable[[str, Sequence[str]], Workspace]
    list_kinds: Callable[[], dict[str, Kind]]
    build_service: Callable[[Sequence[str], Sequence[str], EventSink, Redactor], Controller]
