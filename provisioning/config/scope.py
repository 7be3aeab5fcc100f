"""What interpolations that are not about resources resolve to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.config.layers import Layers
from provisioning.core.errors import InvalidConfiguration, InvalidManifest, Source
from provisioning.core.interpolation import Reference, is_templated, resolve_text
from provisioning.core.values import Tree, find_nearest, read_at

LEVELS = 16
"""How many settings may refer to each other in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Answers `env`, `paths`, `now`, `git` and `config`; a `Lookup` for manifests.

    Args:
        layers: The settings.
        environ: The environment variables.
        facts: `paths`, `now` and `git`, each a map of names to texts.
    """

    layers: Layers
    environ: Mapping[str, str]
    facts: Mapping[str, Mapping[str, str]]

    def __call__(self, reference: Reference, source: Source) -> Tree:
        """Return the value of *reference*.

        Raises:
            InvalidManifest: If there is none.
        """
        return self._resolve(reference, source, ())

    def _resolve(self, reference: Reference, source: Source, path: tuple[str, ...]) -> Tree:
        match reference.namespace:
            case "env":
                return self._get(self.environ, reference, source, "set it, or give a value")
            case "paths" | "now" | "git":
                known = self.facts[reference.namespace]
                return self._get(known, reference, source, f"there are: {', '.join(known)}")
            case "config":
                return self._get_setting(reference, source, path)
        raise InvalidManifest(
            f"{{{{{reference}}}}} cannot be resolved: no {reference.namespace} are configured",
            hint="remove it, or use `env` or `config.values`",
            source=source,
        )

    def _get(
        self, known: Mapping[str, str], reference: Reference, source: Source, hint: str
    ) -> str:
        name = ".".join(reference.steps)
        if name in known:
            return known[name]
        nearest = find_nearest(name, known)
        raise InvalidManifest(
            f"{{{{{reference}}}}} has no value",
            hint=f"did you mean {nearest!r}?" if nearest else hint,
            source=source,
        )

    def _get_setting(self, reference: Reference, source: Source, path: tuple[str, ...]) -> Tree:
        key = ".".join(reference.steps)
        if key in path or len(path) > LEVELS:
            raise InvalidConfiguration(
                "settings refer to each other: " + " -> ".join((*path, key)),
                hint="give one of them a plain value",
                source=source,
            )
        try:
            value = read_at(self.layers.merge(), reference.steps)
        except KeyError:
            nearest = find_nearest(key, self.layers.list_keys())
            raise InvalidManifest(
                f"{{{{{reference}}}}} has no value",
                hint=f"did you mean 'config.{nearest}'?"
                if nearest
                else "set it below `values` in config/provisioning.yaml",
                source=source,
            ) from None
        return self._resolve_tree(value, source, (*path, key))

    def _resolve_tree(self, value: Tree, source: Source, path: tuple[str, ...]) -> Tree:
        match value:
            case str() if is_templated(value):
                return resolve_text(value, lambda it: self._resolve(it, source, path), source)
            case dict():
                return {key: self._resolve_tree(it, source, path) for key, it in value.items()}
            case list():
                return [self._resolve_tree(item, source, path) for item in value]
        return value
