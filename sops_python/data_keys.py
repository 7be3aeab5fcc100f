"""Wraps the data key of a file with its master keys, and gets it back from them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from msgspec.structs import replace

from sops_python.cipher import KEY_BYTES
from sops_python.errors import InvalidKeyGroups, NoKeyFits, SopsError
from sops_python.metadata import KeyGroup, MasterKey, Metadata

DECRYPTION_ORDER = ("age", "pgp")
"""The kinds of keys that are tried first: they need no network."""


_HINT = "pass --age RECIPIENT, or write a creation rule in .sops.yaml"


class Keyring(Protocol):
    """Uses master keys."""

    def wrap(self, key: MasterKey, data: bytes) -> str:
        """Return *data* encrypted by *key*."""

    def unwrap(self, key: MasterKey) -> bytes:
        """Return what *key* has wrapped."""


def generate_data_key() -> bytes:
    """Return a new data key."""
    return os.urandom(KEY_BYTES)


def wrap_data_key(metadata: Metadata, data_key: bytes, keyring: Keyring, now: str) -> Metadata:
    """Return *metadata* with *data_key* wrapped by every one of its keys at *now*.

    Raises:
        InvalidKeyGroups: If there is no group, one is empty, or the threshold is impossible.
        KeyUnusable: If a key cannot wrap.
    """
    groups, threshold = metadata.groups, metadata.threshold
    if not groups:
        raise InvalidKeyGroups("no key groups provided", hint=_HINT)
    parts = [data_key]
    if len(groups) > 1:
        from sops_python.shamir import split

        threshold = threshold or len(groups)
        try:
            parts = split(data_key, len(groups), threshold)
        except ValueError as exc:
            raise InvalidKeyGroups(
                f"could not split data key into parts for Shamir: {exc}",
                hint="the threshold is at least 2 and at most the number of key groups",
            ) from exc
    if not all(groups):
        raise InvalidKeyGroups("empty key group provided", hint=_HINT)
    wrapped = tuple(
        tuple(replace(key, wrapped=keyring.wrap(key, part), created_at=now) for key in group)
        for group, part in zip(groups, parts, strict=True)
    )
    return replace(metadata, groups=wrapped, threshold=threshold)


@contextmanager
def naming_step(step: str) -> Iterator[None]:
    """Say in an error about key groups which *step* of the work failed, as `sops` does."""
    try:
        yield
    except InvalidKeyGroups as exc:
        raise InvalidKeyGroups(f"{step}: [{exc.message}]", hint=exc.hint) from exc


def unwrap_data_key(
    metadata: Metadata, keyring: Keyring, order: Sequence[str] = DECRYPTION_ORDER
) -> bytes:
    """Return the data key, from the first key of each group that opens.

    Args:
        metadata: Of the file.
        keyring: Holds the identities.
        order: The kinds of keys that are tried first.

    Raises:
        NoKeyFits: If too few groups open; the message says why for every key.
    """
    parts: list[bytes] = []
    reports = []
    needed = metadata.threshold if len(metadata.groups) > 1 else 1
    for number, group in enumerate(metadata.groups):
        part, failures = _unwrap_part(group, keyring, order)
        if part is not None:
            parts.append(part)
        reports.append(_describe_group(number, failures, is_open=part is not None))
    if len(parts) < max(needed, 1):
        raise NoKeyFits(_describe(metadata, reports, len(parts)), hint="ask for access to a key")
    if len(metadata.groups) == 1:
        return parts[0]
    from sops_python.shamir import combine

    try:
        return combine(parts)
    except ValueError as exc:
        raise NoKeyFits(
            f"the shares of the key groups do not fit together: {exc}",
            hint="restore the file from Git",
        ) from exc


def _unwrap_part(
    group: KeyGroup, keyring: Keyring, order: Sequence[str]
) -> tuple[bytes | None, list[tuple[str, str]]]:
    """Return what the group's keys have wrapped, and why each key before it did not open."""
    ranks = {section: rank for rank, section in enumerate(order)}
    failures: list[tuple[str, str]] = []
    for key in sorted(group, key=lambda key: ranks.get(key.section, len(ranks))):
        try:
            return keyring.unwrap(key), failures
        except SopsError as exc:
            failures.append((key.label, exc.message))
    return None, failures


def _describe_group(number: int, failures: list[tuple[str, str]], *, is_open: bool) -> str:
    lines = [f"Group {number}: {'SUCCESS' if is_open else 'FAILED'}"]
    for label, message in () if is_open else failures:
        lines += [f"  {label}: FAILED", *(f"    - | {line}" for line in message.splitlines())]
    return "\n".join(lines)


def _describe(metadata: Metadata, reports: list[str], opened: int) -> str:
    need = (
        f"the file was encrypted with a Shamir threshold of {metadata.threshold}, but only "
        f"{opened} part(s) were recovered"
        if metadata.threshold
        else "at least one key has to open the file, but none did"
    )
    return "\n\n".join(
        ["Failed to get the data key required to decrypt the SOPS file.", *reports, need]
    )
