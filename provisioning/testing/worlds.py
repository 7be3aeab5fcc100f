"""A fake cloud account, held in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from itertools import count

import msgspec
from msgspec.structs import replace

from provisioning.core.model.ids import Mark, ResourceId
from provisioning.core.model.values import Tree


class Live(msgspec.Struct, frozen=True):
    """One resource of a `World`: its opaque id there, and the mark it bears, if any."""

    id: str
    kind: str
    attributes: Mapping[str, Tree]
    mark: Mark | None = None


class World:
    """The world of every `MemoryProvider` that is given it: like one account of a cloud.

    Tests use it as the hand that changes things behind the providers' back (`add`, `change`,
    `remove`) and as the oracle (`snapshot`). Thread-safe.

    Attributes:
        calls: How often each method of a provider was called.
        unreadable: Ids of unreadable resources, and why. Tests write it.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.unreadable: dict[ResourceId, str] = {}
        self._live: dict[str, Live] = {}
        self._probes: Counter[str] = Counter()
        self._numbers = count(1)
        self._lock = threading.RLock()

    @contextmanager
    def serve(self, method: str) -> Iterator[None]:
        """Count one call of *method*, and let nothing else happen while it is served."""
        with self._lock:
            self.calls[method] += 1
            yield

    def add(self, kind: str, attributes: Mapping[str, Tree], mark: Mark | None = None) -> Live:
        """Make a resource; without a mark it is a foreign one."""
        with self._lock:
            name = f"{kind.lower()}-{next(self._numbers):06d}"
            self._live[name] = Live(name, kind, deepcopy(dict(attributes)), mark)
            return self._live[name]

    def change(self, name: str, attributes: Mapping[str, Tree]) -> Live:
        """Set some attributes of the resource with the live id *name*.

        Raises:
            KeyError: If there is none.
        """
        with self._lock:
            live = self._live[name]
            return self.put(replace(live, attributes={**live.attributes, **attributes}))

    def put(self, live: Live) -> Live:
        """Store *live* in place of the resource with its id."""
        with self._lock:
            self._live[live.id] = replace(live, attributes=deepcopy(dict(live.attributes)))
            return self._live[live.id]

    def remove(self, name: str) -> None:
        """Remove the resource with the live id *name*, if it is there."""
        with self._lock:
            self._live.pop(name, None)

    def probe(self, name: str) -> int:
        """Return how often the resource with the live id *name* was probed, this time included."""
        with self._lock:
            self._probes[name] += 1
            return self._probes[name]

    def snapshot(self) -> dict[str, Live]:
        """Return everything that exists now, by live id; later changes do not show in it."""
        with self._lock:
            return dict(self._live)
