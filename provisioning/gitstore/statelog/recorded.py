"""The records of a state log at one of its commits, read on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import msgspec

from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import Record
from provisioning.core.statelog.transitions import RESOURCES
from provisioning.gitstore.statelog.shards import LEAF_SUFFIX, get_digits, parse_leaf

if TYPE_CHECKING:
    from provisioning.gitstore.objects.commits import FolderEntry
    from provisioning.gitstore.repository.repository import Repository


class RecordChanges(msgspec.Struct, frozen=True):
    """The difference of two recorded states: the changed records, and how many more."""

    names: frozenset[ResourceId]
    growth: int


class Records(Protocol):
    """The records at one commit of a state log. Equal ids mean equal records."""

    @property
    def head(self) -> CommitId | None:
        """The commit they were read at."""

    @property
    def id(self) -> str:
        """The name of exactly these records, "" for none at all."""

    def get(self, name: ResourceId) -> Record | None:
        """Return the record of one resource."""

    def read_all(self) -> dict[ResourceId, Record]:
        """Return every record, by id."""

    def compute_changes(self, since: str) -> RecordChanges | None:
        """Compare with the records whose id is *since*; None if those cannot be read any more."""


@dataclass
class GitRecords:
    """The records of *head*, which are below the tree *id*. See `Records`."""

    repository: Repository
    head: CommitId | None
    id: str
    _trees: dict[str, dict[str, FolderEntry]] = field(default_factory=dict)
    _leaves: dict[str, dict[ResourceId, Record]] = field(default_factory=dict)

    def get(self, name: ResourceId) -> Record | None:
        """See `Records.get`."""
        tree, path = self.id, RESOURCES
        for digit in get_digits(name) if tree else "":
            entries, path = self._read_tree(tree), f"{path}/{digit}"
            folder, leaf = entries.get(digit), entries.get(digit + LEAF_SUFFIX)
            if folder is None or not folder.is_folder:
                return self._read_leaf(leaf.id, path).get(name) if leaf else None
            tree = folder.id
        return None

    def read_all(self) -> dict[ResourceId, Record]:
        """See `Records.read_all`."""
        return self._all

    @cached_property
    def _all(self) -> dict[ResourceId, Record]:
        read = self.repository.read_blob
        files = self.repository.walk_files(self.id) if self.id else ()
        leaves = [(f"{RESOURCES}/{file.path}", file.blob) for file in files]
        return {item.id: item for path, blob in leaves for item in parse_leaf(read(blob), path)}

    def compute_changes(self, since: str) -> RecordChanges | None:
        """See `Records.compute_changes`."""
        if since and not self.repository.has_object(since):
            return None
        names: set[ResourceId] = set()
        growth = 0
        for change in self.repository.walk_changes(since or None, self.id or None):
            path = f"{RESOURCES}/{change.path}"
            before = self._read_leaf(change.before, path) if change.before else {}
            after = self._read_leaf(change.after, path) if change.after else {}
            names |= {name for name in {**before, **after} if before.get(name) != after.get(name)}
            growth += len(after) - len(before)
        return RecordChanges(frozenset(names), growth)

    def _read_tree(self, tree: str) -> dict[str, FolderEntry]:
        if tree not in self._trees:
            self._trees[tree] = {item.name: item for item in self.repository.read_tree(tree)}
        return self._trees[tree]

    def _read_leaf(self, blob: str, path: str) -> dict[ResourceId, Record]:
        if blob not in self._leaves:
            found = parse_leaf(self.repository.read_blob(blob, path), path)
            self._leaves[blob] = {item.id: item for item in found}
        return self._leaves[blob]
