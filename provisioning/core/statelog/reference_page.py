"""Renders the tables of `docs/reference/state-log.md` from `TRANSITIONS`."""

from __future__ import annotations

from collections.abc import Collection

from provisioning.core.statelog.transitions import (
    FILES,
    MEANINGS,
    RESOURCES,
    TRANSITIONS,
    LogState,
)


def render_transitions() -> str:
    """Return the tables of states and of entries."""
    states = [f"| {state} | {meaning} |" for state, meaning in MEANINGS.items()]
    entries = [
        f"| {kind} | {_join(rule.before)} | {_join(rule.after)} | {rule.fence} | "
        f"{_join_files(rule.writes)} |"
        for kind, rule in TRANSITIONS.items()
    ]
    return "\n".join(
        [
            "| State | Meaning |",
            "| --- | --- |",
            *states,
            "",
            "| Entry | State before | State after | Fence | May write |",
            "| --- | --- | --- | --- | --- |",
            *entries,
            "",
        ]
    )


def _join(states: Collection[LogState]) -> str:
    return "any" if len(states) == len(LogState) else ", ".join(sorted(states))


def _join_files(names: Collection[str]) -> str:
    files = [f"`{name}`" for name in FILES if name in names]
    return ", ".join([*files, "`resources/…`"] if RESOURCES in names else files)
