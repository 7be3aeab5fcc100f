"""Who can read a workspace's secrets: `.sops.yaml`, and the files that follow it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import InvalidArgument
from provisioning.secrets.errors import InvalidSecret, mapping_sops_errors
from sops_python.data_keys import Keyring, unwrap_data_key
from sops_python.disk.replacement import replace_file
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
from sops_python.rules import FILE_NAME, Rules, load_rules, parse_rules
from sops_python.stores.yaml import YamlStore
from sops_python.timestamps import now
from sops_python.tree import Branch, Comment, write_path

Change = Callable[[list[str]], list[str]]

RULES_TEMPLATE = """\
# Which keys encrypt which files; `provisioning secrets recipients add KEY` lets somebody in.
creation_rules:
  - path_regex: \\.enc(\\.[a-z]+)?$
    age: {recipient}
"""


@mapping_sops_errors()
def find_rules(root: Path) -> Rules | None:
    """Return the `.sops.yaml` of the workspace at *root*; None if there is none.

    Raises:
        InvalidSecret: If it cannot be read.
    """
    path = root / FILE_NAME
    return load_rules(path) if path.is_file() else None


@mapping_sops_errors()
def read_rules(data: bytes, path: Path) -> Rules:
    """Return the rules in *data*, the content of the `.sops.yaml` at *path*.

    Raises:
        InvalidSecret: If it cannot be read.
    """
    return parse_rules(data, path)


class NewRules(msgspec.Struct, frozen=True, kw_only=True):
    """A `.sops.yaml` that was made, and the age identity whose recipient it names."""

    path: Path
    recipient: str
    identity: Path
    had_identity: bool


@mapping_sops_errors()
def make_rules(root: Path, environ: Mapping[str, str]) -> NewRules:
    """Make the `.sops.yaml` of the workspace at *root*, and an age identity if there is none.

    Raises:
        InvalidArgument: If there is a `.sops.yaml` already.
        SecretKeyUnusable: If the identity cannot be read or made.
    """
    path = root / FILE_NAME
    if path.exists():
        raise InvalidArgument(
            f"{path} exists already",
            hint="let somebody in: `provisioning secrets recipients add KEY`",
        )
    identity = Path(environ.get(age.KEY_FILE) or age.find_default_file(environ))
    had_identity = identity.exists()
    recipient = age.make_identity(identity)
    replace_file(path, RULES_TEMPLATE.format(recipient=recipient).encode())
    return NewRules(path=path, recipient=recipient, identity=identity, had_identity=had_identity)


@mapping_sops_errors()
def list_keys(name: str, data: bytes) -> tuple[MasterKey, ...]:
    """Return the keys that open *data*, the SOPS file *name*."""
    return load_encrypted(data, open_store(choose_format(name))).metadata.keys


@mapping_sops_errors()
def add_recipient(data: bytes, recipient: str) -> bytes:
    """Return the `.sops.yaml` *data* with the age *recipient* in every creation rule.

    Raises:
        SecretKeyUnusable: If it is no recipient.
        InvalidSecret: If it is in every rule already, or a rule has key groups.
    """
    age.check_recipient(recipient)
    return _change(data, lambda names: names if recipient in names else [*names, recipient])


@mapping_sops_errors()
def remove_recipient(data: bytes, recipient: str) -> bytes:
    """Return the `.sops.yaml` *data* without the age *recipient*.

    Raises:
        InvalidSecret: If no rule has it, or one would have nobody left.
    """

    def remove(names: list[str]) -> list[str]:
        left = [name for name in names if name != recipient]
        if names and not left:
            raise InvalidSecret(
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
        raise InvalidSecret(".sops.yaml has no creation rules", hint="`provisioning secrets init`")
    new = [rule if isinstance(rule, Comment) else _change_rule(rule, change) for rule in rules]
    if new == rules:
        raise InvalidSecret("no rule of .sops.yaml would change", hint="`cat .sops.yaml`")
    return store.dump([write_path(branches[0], ("creation_rules",), new), *branches[1:]])


def _change_rule(rule: Branch, change: Change) -> Branch:
    if rule.get("key_groups"):
        raise InvalidSecret(
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


@mapping_sops_errors()
def follow_rules(
    files: Mapping[str, bytes], rules: Rules, keyring: Keyring, *, rotate: bool
) -> dict[str, bytes]:
    """Return the SOPS *files* whose keys are not those that *rules* name, with these keys.

    Args:
        files: The content of each file, by its path below the folder of the rules.
        rules: The `.sops.yaml`.
        keyring: Opens the files, and wraps for the new keys.
        rotate: Make new data keys too, for every file, so that a recipient who was removed knows
            none that is in use.

    Raises:
        InvalidSecret: If no rule fits a file.
        SecretLocked: If no key opens a file.
        SecretKeyUnusable: If a new key cannot wrap.
    """
    changed = {}
    for name, data in files.items():
        path = rules.path.parent / name
        store = open_store(choose_format(path), rules.indents)
        document = load_encrypted(data, store)
        wanted = read_wanted(rules, path, document.metadata)
        if rotate:
            opened = open_document(document, keyring)
            rewrapped = rotate_document(opened, wanted, keyring, now())
        elif differs(document.metadata, wanted):
            data_key = unwrap_data_key(document.metadata, keyring)
            rewrapped = rewrap_document(document, data_key, wanted, keyring, now())
        else:
            continue
        changed[name] = dump_document(rewrapped, store)
    return changed


@mapping_sops_errors()
def read_wanted(rules: Rules, path: Path, old: Metadata) -> Metadata:
    """Return *old* with the keys that *rules* name for *path* now.

    Raises:
        InvalidSecret: If no rule fits.
    """
    rule = rules.find_rule(path)
    if rule is None:
        raise InvalidSecret(".sops.yaml has no creation rules", hint="`provisioning secrets init`")
    return replace(old, groups=rule.groups, threshold=min(rule.threshold, len(rule.groups)))


def differs(one: Metadata, other: Metadata) -> bool:
    """Return whether two files are encrypted for different keys."""
    return [_name(group) for group in one.groups] != [_name(group) for group in other.groups]


def _name(group: tuple[MasterKey, ...]) -> set[str]:
    return {key.label for key in group}
