"""From the bytes of one manifest file to its resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provisioning.core.expressions.references import Lookup, know_nothing
from provisioning.core.formats.documents import ManifestDocument
from provisioning.core.manifests.for_each import Instance, list_instances
from provisioning.core.manifests.metadata import read_header, read_removed
from provisioning.core.manifests.spec import read_spec
from provisioning.core.manifests.validation import Review, name_type
from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.resources import API_VERSION, Resource

MANIFEST_SUFFIXES: Final = (".yaml", ".yml", ".toml", ".json")
"""How the names of manifest files end."""

_BEGIN = f"begin it with apiVersion: {API_VERSION}"


def compile_manifest(
    data: bytes, file: str, kinds: Mapping[str, Kind], lookup: Lookup = know_nothing
) -> tuple[Resource, ...]:
    """Turn the content of *file* into its resources, in the order they are written.

    Args:
        data: The bytes of the file.
        file: Its name relative to the workspace, with one of `MANIFEST_SUFFIXES`.
        kinds: Every known kind by its name.
        lookup: Answers the settings that `when` and `forEach` name.

    Raises:
        InvalidManifest: If one thing is wrong.
        InvalidWorkspace: If several are; it holds all of them.
    """
    problems: list[ProvisioningError] = []
    resources: dict[ResourceId, Resource] = {}
    for document in parse_manifest(data, file):
        for instance in list_instances(Review(document, file, problems), lookup):
            if resource := _compile_instance(instance, kinds):
                first = resources.setdefault(resource.id, resource)
                if first is not resource:
                    _report_twin(instance.review, first)
    if len(problems) > 1:
        raise InvalidWorkspace(problems)
    if problems:
        raise problems[0]
    return tuple(resources.values())


def parse_manifest(data: bytes, file: str) -> list[ManifestDocument]:
    """Split the content of *file* into its documents; the name tells the format."""
    # Each parser is imported when its first file is read: start-up time is a feature.
    if file.endswith(".toml"):
        from provisioning.core.formats.toml import parse_toml

        return parse_toml(data, file)
    if file.endswith(".json"):
        from provisioning.core.formats.json import parse_json

        return parse_json(data, file)
    from provisioning.core.formats.yaml import parse_yaml

    return parse_yaml(data, file)


def _report_twin(review: Review, first: Resource) -> None:
    review.report(
        (),
        f"{first.id} is declared twice, first on line {first.source.line}",
        "rename or remove one of them",
    )


def _compile_instance(instance: Instance, kinds: Mapping[str, Kind]) -> Resource | None:
    review = instance.review
    tree = review.document.tree
    if not isinstance(tree, dict):
        review.report((), f"a manifest is a map, not {name_type(tree)}", _BEGIN)
        return None
    if not tree.keys() & {"apiVersion", "kind", "removed"}:
        review.report((), "this is not a manifest: it has no apiVersion and no kind", _BEGIN)
        return None
    if "removed" in tree:
        return read_removed(review, tree, kinds)
    header = read_header(review, tree, kinds)
    if header.kind is None:
        return None
    spec = read_spec(review, tree.get("spec"), header.kind)
    if header.id is None:
        return None
    return Resource(
        id=header.id,
        kind=header.kind.name,
        api_version=header.kind.api_version,
        provider=header.kind.provider,
        provider_type=header.kind.provider_type,
        source=review.build_source(),
        spec=spec.fields,
        labels=header.labels,
        lifecycle=header.lifecycle,
        depends_on=header.depends_on,
        references=spec.references,
        moved_from=header.moved_from,
        moved_infra=header.moved_infra,
        templated=spec.templated,
        lines=spec.lines,
        given=instance.given,
    )
