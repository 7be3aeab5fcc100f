"""The published JSON Schema of every document that `-o json` prints."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from provisioning.core.status.health_checks import HealthReport
from provisioning.interfaces.schema import explanations, plans, reviews, states
from provisioning.reconciler.explain.history import HistoryEvent
from provisioning.secrets.audit import SecretFinding

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Types = tuple[type, ...]

DOCUMENTS: dict[str, Types] = {
    "plan": (plans.GatedPlanDocument,),
    "apply": (plans.RunDocument,),
    "apply-pull": (plans.RunDocument,),
    "reconcile": (plans.RunDocument, plans.FailedInfraDocument, plans.SkippedInfraDocument),
    "review": (reviews.ReviewDocument,),
    "forge-setup": (reviews.SetupDocument,),
    "forge-check": (reviews.FindingDocument,),
    "status": (states.StatusDocument,),
    "get": (states.ResourcesDocument,),
    "graph": (explanations.NodeDocument,),
    "impact": (explanations.ImpactsDocument,),
    "diff": (states.DriftDocument,),
    "why": (explanations.WhyDocument,),
    "secret-usage": (explanations.SecretUsageDocument,),
    "status-at": (states.StatusDocument,),
    "get-at": (states.ResourcesDocument,),
    "replay": (explanations.ReplayDocument,),
    "undo": (explanations.UndoDocument,),
    "undo-pull": (explanations.UndoDocument,),
    "events": (HistoryEvent,),
    "log": (states.LogDocument,),
    "fsck": (states.ProofDocument,),
    "gc": (states.CompactionDocument,),
    "lock-list": (states.LockDocument,),
    "import": (plans.RunDocument,),
    "forget": (plans.RunDocument,),
    "adopt": (plans.RunDocument,),
    "validate": (states.ValidDocument,),
    "doctor": (HealthReport,),
    "config-explain": (explanations.LayerDocument,),
    "secrets-check": (SecretFinding,),
    "secrets-guard": (SecretFinding,),
    "secrets-list": (states.GeneratedSecretDocument,),
}
"""The types of one document of each operation; a command for all infras prints a list of them."""

UNDOCUMENTED = frozenset(
    {
        "lock-hold", "lock-steal", "lock-release", "suspend", "resume",  # text only
        "schema", "config-show",  # JSON that a provider's kinds, or the settings, give its shape
        "workspace-init", "secrets-init", "secrets-recipients", "secrets-recipient-add",
        "secrets-recipient-remove", "secrets-guard-install", "secrets-make", "secrets-rotate",
        "secrets-remove", "fingerprint-key-rotate",
    }
)  # fmt: skip
"""The operations whose answer has no document."""


def compute_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each document, by the operation's name, and of errors."""
    documents = {**DOCUMENTS, "error": (plans.ErrorDocument,)}
    return {name: _compute_schema(name, types) for name, types in documents.items()}


def render_schema(schema: dict[str, Any]) -> str:
    """Return *schema* as it is published."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _compute_schema(name: str, types: Types) -> dict[str, Any]:
    found, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    body = {"anyOf": list(found)} if len(found) > 1 else dict(found[0])
    return {"$schema": DIALECT, "title": name, **body, "$defs": dict(sorted(definitions.items()))}
