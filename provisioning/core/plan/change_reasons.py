"""Why something that is there is to change, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import Present
from provisioning.core.model.records import Record
from provisioning.core.plan.diff import Cause, FieldChange

BEHIND = "already up to date; only its record changes"
"""Why a resource is recorded anew, and not touched."""


def explain_change(
    kind: Kind,
    record: Record | None,
    live: Present,
    fields: Sequence[FieldChange],
    origin: str | None,
    *,
    is_corrected: bool,
) -> str:
    """Say why there is something to do; nothing to say, nothing to do.

    Args:
        kind: The resource's kind.
        record: What was recorded last.
        live: What is there.
        fields: What is to change of it.
        origin: What it is to be moved from.
        is_corrected: Whether its drift is put back.
    """
    if record is None:
        return "it was made by a run that was cut off"
    if origin:
        return f"it was {origin}"
    if fields:
        causes = {field.cause for field in fields}
        if causes == {Cause.DRIFT}:
            return "it was changed outside of Git"
        is_asked = Cause.MANIFEST in causes
        return "the manifest changed" if is_asked else "what it refers to may change"
    if live.handle:
        return "an operation on it is still under way"
    if live.is_unfinished:
        return "a run that was cut off left something unfinished beside it"
    if record.error:
        return f"the last run did not finish it: {record.error}"
    if live.mark is None and not kind.recorded_only and is_corrected:
        return "its ownership mark is gone"
    return ""
