"""Finds the credentials of Google Cloud where `sops` finds them, and gets a token for them.

The files are those of https://cloud.google.com/docs/authentication/application-default-credentials,
the exchanges those of https://developers.google.com/identity/protocols/oauth2/service-account,
https://google.aip.dev/auth and https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sops_python.errors import KeyUnusable
from sops_python.keys import http_calls, jwt

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
LIFETIME = 3600
"""Seconds that a token may be used."""

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
        token = _get_token(credentials, source, environ)
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


def _get_token(found: Mapping[str, Any], source: str, environ: Mapping[str, str]) -> str:
    match found.get("type"):
        case "service_account":
            return _sign_in(found, source, environ)
        case "authorized_user":
            names = ("client_id", "client_secret", "refresh_token")
            form = {name: http_calls.take(found, name, source, HINT) for name in names}
            return _exchange(TOKEN_ADDRESS, {"grant_type": "refresh_token", **form})
        case "impersonated_service_account":
            inner = found.get("source_credentials")
            token = _get_token(inner if isinstance(inner, dict) else {}, source, environ)
            return _impersonate(found, token, source)
        case "external_account":
            token = _exchange_subject(found, source)
            if not found.get("service_account_impersonation_url"):
                return token
            return _impersonate(found, token, source)
    raise KeyUnusable(
        f"credentials of the type {found.get('type')!r} in {source} cannot be used here", hint=HINT
    )


def _sign_in(found: Mapping[str, Any], source: str, environ: Mapping[str, str]) -> str:
    """Return a service account's token; other universes take what it signs itself."""
    name = http_calls.take(found, "client_email", source, HINT)
    key = _load_key(http_calls.take(found, "private_key", source, HINT), source)
    now = int(time.time())
    claims = {"iss": name, "scope": SCOPE, "iat": now, "exp": now + LIFETIME}
    header = {"alg": "RS256", "kid": str(found.get("private_key_id") or "")}
    if find_universe(environ) != UNIVERSE:
        return jwt.sign({**claims, "sub": name}, header, key)
    address = str(found.get("token_uri") or TOKEN_ADDRESS)
    assertion = jwt.sign({**claims, "aud": address}, header, key)
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    return _exchange(address, {"grant_type": grant, "assertion": assertion})


def _load_key(text: str, source: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise KeyUnusable(f"the private_key in {source} is no RSA key", hint=HINT)
    return key


def _exchange_subject(found: Mapping[str, Any], source: str) -> str:
    """Return the token for an identity of elsewhere, told by a file or an address."""
    place = found.get("credential_source")
    place = place if isinstance(place, dict) else {}
    shape = place.get("format") or {}
    if path := place.get("file"):
        try:
            text = Path(path).read_bytes()
        except OSError as exc:
            raise KeyUnusable(
                f"the identity in {path} cannot be read: {exc.strerror}", hint=f"see {source}"
            ) from exc
    elif (address := str(place.get("url") or "")) and not place.get("environment_id"):
        headers, is_near = place.get("headers") or {}, address.startswith("http://")
        text = http_calls.fetch(
            "the identity's provider", address, headers=headers, hint=HINT, is_near=is_near
        )
    else:
        raise KeyUnusable(
            f"the credential_source in {source} is neither a file nor a url",
            hint=f"get a token: {TOKEN}=$(gcloud auth print-access-token)",
        )
    if shape.get("type") == "json":
        wanted = str(shape.get("subject_token_field_name"))
        told = http_calls.take(
            http_calls.parse_object(text, "the identity", HINT), wanted, "it", HINT
        )
    else:
        told = text.decode("ascii", "replace").strip()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": http_calls.take(found, "audience", source, HINT),
        "subject_token_type": http_calls.take(found, "subject_token_type", source, HINT),
        "subject_token": told,
        "scope": SCOPE,
    }
    return _exchange(http_calls.take(found, "token_url", source, HINT), form)


def _exchange(address: str, form: Mapping[str, str]) -> str:
    answer = http_calls.call("Google's token service", address, form=form, hint=HINT)
    return http_calls.take(answer, "access_token", "the answer of Google's token service", HINT)


def _impersonate(found: Mapping[str, Any], token: str, source: str) -> str:
    answer = http_calls.call(
        "Google's IAM",
        http_calls.take(found, "service_account_impersonation_url", source, HINT),
        headers=http_calls.authorise(token, source),
        body={
            "scope": [SCOPE],
            "lifetime": f"{LIFETIME}s",
            "delegates": found.get("delegates") or [],
        },
        hint="the role roles/iam.serviceAccountTokenCreator is needed",
    )
    return http_calls.take(answer, "accessToken", "the answer of Google's IAM", HINT)


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
