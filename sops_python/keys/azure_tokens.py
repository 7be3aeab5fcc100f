"""Finds the credentials of Azure where `sops` finds them, and gets a token for them.

The order is that of the `DefaultAzureCredential`
(https://learn.microsoft.com/azure/developer/go/sdk/authentication/credential-chains), the exchanges
are those of
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from sops_python.errors import KeyUnusable
from sops_python.keys import http_calls

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

TENANT, CLIENT, SECRET = "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"
CERTIFICATE, PASSWORD = "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD"
FEDERATED = "AZURE_FEDERATED_TOKEN_FILE"
AUTHORITY, DEFAULT_AUTHORITY = "AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com"
OTHER_TENANTS = "AZURE_ADDITIONALLY_ALLOWED_TENANTS"
ENDPOINT, ENDPOINT_HEADER = "IDENTITY_ENDPOINT", "IDENTITY_HEADER"
METADATA = "http://169.254.169.254/metadata/identity/oauth2/token"
CHOICE = "AZURE_TOKEN_CREDENTIALS"

TIMEOUT = 10.0
"""Seconds that `az` may take."""

HINT = f"`az login`, or set {TENANT}, {CLIENT} and {SECRET}"
_SIGN_IN = f"check {TENANT}, {CLIENT} and the credential of the application"


class _NotAtHand(Exception):
    """A kind of credentials is not here; the next one is tried."""


def get_token(resource: str, tenant: str, environ: Mapping[str, str]) -> str:
    """Return a token for *resource*, from the first credentials at hand.

    Args:
        resource: What it is for: `https://vault.azure.net`.
        tenant: The tenant that owns it.
        environ: The environment variables.

    Raises:
        KeyUnusable: If there are no credentials, or no token is given for them.
    """
    missing = []
    for name in _choose(environ):
        try:
            return _SOURCES[name](resource, tenant, environ)
        except _NotAtHand as exc:
            missing.append(f"{name}: {exc}")
    raise KeyUnusable(f"no credentials for Azure were found: {'; '.join(missing)}", hint=HINT)


def _choose(environ: Mapping[str, str]) -> list[str]:
    wanted = environ.get(CHOICE, "").lower()
    names = list(_SOURCES)
    groups = {"": names, "prod": names[:3], "dev": names[3:]}
    chosen = groups.get(wanted, [name for name in names if name.lower() == wanted])
    if not chosen:
        raise KeyUnusable(
            f"{CHOICE} is {wanted!r}, which is none of the credentials that can be used here",
            hint=f"unset it, or write prod, dev or one of {', '.join(names)}",
        )
    return chosen


def _use_environment(resource: str, tenant: str, environ: Mapping[str, str]) -> str:
    _need(environ, TENANT, CLIENT)
    if secret := environ.get(SECRET):
        return _sign_in(resource, tenant, environ, secret)
    if path := environ.get(CERTIFICATE):
        return _sign_in(resource, tenant, environ, _read_certificate(path, environ))
    raise _NotAtHand(f"neither {SECRET} nor {CERTIFICATE} is set")


def _use_workload(resource: str, tenant: str, environ: Mapping[str, str]) -> str:
    _need(environ, CLIENT, FEDERATED, TENANT)
    try:
        text = Path(environ[FEDERATED]).read_text("ascii", "replace").strip()
    except OSError as exc:
        raise KeyUnusable(
            f"the identity in {environ[FEDERATED]} cannot be read: {exc.strerror}",
            hint=f"check {FEDERATED}",
        ) from exc
    return _sign_in(resource, tenant, environ, {"client_assertion": lambda: text})


def _need(environ: Mapping[str, str], *names: str) -> None:
    unset = [name for name in names if not environ.get(name)]
    if unset:
        raise _NotAtHand(f"{unset[0]} is not set")


def _find_authority(tenant: str, environ: Mapping[str, str]) -> str:
    """Return where the tenant gives tokens: the one that is set, unless another is allowed."""
    own = environ[TENANT]
    allowed = environ.get(OTHER_TENANTS, "").split(";")
    if tenant in {"", own}:
        tenant = own
    elif "*" not in allowed and tenant not in allowed:
        raise KeyUnusable(
            f"the vault belongs to the tenant {tenant}, and {TENANT} is another",
            hint=f"set {TENANT}, or name it in {OTHER_TENANTS}",
        )
    host = environ.get(AUTHORITY) or DEFAULT_AUTHORITY
    return f"{host.rstrip('/')}/{tenant}"


class _EntraAnswer(msgspec.Struct, frozen=True):
    """An answer as MSAL reads it; a refusal raises before."""

    text: str
    status_code: int = 200
    headers: dict[str, str] = {}


class _EntraClient:
    """The HTTP client of MSAL: by HTTPS alone, without redirects, within limits."""

    def get(self, url: str, *, headers: Any = None, params: Any = None, **_: Any) -> _EntraAnswer:
        """Return the answer at *url*."""
        return self._fetch(f"{url}?{urlencode(params)}" if params else url, headers, None)

    def post(self, url: str, *, headers: Any = None, data: Any = None, **_: Any) -> _EntraAnswer:
        """Return the answer to the form *data* at *url*."""
        return self._fetch(url, headers, urlencode(data).encode())

    def _fetch(self, url: str, headers: Any, data: bytes | None) -> _EntraAnswer:
        text = http_calls.fetch("Microsoft Entra", url, hint=_SIGN_IN, headers=headers, data=data)
        return _EntraAnswer(text.decode("utf-8", "replace"))


def _sign_in(resource: str, tenant: str, environ: Mapping[str, str], proof: Any) -> str:
    try:
        import msal
    except ImportError as exc:
        raise KeyUnusable(
            "credentials for Azure need MSAL", hint="pip install 'provisioning[azure]'"
        ) from exc
    authority = _find_authority(tenant, environ)
    try:
        application = msal.ConfidentialClientApplication(
            environ[CLIENT],
            client_credential=proof,
            authority=authority,
            http_client=_EntraClient(),
        )
        answer = application.acquire_token_for_client([f"{resource}/.default"])
    except (ValueError, KeyError, TypeError) as exc:
        raise KeyUnusable(
            f"Microsoft Entra gave no token at {authority}: its answer is malformed", hint=_SIGN_IN
        ) from exc
    return http_calls.take(answer, "access_token", "the answer of Microsoft Entra", _SIGN_IN)


def _read_certificate(path: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the certificate at *path* as MSAL takes it, which signs by it."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        key, certificates = _load_certificates(
            Path(path).read_bytes(), environ.get(PASSWORD, "").encode() or None
        )
    except OSError as exc:
        raise _NotAtHand(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, TypeError) as exc:
        raise _NotAtHand(f"{path} is no certificate with its key, or {PASSWORD} is wrong") from exc
    if not isinstance(key, RSAPrivateKey) or not certificates:
        raise _NotAtHand(f"{path} holds no certificate with an RSA key")
    text = certificates[0].public_bytes(Encoding.PEM).decode()
    return {"private_key": key, "public_certificate": text}


def _load_certificates(
    data: bytes, password: bytes | None
) -> tuple[PrivateKeyTypes | None, list[Certificate]]:
    """Return the key and the certificates in *data*, which is PEM or PKCS#12; the key's first."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
    from cryptography.x509 import load_pem_x509_certificates

    if b"-----BEGIN" not in data:
        key, certificate, others = pkcs12.load_key_and_certificates(data, password)
        return key, [*([certificate] if certificate else []), *others]
    key = load_pem_private_key(data, password)
    found = load_pem_x509_certificates(data)
    own = [item for item in found if item.public_key() == key.public_key()]
    return key, [*own, *(item for item in found if item not in own)] if own else []


def _use_machine(resource: str, _: str, environ: Mapping[str, str]) -> str:
    """Return the token of the identity that Azure gives a machine, or an app."""
    client = {"client_id": environ[CLIENT]} if environ.get(CLIENT) else {}
    if (address := environ.get(ENDPOINT)) and (header := environ.get(ENDPOINT_HEADER)):
        headers, version = {"X-IDENTITY-HEADER": header}, "2019-08-01"
    elif found := [name for name in (ENDPOINT, "MSI_ENDPOINT") if environ.get(name)]:
        raise _NotAtHand(f"the kind that {found[0]} alone tells of cannot be used here")
    else:
        address, headers, version = METADATA, {"Metadata": "true"}, "2018-02-01"
        if http_calls.probe(METADATA) is None:
            raise _NotAtHand("this is no machine of Azure")
    query = urlencode({"api-version": version, "resource": resource, **client})
    hint = f"give the machine an identity, or set {CLIENT} to one of its own"
    try:
        answer = http_calls.call(
            "the managed identity",
            f"{address}?{query}",
            headers=headers,
            is_near=True,
            hint=hint,
        )
        return http_calls.take(answer, "access_token", "the answer of the managed identity", hint)
    except KeyUnusable as exc:
        status = exc.status if isinstance(exc, http_calls.Refused) else None
        is_bad = status == HTTPStatus.BAD_REQUEST
        has_none = status == HTTPStatus.FORBIDDEN or (is_bad and not client)
        if has_none or (address == METADATA and not is_bad):
            raise _NotAtHand(exc.message) from exc  # or it is another cloud's machine
        raise


def _use_cli(resource: str, tenant: str, environ: Mapping[str, str]) -> str:
    """Return the token that `az` has for its user."""
    command = ["az", "account", "get-access-token", "-o", "json", "--resource", resource]
    if re.fullmatch(r"\w[\w.-]*", tenant):
        command += ["--tenant", tenant]
    return _run(command, "accessToken", environ)


def _use_developer_cli(resource: str, tenant: str, environ: Mapping[str, str]) -> str:
    """Return the token that `azd` has for its user."""
    command = ["azd", "auth", "token", "-o", "json", "--no-prompt"]
    command += ["--scope", f"{resource}/.default"]
    if re.fullmatch(r"\w[\w.-]*", tenant):
        command += ["--tenant-id", tenant]
    return _run(command, "token", environ)


def _run(command: list[str], wanted: str, environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command, env=dict(environ), capture_output=True, check=False, timeout=TIMEOUT
        )
    except OSError as exc:
        raise _NotAtHand(f"{command[0]} cannot be run: {exc.strerror}") from exc
    except subprocess.TimeoutExpired as exc:
        raise _NotAtHand(f"{command[0]} does not answer") from exc
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise _NotAtHand(f"{command[0]}: {reason[0][: http_calls.SHOWN]}")
    try:
        token = json.loads(done.stdout)[wanted]
    except (ValueError, KeyError, TypeError) as exc:
        raise _NotAtHand(f"{command[0]} told no {wanted}") from exc
    return str(token)


_SOURCES = {
    "EnvironmentCredential": _use_environment,
    "WorkloadIdentityCredential": _use_workload,
    "ManagedIdentityCredential": _use_machine,
    "AzureCLICredential": _use_cli,
    "AzureDeveloperCLICredential": _use_developer_cli,
}
"""The kinds of credentials, in the order of `sops`, by the names that Azure gives them."""
