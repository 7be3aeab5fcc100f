"""Who can read a workspace's secrets: `.sops.yaml`, and the files that follow it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from sops_python.data_keys import Keyring, unwrap_data_key
from sops_python.errors import SopsError
from sops_python.files import (
    choose_format,
    dump_document,
    load_encrypted,
    open_document,
    open_store,
    rewrap_document,
    rotate_document,
)
from sops_python.keys import age, names
from sops_python.metadata import MasterKey, Metadata
from sops_python.rules import Rules
from sops_python.stores.yaml import YamlStore
from sops_python.tree import Branch, Comment, write_path

Change = Callable[[list[str]], list[str]]

RULES_TEMPLATE = """\
# Which keys encrypt which files; `provisioning secrets recipients add KEY` lets somebody in.
creation_rules:
  - path_regex: \\.enc(\\.[a-z]+)?$
    age: {recipient}
"""


def add_recipient(data: bytes, recipient: str) -> bytes:
    """Return the `.sops.yaml` *data* with the age *recipient* in every creation rule.

    Raises:
        KeyUnusable: If it is no recipient.
        SopsError: If it is in every rule already, or a rule has key groups.
    """
    age.check_recipient(recipient)
    return _change(data, lambda names: names if recipient in names else [*names, recipient])


def remove_recipient(data: bytes, recipient: str) -> bytes:
    """Return the `.sops.yaml` *data* without the age *recipient*.

    Raises:
        SopsError: If no rule has it, or one would have nobody left.
    """

    def remove(names: list[str]) -> list[str]:
        left = [name for name in names if name != recipient]
        if names and not left:
            raise SopsError(
                f"{recipient} is the only recipient of a rule: nobody could read its files",
                hint="add another one first: `provisioning secrets recipients add KEY`",
            )
        return left

    return _change(data, remove)


def _change(data: bytes, change: Change) -> bytes:
    store = YamlStore(2)
    branches = store.load(data)
    rules = branches[0].get("creation_rules") if branches else None
    if not isinstance(rules, list):
        raise SopsError(".sops.yaml has no creation rules", hint="`provisioning secrets init`")
    new = [rule if isinstance(rule, Comment) else _change_rule(rule, change) for rule in rules]
    if new == rules:
        raise SopsError("no rule of .sops.yaml would change", hint="`cat .sops.yaml`")
    return store.dump([write_path(branches[0], ("creation_rules",), new), *branches[1:]])


def _change_rule(rule: Branch, change: Change) -> Branch:
    if rule.get("key_groups"):
        raise SopsError(
            "a rule of .sops.yaml has key groups, and only you know which group is meant",
            hint="edit .sops.yaml, then `provisioning sops updatekeys FILE`",
        )
    old = rule.get("age")
    recipients = names.split_list(old) if isinstance(old, str) else list(old or [])
    new = change(recipients)
    if new == recipients:
        return rule
    is_list = isinstance(old, list) or len(new) > 1
    changed = write_path(rule, ("age",), new if is_list else new[0])
    assert isinstance(changed, Branch)  # noqa: S101  a rule is a mapping
    return changed


def follow_rules(
    data: bytes, path: Path, rules: Rules, keyring: Keyring, now: str, *, rotate: bool
) -> bytes:
    """Return the SOPS file *data* with the keys that *rules* name for *path*.

    Args:
        data: The file.
        path: Its absolute path.
        rules: The `.sops.yaml`.
        keyring: Opens the file, and wraps for the new keys.
        now: This moment, in RFC 3339.
        rotate: Make a new data key too, so that who was removed knows none that is in use.

    Raises:
        SopsError: If no rule fits, or the file cannot be opened.
        KeyUnusable: If a new key cannot wrap.
    """
    store = open_store(choose_format(path), rules.indents)
    document = load_encrypted(data, store)
    wanted = read_wanted(rules, path, document.metadata)
    if rotate:
        opened = open_document(document, keyring)
        return dump_document(rotate_document(opened, wanted, keyring, now), store)
    if not differs(document.metadata, wanted):
        return data
    data_key = unwrap_data_key(document.metadata, keyring)
    return dump_document(rewrap_document(document, data_key, wanted, keyring, now), store)


def read_wanted(rules: Rules, path: Path, old: Metadata) -> Metadata:
    """Return *old* with the keys that *rules* name for *path* now.

    Raises:
        SopsError: If no rule fits.
    """
    rule = rules.find_rule(path)
    if rule is None:
        raise SopsError(".sops.yaml has no creation rules", hint="`provisioning secrets init`")
    return replace(old, groups=rule.groups, threshold=min(rule.threshold, len(rule.groups)))


def differs(one: Metadata, other: Metadata) -> bool:
    """Tell whether two files are encrypted for different keys."""
    return [_name(group) for group in one.groups] != [_name(group) for group in other.groups]


def _name(group: tuple[MasterKey, ...]) -> set[str]:
    return {key.label for key in group}
