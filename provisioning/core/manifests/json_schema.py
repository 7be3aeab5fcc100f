"""JSON Schema of manifests, so that an editor completes and checks them.

Source of the format: JSON Schema 2020-12, as Pydantic writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from provisioning.core.model.ids import KIND, NAME
from provisioning.core.model.kinds import Kind
from provisioning.core.model.resources import API_VERSION, DeletePolicy, DriftPolicy
from provisioning.core.model.schemas.field_tree import parse_name
from provisioning.core.model.schemas.spec_schema import DIALECT, find_places

_TEMPLATE = {"type": "string", "pattern": r"\{\{.*\}\}"}
"""What may stand in place of any value."""

_NAME = {"type": "string", "pattern": f"^{NAME.pattern[:-2]}$"}
_ID = {"type": "string", "pattern": f"^{KIND.pattern[:-2]}/{NAME.pattern[:-2]}$"}

_EACH = {"type": "string", "pattern": r"\{\{\s*each\."}
"""What may stand in an id where the manifest has a `forEach`."""


def compute_schema(kinds: Sequence[Kind]) -> dict[str, Any]:
    """Return the schema of a manifest of any of *kinds*."""
    definitions: dict[str, Any] = {}
    manifests = [_compute_manifest(kind, definitions) for kind in kinds]
    shape = manifests[0] if len(manifests) == 1 else {"oneOf": [*manifests, _compute_removed()]}
    return {"$schema": DIALECT, **shape, **({"$defs": definitions} if definitions else {})}


def _compute_removed() -> dict[str, Any]:
    removed = {"from": _ID, "onDelete": {"enum": list(DeletePolicy)}}
    return {
        "title": "removed",
        "description": "A resource that is declared to be gone.",
        **_compute_object(
            {
                "apiVersion": {"const": API_VERSION},
                "removed": _compute_object(removed, required=[*removed]),
            },
            required=["apiVersion", "removed"],
        ),
    }


def _compute_manifest(kind: Kind, definitions: dict[str, Any]) -> dict[str, Any]:
    spec = _compute_spec(kind)
    if kind.spec_schema is None:
        definitions |= spec.pop("$defs", {})
    elif "$id" not in spec:
        spec = {"$id": f"urn:provisioning:{kind.provider}:{kind.name}", **spec}
    spec["properties"] = {
        "provider": {"const": kind.provider},
        **{name: _admit_template(item) for name, item in spec.get("properties", {}).items()},
    }
    identifier = {"anyOf": [_ID, _EACH]}
    return {
        "title": kind.name,
        "description": kind.summary,
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": kind.api_version},
            "kind": {"const": kind.name},
            "metadata": _compute_metadata(),
            "spec": spec,
            "lifecycle": _compute_lifecycle(),
            "dependsOn": {"type": "array", "items": identifier},
            "moved": _compute_object({"from": identifier, "infra": _NAME}, required=["from"]),
            "forEach": _TEMPLATE,
            "when": {"anyOf": [{"type": "boolean"}, _TEMPLATE, _compute_comparison()]},
        },
    }


def _compute_spec(kind: Kind) -> dict[str, Any]:
    """Return the schema of `spec`, with marks for secret and computed fields."""
    spec = kind.build_schema()
    for field in kind.fields:
        for place in find_places(spec, parse_name(field.name)):
            flags = {"writeOnly": field.sensitive, "readOnly": field.computed}
            place.update({name: True for name, holds in flags.items() if holds})
    return spec


def _admit_template(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") == "string" and not {"pattern", "enum", "const"} & schema.keys():
        return schema
    about: dict[str, Any] = {key: schema[key] for key in ("description", "title") if key in schema}
    return {**about, "anyOf": [schema, _TEMPLATE]}


def _compute_metadata() -> dict[str, Any]:
    labels = {"type": "object", "additionalProperties": {"type": "string"}}
    name = {"anyOf": [_NAME, _EACH]}
    return _compute_object({"name": name, "labels": labels}, required=["name"])


def _compute_comparison() -> dict[str, Any]:
    lists = {"in": {"type": "array"}, "notIn": {"type": "array"}}
    return _compute_object({"value": {}, **lists}, required=["value"])


def _compute_lifecycle() -> dict[str, Any]:
    duration = {"type": "string", "pattern": "^[0-9]{1,9}[smhd]$"}
    return _compute_object(
        {
            "protect": {"type": "boolean"},
            "drift": {"enum": list(DriftPolicy)},
            "onDelete": {"enum": list(DeletePolicy)},
            "ignoreFields": {"type": "array", "items": {"type": "string"}},
            "createBeforeDelete": {"type": "boolean"},
            "timeouts": _compute_object(dict.fromkeys(("create", "update", "delete"), duration)),
        }
    )


def _compute_object(properties: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    shape = {"type": "object", "additionalProperties": False, "properties": properties}
    return shape | ({"required": list(required)} if required else {})
