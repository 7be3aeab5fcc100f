"""Runs one target under libFuzzer: `python child.py TARGET [libFuzzer's options and folders]`."""

from __future__ import annotations

import shlex
import sys

import atheris

with atheris.instrument_imports(include=["provisioning", "tomllib", "jinja2"]):
    import jinja2.sandbox  # noqa: F401  what is imported late must be instrumented too
    from targets import TARGETS

    import provisioning.providers.local.models  # noqa: F401


def mutate_bytes(data: bytes, longest: int) -> bytes:
    """Change *data* as libFuzzer does."""
    return atheris.Mutate(data, longest)


if __name__ == "__main__":
    _, name, *options = sys.argv
    target = TARGETS[name]
    custom = {"custom_mutator": target.mutate(mutate_bytes)} if target.mutate else {}
    again = shlex.join([sys.executable, __file__, name])  # libFuzzer's merge starts itself anew
    atheris.Setup([again, *options], target.check, **custom)
    atheris.Fuzz()
