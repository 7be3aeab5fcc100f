"""Serves `Value`, which lives in the state log alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provisioning.core.providers import Absent, Call, Observation, Present, Target
from provisioning.core.values import Tree


class Values:
    """Serves `Value`: it passes its input on as its output."""

    def observe(self, owner: str, targets: Sequence[Target]) -> list[Observation]:
        """Answer what was recorded: whoever has an output was made."""
        del owner
        return [
            Present(target.attributes, None) if "output" in target.attributes else Absent()
            for target in targets
        ]

    def create(self, call: Call) -> Mapping[str, Tree]:
        """Answer the spec and the output."""
        return {**call.spec, "output": call.spec.get("input")}

    def update(self, call: Call) -> Mapping[str, Tree]:
        """Answer the spec and the output."""
        return self.create(call)

    def delete(self, call: Call) -> None:
        """Do nothing: what is no longer recorded is gone."""
