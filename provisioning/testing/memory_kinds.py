"""The kinds of the in-memory provider, one for each way a kind can behave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from provisioning.core.model.kinds import Field, Kind, ListBehaviour

if TYPE_CHECKING:
    from pydantic import BaseModel

NAME = "memory"


def _load(model: str) -> Callable[[], type[BaseModel]]:
    def load() -> type[BaseModel]:
        from provisioning.testing import memory_models

        found: type[BaseModel] = getattr(memory_models, model)
        return found

    return load


def _load_machine() -> Mapping[str, Any]:
    from provisioning.testing import memory_models

    return memory_models.MACHINE


SERIAL = Field(name="serial", computed=True, derived_from=())

THING = Kind(
    name="Thing",
    provider=NAME,
    summary="A thing of the fake cloud, found by its mark.",
    model=_load("Thing"),
    fields=(
        Field(name="color", defaulted=True),
        Field(name="zone", immutable=True),
        Field(name="tags", lists=ListBehaviour.SET),
        Field(name="rules", lists=ListBehaviour.KEYED),
        Field(name="password", sensitive=True),
        SERIAL,
        Field(name="address", computed=True, derived_from=("zone",)),
    ),
)

SLOT = Kind(
    name="Slot",
    provider=NAME,
    summary="A place of the fake cloud that holds a value.",
    model=_load("Slot"),
    fields=(Field(name="place", immutable=True),),
    identity=("place",),
    create_before_delete=True,
)

NOTE = Kind(
    name="Note",
    provider=NAME,
    summary="A value that lives in the state log alone.",
    model=_load("Note"),
    fields=(Field(name="output", computed=True, derived_from=("input",)),),
    recorded_only=True,
)

SERVICE = Kind(
    name="Service",
    provider=NAME,
    summary="A service of the fake cloud that takes its time to become ready.",
    model=_load("Service"),
    fields=(SERIAL,),
)

MACHINE = Kind(
    name="Machine",
    provider=NAME,
    summary="A machine of the fake cloud, whose schema is data and whose fields behave below.",
    schema=_load_machine,
    fields=(
        SERIAL,
        Field(name="disk.size", immutable=True),
        Field(name="disk.speed", defaulted=True),
        Field(name="disk.id", computed=True, derived_from=("disk.size",)),
        Field(name="auth.password", sensitive=True),
        Field(name="env.*", sensitive=True),
        Field(name="rules", lists=ListBehaviour.KEYED),
        Field(name="rules[].id", computed=True, derived_from=("rules[].name",)),
        Field(name="rules[].token", sensitive=True),
        Field(name="rules[].hosts", lists=ListBehaviour.SET),
    ),
)

KINDS = {kind.name: kind for kind in (THING, SLOT, NOTE, SERVICE, MACHINE)}

CHOICES = {"Thing": {"color": "grey"}}
"""The choice of the cloud for each defaulted field that a spec leaves out."""
