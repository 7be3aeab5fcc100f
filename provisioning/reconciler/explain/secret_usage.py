"""Finds where a secret is kept and who uses it, by the names alone: no key is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from provisioning.config.provenance import Layers, list_leaves
from provisioning.core.expressions.interpolation import Reference, parse_text
from provisioning.core.expressions.reference_paths import Ways, is_related
from provisioning.core.expressions.references import SECRETS
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import Path, Tree, find_nearest, read_at
from provisioning.core.statelog.transitions import LogView
from provisioning.core.status.provenance import Authorship, Link
from provisioning.core.status.secret_usage import Keeping, SecretUsage, Usage, find_readers
from provisioning.gitstore.statelog.applications import find_application
from provisioning.reconciler.explain.checkout import Checkout
from provisioning.reconciler.explain.provenance import link_manifest, link_setting
from provisioning.secrets.errors import mapping_sops_errors
from provisioning.secrets.files import FOLDER, MARK, find_file, list_folders
from provisioning.secrets.generated import describe
from provisioning.secrets.values import find_path, join_values
from sops_python.files import choose_format, load_encrypted, open_store


def read_usages(checkout: Checkout, views: Mapping[str, LogView], name: str) -> SecretUsage:
    """Tell where the secret *name* is kept and who uses it, in the infras of *views*.

    Args:
        checkout: The newest desired state.
        views: The state log of each infra.
        name: The secret as references name it, `secrets.FILE.KEY`; also a map of secrets.

    Raises:
        InvalidArgument: If there is no such secret, and nothing names it.
        InvalidManifest: If *name* cannot be a secret's.
        InvalidSecret: If the file that is to hold it is not encrypted, or cannot be read.
    """
    (secret,) = parse_text(f"{{{{{name}}}}}")
    assert isinstance(secret, Reference)  # noqa: S101  it stands in braces
    finder = _Finder(checkout, secret)
    kept = finder.find_kept(views.keys())
    settings = finder.find_settings(views.keys())
    used = tuple(item for infra, view in views.items() for item in finder.find_used(infra, view))
    if not settings and not used and not any(item.is_there for item in kept):
        raise finder.describe_stranger(views.keys())
    return SecretUsage(secret=name, kept=kept, settings=settings, used=used)


@dataclass(slots=True)
class _Finder:
    checkout: Checkout
    secret: Reference
    _values: dict[str, Tree] = field(default_factory=dict)
    _authors: dict[str, Authorship | None] = field(default_factory=dict)

    def find_kept(self, infras: Iterable[str]) -> tuple[Keeping, ...]:
        """Return the file that each of *infras* finds the secret in; most often the same."""
        places = [list_folders(infra) for infra in infras] or [(FOLDER,)]
        found = (
            find_file(self.secret.steps[0], place, self.checkout.read_file) for place in places
        )
        return tuple(self._keep(*item) for item in dict.fromkeys(filter(None, found)))

    def _keep(self, file: str, data: bytes) -> Keeping:
        name, *steps = self.secret.steps
        kind = choose_format(file)
        with mapping_sops_errors(file):
            document = load_encrypted(data, open_store(kind))
        values = self._values[file] = join_values(document, kind)
        by = self._authors[file] = self.checkout.find_last_author(file)
        made = describe(name, document.branches[0]) if document.branches else None
        return Keeping(
            file=file,
            key=".".join(steps),
            is_there=_has(values, steps),
            by=by,
            fingerprint=made.fingerprint if made else "",
            created=made.created if made else "",
        )

    def find_settings(self, infras: Iterable[str]) -> tuple[Link, ...]:
        """Return the settings of *infras* that name the secret, each place once."""
        links: list[Link] = []
        for infra in infras:
            layers = self.checkout.load_layers(infra)
            links += (setting for setting in self._link_settings(layers) if setting not in links)
        return tuple(links)

    def _link_settings(self, layers: Layers) -> Iterator[Link]:
        references = layers.list_references()
        for key, value in list_leaves(layers.tree):
            if any(
                is_related(reference, str(self.secret)) for reference in references.get(key, ())
            ):
                yield link_setting(self.checkout, key, value.value, value.origin)

    def find_used(self, infra: str, view: LogView) -> Iterator[Usage]:
        """Yield every field of the resources of *infra* that reads the secret."""
        settings = self.checkout.load_layers(infra).list_references()
        for resource in self.checkout.read_resources(infra).values():
            for path, reads in find_readers(resource, str(self.secret), settings):
                yield self._use(infra, view, resource, path, reads)

    def _use(self, infra: str, view: LogView, resource: Resource, path: Path, reads: Ways) -> Usage:
        checkout = self.checkout
        written = read_at(resource.spec, path)
        link = link_manifest(checkout, resource, infra, ("spec", *path), written=written)
        found = find_file(self.secret.steps[0], list_folders(infra), checkout.read_file)
        file = found[0] if found else ""
        applied, _ = find_application(checkout.repository, view.head, resource.id, path)
        return Usage(
            infra=infra,
            id=resource.id,
            link=link,
            file=file,
            reads=reads,
            applied=applied,
            is_newer=applied is not None and self._is_newer(view, link.by, self._authors.get(file)),
        )

    def _is_newer(self, view: LogView, *authors: Authorship | None) -> bool:
        seen, is_ancestor = view.run, self.checkout.repository.is_ancestor
        return seen is not None and any(
            by is not None and not is_ancestor(by.commit, seen.commit) for by in authors
        )

    def describe_stranger(self, infras: Collection[str]) -> InvalidArgument:
        """Build the error for a secret that is kept nowhere, and that nothing names."""
        name, *steps = self.secret.steps
        for file, values in self._values.items():
            known = list(values) if isinstance(values, Mapping) else []
            nearest = find_nearest(steps[0], known)
            return InvalidArgument(
                f"{file} has no {'.'.join(steps)!r}, and nothing refers to that",
                hint=f"did you mean {SECRETS}.{name}.{nearest}?"
                if nearest
                else f"it has: {', '.join(known) or 'no keys'}",
            )
        nearest = find_nearest(name, self._list_names(infras))
        return InvalidArgument(
            f"there is no committed file of secrets called {name!r}, and nothing refers to one",
            hint=f"did you mean {SECRETS}.{nearest}?"
            if nearest
            else f"make it: `provisioning sops {FOLDER}/{name}{MARK}.yaml`, and commit",
        )

    def _list_names(self, infras: Iterable[str]) -> list[str]:
        folders = {folder for infra in infras for folder in list_folders(infra)} | {FOLDER}
        names = (name for folder in folders for name in self.checkout.list_names(folder))
        return sorted({name.partition(MARK)[0] for name in names if MARK in name})


def _has(values: Tree, steps: list[str]) -> bool:
    try:
        find_path(values, steps)
    except KeyError:
        return False
    return True
