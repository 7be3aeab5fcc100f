"""`destination_rules` of `.sops.yaml`: where a file is published, and under which keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from sops_python.errors import SopsError
from sops_python.rules import Rule, Rules, build_rule, fits

_PLACES = ("s3_bucket", "gcs_bucket", "vault_path")
_VERSIONS = (1, 2)


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket of S3, and what its keys begin with."""

    name: str
    prefix: str = ""

    def locate(self, name: str) -> str:
        """Return the address of the file *name*, for people."""
        return f"s3://{self.name}/{self.prefix}{name}"


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """A key-value engine of Vault, of API version 1 or 2, and a path in it."""

    address: str
    mount: str
    path: str
    version: int

    def locate(self, name: str) -> str:
        """Return the address of the secret *name*."""
        data = ["data"] if self.version == _VERSIONS[1] else []
        steps = [self.mount.strip("/"), *data, self.path.strip("/"), name]
        return "/".join([self.address.rstrip("/"), "v1", *filter(None, steps)])


Destination: TypeAlias = Bucket | Engine


class DestinationRule(msgspec.Struct, frozen=True, kw_only=True):
    """Where files go; `recreation` is None if they go there as they are."""

    destination: Destination
    recreation: Rule | None
    omit_extensions: bool


def find_destination(rules: Rules, name: str, vault: str) -> DestinationRule:
    """Return the first destination rule that fits the file *name*, as it was written.

    Args:
        rules: The `.sops.yaml`.
        name: The file's path, which the rules' `path_regex` are searched in.
        vault: The address of Vault where a rule names none.

    Raises:
        SopsError: If none fits, or the one that fits is wrong.
        KeyUnusable: If it names a key that is none.
    """
    entries = rules.data.get("destination_rules") or ()
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
        where = f"{rules.path}: destination rule {number}"
        if not isinstance(entry, dict):
            raise SopsError(f"{where} is no mapping", hint="write `- path_regex: …`")
        if fits(entry, name, where):
            return _build(entry, where, vault)
    raise SopsError(
        f"error loading config: no matching destination found in {rules.path}",
        hint="add a destination rule whose path_regex fits, or one without as the last",
    )


def _build(entry: Mapping[str, Any], where: str, vault: str) -> DestinationRule:
    recreation = entry.get("recreation_rule") or {}
    if not isinstance(recreation, dict):
        raise SopsError(f"{where}: recreation_rule is no mapping", hint="write `age: …` below it")
    rule = build_rule(recreation, where)
    return DestinationRule(
        destination=_choose(entry, where, vault),
        recreation=rule if rule.groups[0] else None,
        omit_extensions=bool(entry.get("omit_extensions")),
    )


def _choose(entry: Mapping[str, Any], where: str, vault: str) -> Destination:
    given = [place for place in _PLACES if entry.get(place)]
    if len(given) > 1:
        raise SopsError(
            f"error loading config: {where} names more than one destination: {', '.join(given)}",
            hint="write a rule for each",
        )
    match given:
        case ["s3_bucket"]:
            return Bucket(name=str(entry["s3_bucket"]), prefix=str(entry.get("s3_prefix") or ""))
        case ["vault_path"]:
            return Engine(
                address=str(entry.get("vault_address") or vault),
                mount=str(entry.get("vault_kv_mount_name") or "secret"),
                path=str(entry["vault_path"]),
                version=_read_version(entry, where),
            )
        case ["gcs_bucket"]:
            raise SopsError(
                f"{where}: nothing is published to Google Cloud Storage from here",
                hint="copy the file: `gcloud storage cp FILE gs://BUCKET/`",
            )
    raise SopsError(
        f"no destination configured for this file by {where}",
        hint="write s3_bucket or vault_path into it",
    )


def _read_version(entry: Mapping[str, Any], where: str) -> int:
    version = entry.get("vault_kv_version") or _VERSIONS[1]
    if version not in _VERSIONS:
        raise SopsError(
            f"{where}: vault_kv_version is {version!r}", hint="it is 1 or 2; 2 if it is left out"
        )
    return int(version)
