"""Finds the file of a secret and its users, by names alone: no key is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from provisioning.config.provenance import list_leaves
from provisioning.core.expressions.interpolation import Reference, parse_text
from provisioning.core.expressions.reference_paths import Ways, is_related
from provisioning.core.expressions.references import SECRETS
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import Path, Tree, find_nearest, read_at
from provisioning.core.statelog.transitions import LogView
from provisioning.core.status.provenance import Authorship, Link
from provisioning.core.status.secret_usage import SecretFile, SecretUsage, Usage, find_readers
from provisioning.gitstore.statelog.applications import find_application
from provisioning.reconciler.explain.checkout import Checkout
from provisioning.reconciler.explain.provenance import is_newer, link_manifest, link_setting
from provisioning.secrets.errors import mapping_sops_errors
from provisioning.secrets.files import FOLDER, MARK, find_file, list_folders
from provisioning.secrets.generated import describe
from provisioning.secrets.values import find_path, join_values
from sops_python.files import choose_format, load_encrypted, open_store


def read_secret_usage(checkout: Checkout, views: Mapping[str, LogView], name: str) -> SecretUsage:
    """Return the file of the secret *name* and its users in the infras of *views*.

    *name* is a secret or a map of secrets, as in references: `secrets.FILE.KEY`.

    Raises:
        InvalidArgument: If there is no such secret, and no reference to it.
        InvalidManifest: If *name* is malformed.
        InvalidSecret: If its file is not encrypted, or is unreadable.
    """
    (secret,) = parse_text(f"{{{{{name}}}}}")
    assert isinstance(secret, Reference)  # noqa: S101  it stands in braces
    finder = _Finder(checkout, secret)
    files = finder.find_files(views.keys())
    settings: list[Link] = []
    for link in finder.find_settings(views.keys()):
        settings += [link] if link not in settings else []
    used = tuple(usage for infra, view in views.items() for usage in finder.find_used(infra, view))
    if not settings and not used and not any(file.is_there for file in files):
        raise finder.build_unknown_error(views.keys())
    return SecretUsage(secret=name, files=files, settings=tuple(settings), used=used)


@dataclass(slots=True)
class _Finder:
    checkout: Checkout
    secret: Reference
    _values: dict[str, Tree] = field(default_factory=dict)
    _authors: dict[str, Authorship | None] = field(default_factory=dict)

    def find_files(self, infras: Iterable[str]) -> tuple[SecretFile, ...]:
        """Return the files in which *infras* find the secret; most often one."""
        name, read = self.secret.steps[0], self.checkout.read_file
        places = [list_folders(infra) for infra in infras] or [(FOLDER,)]
        found = (find_file(name, place, read) for place in places)
        return tuple(self._describe(*item) for item in dict.fromkeys(filter(None, found)))

    def _describe(self, file: str, data: bytes) -> SecretFile:
        name, *steps = self.secret.steps
        kind = choose_format(file)
        with mapping_sops_errors(file):
            document = load_encrypted(data, open_store(kind))
        values = self._values[file] = join_values(document, kind)
        by = self._authors[file] = self.checkout.find_last_author(file)
        made = describe(name, document.branches[0]) if document.branches else None
        return SecretFile(
            file=file,
            key=".".join(steps),
            is_there=_has(values, steps),
            by=by,
            fingerprint=made.fingerprint if made else "",
            created=made.created if made else "",
        )

    def find_settings(self, infras: Iterable[str]) -> Iterator[Link]:
        """Yield the settings of *infras* that name the secret."""
        for infra in infras:
            layers = self.checkout.load_layers(infra)
            references = layers.list_references()
            for key, value in list_leaves(layers.tree):
                if any(is_related(name, str(self.secret)) for name in references.get(key, ())):
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
        found = checkout.find_secret_file(infra, self.secret.steps[0])
        file = found[0] if found else ""
        applied, _ = find_application(checkout.repository, view.head, resource.id, path)
        return Usage(
            infra=infra,
            id=resource.id,
            link=link,
            file=file,
            reads=reads,
            applied=applied,
            is_newer=applied is not None
            and is_newer(checkout, view, (link.by, self._authors.get(file))),
        )

    def build_unknown_error(self, infras: Collection[str]) -> InvalidArgument:
        """Return the error for a secret without a file or a reference."""
        name, *steps = self.secret.steps
        for file, values in self._values.items():
            known = list(values) if isinstance(values, Mapping) else []
            nearest = find_nearest(steps[0], known)
            hint = f"it has: {', '.join(known) or 'no keys'}"
            return InvalidArgument(
                f"{file} has no {'.'.join(steps)!r}, and nothing refers to that",
                hint=f"did you mean {SECRETS}.{name}.{nearest}?" if nearest else hint,
            )
        nearest = find_nearest(name, self._list_names(infras))
        hint = f"make it: `provisioning sops {FOLDER}/{name}{MARK}.yaml`, and commit"
        return InvalidArgument(
            f"there is no committed file of secrets called {name!r}, and nothing refers to one",
            hint=f"did you mean {SECRETS}.{nearest}?" if nearest else hint,
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
