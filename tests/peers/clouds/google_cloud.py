"""Google Cloud KMS, and what gives tokens for it, as their APIs are documented.

https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys
https://developers.google.com/identity/protocols/oauth2/service-account
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts
https://cloud.google.com/compute/docs/access/authenticate-workloads
"""

from __future__ import annotations

import base64
import os

from assertions import read_assertion
from cloud_server import Refused
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HOSTS = ("*.googleapis.com", "cloudkms.s3nsapis.fr")
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ACCOUNT = "shop@shop-1.iam.gserviceaccount.com"
USER = {"client_id": "1.apps", "client_secret": "user-secret", "refresh_token": "1//refresh"}
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/ci"
SUBJECT = "an.outer.identity"
IMPERSONATE = f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
            404: "NOT_FOUND", 503: "UNAVAILABLE"}  # fmt: skip


def refuse(status, message):
    error = {"code": status, "message": message, "status": STATUSES[status]}
    raise Refused(status, {"error": error})


def refuse_token(code, message):
    raise Refused(400, {"error": code, "error_description": message})


class Google:
    """One key, the service account *public* belongs to, a user, a pool of identities."""

    def __init__(self, name, public):
        self.keys = {name: AESGCM.generate_key(256)}
        self.public = public
        self.tokens = {"ya29.given"}
        self.asked = []
        self.projects = set()
        self.is_down = 0
        self.may_use = True

    def give(self, kind):
        """Return a new token."""
        self.asked.append(kind)
        token = f"ya29.{kind}-{len(self.tokens)}"
        self.tokens.add(token)
        return token

    def answer(self, question):
        match question.host, question.path:
            case "oauth2.googleapis.com", "/token":
                return self.exchange(question.form)
            case "sts.googleapis.com", "/v1/token":
                return self.exchange_identity(question.form)
            case "iamcredentials.googleapis.com", path if path == IMPERSONATE:
                self.check_token(question)
                assert question.json["scope"]
                return {
                    "accessToken": self.give("impersonated"),
                    "expireTime": "2038-01-01T00:00:00Z",
                }
            case "", "/identity":
                assert question.headers["Authorization"] == "bearer runner"
                return {"value": SUBJECT}
            case "", path if path == "/" or path.startswith("/computeMetadata/v1/"):
                return self.tell_machine(question)
            case (("cloudkms.googleapis.com" | "cloudkms.s3nsapis.fr" | ""), path):
                return self.use_key(question, path)
        raise Refused(404, b"<!DOCTYPE html>")

    def exchange(self, form):
        if form["grant_type"] == "refresh_token":
            if {name: form[name] for name in USER} != USER:
                refuse_token("invalid_grant", "Token has been expired or revoked.")
            kind = "user"
        else:
            assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            read = read_assertion(form["assertion"], self.public)
            if read is None:
                refuse_token("invalid_grant", "Invalid JWT Signature.")
            header, claims = read
            assert (header["alg"], header["kid"]) == ("RS256", "1")
            if claims["iss"] != ACCOUNT:
                refuse_token("invalid_grant", "Invalid grant: account not found")
            assert claims["aud"] == "https://oauth2.googleapis.com/token"
            assert SCOPE in claims["scope"].split()
            kind = "account"
        return {"access_token": self.give(kind), "expires_in": 3599, "token_type": "Bearer"}

    def exchange_identity(self, form):
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"
        assert form["requested_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
        assert form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
        if (form["audience"], form["subject_token"]) != (AUDIENCE, SUBJECT):
            refuse_token("invalid_grant", "The subject token is not one of the pool's.")
        return {
            "access_token": self.give("federated"),
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 3599,
        }

    def tell_machine(self, question):
        flavor = {"Metadata-Flavor": "Google"}
        if question.headers["Metadata-Flavor"] != "Google":
            raise Refused(403, b"Missing Metadata-Flavor:Google header.", flavor)
        if not question.path.endswith("/service-accounts/default/token"):
            raise Refused(404, b"not found", flavor)
        token = {"access_token": self.give("machine"), "expires_in": 3599, "token_type": "Bearer"}
        raise Refused(200, token, flavor)

    def check_token(self, question):
        token = question.token
        if token.count(".") == 2:
            read = read_assertion(token, self.public)
            if read and read[1]["sub"] == read[1]["iss"] == ACCOUNT:
                self.asked.append("signed")
                return
        if token not in self.tokens:
            refuse(401, "Request had invalid authentication credentials.")

    def use_key(self, question, path):
        if self.is_down:
            self.is_down -= 1
            refuse(503, "The service is currently unavailable.")
        self.check_token(question)
        self.projects.add(question.headers.get("X-Goog-User-Project"))
        name, _, method = path.removeprefix("/v1/").rpartition(":")
        assert question.method == "POST"
        self.asked.append(method)
        if not self.may_use:
            permission = f"cloudkms.cryptoKeyVersions.useTo{method.capitalize()}"
            refuse(403, f"Permission '{permission}' denied on resource '{name}' "
                        "(or it may not exist).")  # fmt: skip
        if name not in self.keys:
            refuse(404, f"CryptoKey {name} not found.")
        return getattr(self, method)(name, question.json)

    def encrypt(self, name, body):
        nonce = os.urandom(12)
        sealed = AESGCM(self.keys[name]).encrypt(nonce, base64.b64decode(body["plaintext"]), None)
        return {
            "name": f"{name}/cryptoKeyVersions/1",
            "ciphertext": base64.b64encode(nonce + sealed).decode(),
            "protectionLevel": "SOFTWARE",
        }

    def decrypt(self, name, body):
        raw = base64.b64decode(body["ciphertext"])
        try:
            plain = AESGCM(self.keys[name]).decrypt(raw[:12], raw[12:], None)
        except (InvalidTag, ValueError):
            refuse(400, "Decryption failed: the ciphertext is invalid.")
        return {
            "plaintext": base64.b64encode(plain).decode(),
            "usedPrimary": True,
            "protectionLevel": "SOFTWARE",
        }
