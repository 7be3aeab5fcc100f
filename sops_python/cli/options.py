"""The options that the commands of `sops` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sops_python.cli.words import take_first, take_first_if_any

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

FORMATS = "ini, json, yaml, dotenv or binary; by default that of the file's name."

_KEYS = (
    (("--kms", "-k"), "SOPS_KMS_ARN", "Comma separated list of KMS ARNs."),
    (("--gcp-kms",), "SOPS_GCP_KMS_IDS", "Comma separated list of GCP KMS resource IDs."),
    (("--hckms",), "SOPS_HUAWEICLOUD_KMS_IDS", "Comma separated list of HuaweiCloud KMS key IDs."),
    (("--azure-kv",), "SOPS_AZURE_KEYVAULT_URLS", "Comma separated list of Azure Key Vault URLs."),
    (("--hc-vault-transit",), "SOPS_VAULT_URIS", "Comma separated list of Vault's key URIs."),
    (("--pgp", "-p"), "SOPS_PGP_FP", "Comma separated list of PGP fingerprints."),
    (("--age", "-a"), "SOPS_AGE_RECIPIENTS", "Comma separated list of age recipients."),
)

_SELECTIONS = (
    ("--unencrypted-suffix", "Override the unencrypted key suffix."),
    ("--encrypted-suffix", "Override the encrypted key suffix."),
    ("--unencrypted-regex", "Leave only the keys that match unencrypted."),
    ("--encrypted-regex", "Encrypt only the keys that match."),
    ("--unencrypted-comment-regex", "Leave only what has a comment that matches unencrypted."),
    ("--encrypted-comment-regex", "Encrypt only what has a comment that matches."),
)


def combine(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Return one decorator that applies *decorators* in the order of the help."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


KEYS = combine(
    *(click.option(*names, envvar=variable, help=text) for names, variable, text in _KEYS),
    click.option("--aws-profile", help="The AWS profile to use for requests to AWS."),
    click.option("--encryption-context", help="KMS encryption context: key:value,…"),
    click.option("--shamir-secret-sharing-threshold", type=int, default=0, help="Groups needed."),
)

SELECTION = combine(*(click.option(name, help=text) for name, text in _SELECTIONS))

TYPES = combine(
    click.option("--input-type", help=FORMATS),
    click.option("--output-type", help=FORMATS),
)

IN_PLACE = click.option("--in-place", "-i", is_flag=True, help="Write back to the same file.")

OUTPUT = combine(
    IN_PLACE, click.option("--output", help="Save the output to this file instead of stdout.")
)

IGNORE_MAC = click.option("--ignore-mac", is_flag=True, help="Do not check the MAC.")

ORDER = click.option(
    "--decryption-order",
    envvar="SOPS_DECRYPTION_ORDER",
    help="Comma separated list of kinds of keys, the first to try first.",
)

NAME = click.option("--filename-override", help="Take rules and format by this name.")

ROTATION = combine(
    *(
        click.option(f"--{verb}-{names[0][2:]}", help=f"{what} these keys.")
        for names, _, _ in _KEYS
        for verb, what in (("add", "Add"), ("rm", "Remove"))
    )
)


def _tell_bench(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Let a command's own choice of key services hold, not that which stands before it."""
    from sops_python.cli.files import Bench

    if isinstance(context.obj, Bench):
        if parameter.name == "keyservice":
            context.obj.services = value
        else:
            context.obj.has_local_service = value
    return value


class _Address(click.types.StringParamType):
    """An address; commas separate several in the environment."""

    envvar_list_splitter = ","

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address without blanks around it."""
        return str(super().convert(value, param, ctx)).strip()


KEYSERVICE = combine(
    click.option(
        "--enable-local-keyservice/--disable-local-keyservice",
        "has_local_service",
        envvar="SOPS_ENABLE_LOCAL_KEYSERVICE",
        default=True,
        hidden=True,
        callback=_tell_bench,
    ),
    click.option(
        "--keyservice",
        type=_Address(),
        envvar="SOPS_KEYSERVICE",
        multiple=True,
        hidden=True,
        callback=_tell_bench,
    ),
)

FILE = click.argument("file", nargs=-1, metavar="FILE", callback=take_first)

FILE_OR_INPUT = click.argument("file", nargs=-1, metavar="[FILE]", callback=take_first_if_any)
