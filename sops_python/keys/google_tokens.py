"""Finds the credentials of Google Cloud where `sops` finds them, and gets a token for them.

The files are those of https://cloud.google.com/docs/authentication/application-default-credentials,
the exchanges those of https://developers.google.com/identity/protocols/oauth2/service-account,
https://google.aip.dev/auth and https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from sops_python.errors import KeyUnusable
from sops_python.keys import http_calls

CREDENTIALS, TOKEN = "GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN"
DEFAULT, DEFAULT_FILE = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    ".config/gcloud/application_default_credentials.json",
)
METADATA_HOST, METADATA_ADDRESS = "GCE_METADATA_HOST", "169.254.169.254"
FLAVOR = "Metadata-Flavor"
"""The header that only the metadata server of Google Cloud knows."""

UNIVERSES = ("SOPS_GCP_KMS_UNIVERSE_DOMAIN", "GOOGLE_CLOUD_UNIVERSE_DOMAIN")
UNIVERSE = "googleapis.com"
QUOTA_PROJECT = "GOOGLE_CLOUD_QUOTA_PROJECT"

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_ADDRESS = "https://oauth2.googleapis.com/token"  # noqa: S105  an address
_TYPES = frozenset(
    ("authorized_user", "external_account", "impersonated_service_account", "service_account")
)
_MALFORMED = (ValueError, TypeError, AttributeError, OSError)
"""Errors of google-auth for a file of credentials with values of other types, or places."""

HINT = f"`gcloud auth application-default login`, or set {DEFAULT}"


def find_universe(environ: Mapping[str, str]) -> str:
    """Return the domain of the Google Cloud that the environment names."""
    return next(filter(None, map(environ.get, UNIVERSES)), UNIVERSE)


def get_headers(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a request has to show.

    Raises:
        KeyUnusable: If there are no credentials, or no token is given for them.
    """
    credentials, source = _find_credentials(environ)
    if credentials:
        _check_universe(credentials, source, environ)
        token = _get_token(credentials, source)
    elif token := environ.get(TOKEN, ""):
        source = TOKEN
    else:
        token, source = _ask_machine(environ), "the metadata server"
    headers = http_calls.authorise(token, source)
    if project := environ.get(QUOTA_PROJECT) or credentials.get("quota_project_id"):
        headers["X-Goog-User-Project"] = str(project)
    return headers


def _check_universe(found: Mapping[str, Any], source: str, environ: Mapping[str, str]) -> None:
    """Make sure that credentials are shown only to the Google Cloud that they belong to."""
    own, wanted = found.get("universe_domain") or UNIVERSE, find_universe(environ)
    if own != wanted:
        raise KeyUnusable(
            f"the credentials in {source} belong to {own}, and the key is asked for at {wanted}",
            hint=f"set {UNIVERSES[0]}, or use others",
        )


def _find_credentials(environ: Mapping[str, str]) -> tuple[Mapping[str, Any], str]:
    """Return the first credentials, and where they are; none if a token or the machine is next."""
    text = environ.get(CREDENTIALS, "")
    if text.lstrip().startswith("{"):
        return http_calls.parse_object(text.encode(), CREDENTIALS, HINT), CREDENTIALS
    if text:
        return _read_credentials(Path(text))
    if environ.get(TOKEN):
        return {}, ""
    if path := environ.get(DEFAULT):
        return _read_credentials(Path(path))
    usual = Path(environ.get("HOME") or "/") / DEFAULT_FILE
    return _read_credentials(usual) if usual.exists() else ({}, "")


def _read_credentials(path: Path) -> tuple[Mapping[str, Any], str]:
    try:
        return http_calls.parse_object(path.read_bytes(), str(path), HINT), str(path)
    except OSError as exc:
        raise KeyUnusable(
            f"the credentials in {path} cannot be read: {exc.strerror}", hint=HINT
        ) from exc


def _get_token(found: Mapping[str, Any], source: str) -> str:
    if found.get("type") not in _TYPES:
        raise KeyUnusable(
            f"credentials of the type {found.get('type')!r} in {source} cannot be used here",
            hint=HINT,
        )
    return _fetch_token(found, source)


def _fetch_token(found: Mapping[str, Any], source: str) -> str:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from google.auth.exceptions import GoogleAuthError
    except ImportError as exc:
        raise KeyUnusable(
            "credentials for Google Cloud need google-auth", hint="pip install 'provisioning[gcp]'"
        ) from exc

    near = _find_near(found)

    def call(url: str, *, body: Any = None, headers: Any = None, **_: Any) -> _Response:
        """Be the transport of google-auth: HTTPS without redirects, or HTTP to *near* alone."""
        return _Response(
            http_calls.fetch(
                "Google's token service",
                url,
                hint=HINT,
                headers=headers,
                data=body.encode() if isinstance(body, str) else body,
                is_near=url == near and url.startswith("http://"),
            )
        )

    try:
        credentials = _load_credentials(found)
        credentials.refresh(call)
    except (GoogleAuthError, UnsupportedAlgorithm, *_MALFORMED) as exc:
        is_key = type(exc) is ValueError and found["type"] == "service_account"
        reason = "the private_key is no RSA key" if is_key else exc.args[0]
        raise KeyUnusable(
            f"the credentials in {source} cannot be used: {reason}", hint=HINT
        ) from exc
    return str(credentials.token)


def _find_near(found: Any) -> str:
    """Return the address by which an identity of elsewhere is read; "" if there is none."""
    match found:
        case {"credential_source": {"url": str(address)}}:
            return address
        case {"source_credentials": inner}:
            return _find_near(inner)
    return ""


def _load_credentials(found: Mapping[str, Any]) -> Any:
    from google.auth import identity_pool, impersonated_credentials
    from google.oauth2 import credentials, service_account

    class Pool(identity_pool.Credentials):
        def retrieve_subject_token(self, request: Any) -> str:
            """Return the identity without the line break at the end of its file, as `sops` does."""
            return str(super().retrieve_subject_token(request)).strip()

    info = {"token_uri": TOKEN_ADDRESS, **found}
    match found.get("type"):
        case "authorized_user":
            return credentials.Credentials.from_authorized_user_info(info)
        case "external_account":
            return Pool.from_info(info, scopes=[SCOPE])
        case "impersonated_service_account":
            address = str(info.get("service_account_impersonation_url"))
            return impersonated_credentials.Credentials(
                source_credentials=_load_credentials(info.get("source_credentials") or {}),
                target_principal=address.rpartition("/")[2].partition(":")[0],
                target_scopes=[SCOPE],
                delegates=info.get("delegates") or [],
                iam_endpoint_override=address,
            )
    return service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])


class _Response(msgspec.Struct, frozen=True):
    """An answer as google-auth reads it."""

    data: bytes
    status: int = 200
    headers: dict[str, str] = {}


def _ask_machine(environ: Mapping[str, str]) -> str:
    """Return the token of the machine's service account."""
    named = environ.get(METADATA_HOST, "")
    server = f"http://{named or METADATA_ADDRESS}"
    if not named and FLAVOR not in (http_calls.probe(server) or ()):
        raise KeyUnusable(
            f"no credentials for GCP KMS were found: neither {CREDENTIALS}, {TOKEN} nor {DEFAULT} "
            f"is set, ~/{DEFAULT_FILE} is not there, and this is no machine of Google Cloud",
            hint=HINT,
        )
    query = urlencode({"scopes": SCOPE})
    answer = http_calls.call(
        "the metadata server",
        f"{server}/computeMetadata/v1/instance/service-accounts/default/token?{query}",
        headers={FLAVOR: "Google"},
        is_near=True,
        hint=HINT,
    )
    return http_calls.take(answer, "access_token", "the answer of the metadata server", HINT)
