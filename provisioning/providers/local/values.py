"""Serves `Value`, which lives in the state log alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provisioning.core.model.providers import Absent, Call, ObservationTarget, Observed, Present
from provisioning.core.model.values import Tree


class Values:
    """Serves `Value`: it passes its input on as its output."""

    def observe(self, owner: str, targets: Sequence[ObservationTarget]) -> Observed:
        """Answer what was recorded: whoever has an output was made."""
        del owner
        recorded = [target.attributes for target in targets]
        return Observed(
            answers=[Present(item, None) if "output" in item else Absent() for item in recorded]
        )

    def create(self, call: Call) -> Mapping[str, Tree]:
        """Answer the spec and the output."""
        return {**call.spec, "output": call.spec.get("input")}

    def update(self, call: Call) -> Mapping[str, Tree]:
        """Answer the spec and the output."""
        return self.create(call)

    def delete(self, call: Call) -> None:
        """Do nothing: what is no longer recorded is gone."""
