"""Wraps data keys for OpenPGP keys by the user's `gpg`, which keeps the private ones."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

from sops_python.errors import KeyUnusable

PROGRAM = "SOPS_GPG_EXEC"
"""The variable that names another program than `gpg`."""


def wrap(fields: Mapping[str, Any], data: bytes, environ: Mapping[str, str]) -> str:
    """Return *data* encrypted to the key whose fingerprint is in *fields*, armoured.

    Raises:
        KeyUnusable: If gpg is missing, or has no such key.
    """
    fingerprint: str = fields["fp"]
    arguments = [
        "--no-default-recipient", "--yes", "--encrypt", "--armor", "--trust-model", "always",
        "--recipient", fingerprint, "--no-encrypt-to",
    ]  # fmt: skip
    return _run(arguments, data, environ, f"encrypt for {fingerprint}").decode()


def unwrap(_: Mapping[str, Any], wrapped: str, environ: Mapping[str, str]) -> bytes:
    """Return what *wrapped* holds.

    Raises:
        KeyUnusable: If gpg is missing, or has none of its private keys.
    """
    return _run(["--use-agent", "--decrypt"], wrapped.encode(), environ, "decrypt")


def _run(arguments: list[str], data: bytes, environ: Mapping[str, str], what: str) -> bytes:
    program = environ.get(PROGRAM) or "gpg"
    command = [program, "--quiet", "--batch", *arguments]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, check=False, env=dict(environ)
        )
    except OSError as exc:
        raise KeyUnusable(
            f"{program} cannot be run: {exc.strerror}", hint=f"install GnuPG, or set {PROGRAM}"
        ) from exc
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise KeyUnusable(
            f"gpg could not {what}: {reason[-1]}", hint="`gpg --list-secret-keys` shows your keys"
        )
    return done.stdout
