"""Azure Key Vault, and what gives tokens for it, as their APIs are documented.

https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups
https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
https://learn.microsoft.com/entra/identity-platform/certificate-credentials
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
https://learn.microsoft.com/azure/app-service/overview-managed-identity
"""

from __future__ import annotations

import base64

from assertions import decode, read_assertion
from cloud_server import Refused
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

HOSTS = ("*.vault.azure.net", "*.vault.azure.cn", "login.microsoftonline.com", "login.example")
TENANT, CLIENT = "72f988bf-86f1-41af-91ab-2d7cd011db47", "fad7d5b3-69d6-4b48-9259-8d12124e1cf1"
SECRET, IDENTITY, HEADER = "client~secret", "an.outer.identity", "853b9a84"
FORBIDDEN = (
    "Caller is not authorized to perform action on resource.\r\n"
    "If role assignments were changed recently, please observe propagation time."
)
DISCOVERY = "/v2.0/.well-known/openid-configuration"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
OAEP = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_key():
    return rsa.generate_private_key(65537, 2048)


def refuse(status, code, message, **headers):
    raise Refused(status, {"error": {"code": code, "message": message}}, headers)


def refuse_token(status, code, message):
    number = int(message.partition(":")[0].removeprefix("AADSTS"))
    body = {"error": code, "error_description": message, "error_codes": [number]}
    raise Refused(status, body)


class Azure:
    """One key with its versions, and an application whose certificate is *certificate*."""

    def __init__(self, key):
        self.versions = {"v1": key}
        self.certificate = None
        self.domain = "vault.azure.net"
        self.resource = "https://vault.azure.net"
        self.vault_tenant = TENANT
        self.tokens = {}
        self.asked = []
        self.may_use = True
        self.has_identity = True

    def give(self, kind, resource):
        """Return a new token for *resource*."""
        self.asked.append(kind)
        token = f"eyJ.{kind}.{len(self.tokens)}"
        self.tokens[token] = resource
        return {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def answer(self, question):
        host, path = question.host, question.path
        if host in HOSTS[2:]:
            return self.sign_in(question, path.strip("/").split("/"))
        if path == "/metadata/identity/oauth2/token":
            return self.tell_machine(question)
        if path == "/msi/token":
            assert question.headers["X-IDENTITY-HEADER"] == HEADER
            assert question.query["api-version"] == "2019-08-01"
            return self.give("app", question.query["resource"])
        if host == f"shop.{self.domain}":
            return self.open_vault(question, path.strip("/").split("/"))
        raise Refused(404, b"<!DOCTYPE html>")

    def sign_in(self, question, path):
        server = f"https://{question.host}"
        match path:
            case ["common", "discovery", "instance"]:
                return {
                    "tenant_discovery_endpoint": f"{server}/{TENANT}{DISCOVERY}",
                    "metadata": [
                        {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
                        for host in HOSTS[2:]
                    ],
                }
            case [tenant, "v2.0", ".well-known", "openid-configuration"]:
                return {
                    "token_endpoint": f"{server}/{tenant}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{server}/{tenant}/oauth2/v2.0/authorize",
                    "issuer": f"{server}/{tenant}/v2.0",
                }
            case [tenant, "oauth2", "v2.0", "token"]:
                kind = self.check_application(question.form, f"{server}{question.path}")
                scopes = [each for each in question.form["scope"].split() if "://" in each]
                assert [each.endswith("/.default") for each in scopes] == [True]
                self.asked.append(tenant)
                return self.give(kind, scopes[0].removesuffix("/.default"))
        raise Refused(404, b"")

    def check_application(self, form, address):
        assert form["grant_type"] == "client_credentials"
        if form["client_id"] != CLIENT:
            refuse_token(400, "unauthorized_client", "AADSTS700016: Application was not found.")
        if "client_secret" in form:
            if form["client_secret"] != SECRET:
                refuse_token(
                    401, "invalid_client", "AADSTS7000215: Invalid client secret provided."
                )
            return "secret"
        assert form["client_assertion_type"] == ASSERTION
        if self.certificate is None:
            if form["client_assertion"] != IDENTITY:
                refuse_token(401, "invalid_client", "AADSTS50027: JWT token is invalid.")
            return "workload"
        read = read_assertion(form["client_assertion"], self.certificate.public_key())
        if read is None:
            refuse_token(401, "invalid_client", "AADSTS700027: The signature is not valid.")
        header, claims = read
        assert decode(header["x5t#S256"].replace("+", "-").replace("/", "_").rstrip("=")) == (
            self.certificate.fingerprint(SHA256())
        )
        assert claims["iss"] == claims["sub"] == CLIENT
        assert claims["aud"] == address
        return "certificate"

    def tell_machine(self, question):
        if question.headers["Metadata"] != "true":
            refuse_machine("Required metadata header not specified")
        assert question.query["api-version"] == "2018-02-01"
        if not self.has_identity or question.query.get("client_id", CLIENT) != CLIENT:
            refuse_machine("Identity not found")
        return self.give("machine", question.query["resource"])

    def open_vault(self, question, path):
        if not question.token:
            assert not question.data
            authority = f"https://login.microsoftonline.com/{self.vault_tenant}"
            challenge = f'Bearer authorization="{authority}", resource="{self.resource}"'
            refuse(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.",
                   **{"WWW-Authenticate": challenge})  # fmt: skip
        if self.tokens.get(question.token) != self.resource:
            refuse(401, "Unauthorized", "AKV10022: Invalid audience.")
        assert question.query["api-version"]
        if not self.may_use:
            refuse(403, "Forbidden", FORBIDDEN)
        match question.method, path:
            case "GET", ["keys", "sops"] if self.versions:
                self.asked.append("get")
                address = f"https://shop.{self.domain}/keys/sops/{[*self.versions][-1]}"
                return {"key": {"kid": address, "kty": "RSA"}, "attributes": {"enabled": True}}
            case "POST", ["keys", "sops", version, ("encrypt" | "decrypt") as method] if (
                version in self.versions
            ):
                self.asked.append(method)
                return self.use(version, method, question.json)
        words = f"A key with (name/id) {path[1]} was not found in this key vault."
        return refuse(404, "KeyNotFound", words)

    def use(self, version, method, body):
        assert body["alg"] == "RSA-OAEP-256"
        key, data = self.versions[version], decode(body["value"])
        try:
            done = (
                key.public_key().encrypt(data, OAEP)
                if method == "encrypt"
                else key.decrypt(data, OAEP)
            )
        except ValueError:
            refuse(400, "BadParameter", "The parameter is incorrect.\r\n")
        return {
            "kid": f"https://shop.{self.domain}/keys/sops/{version}",
            "value": encode(done),
        }


def refuse_machine(message):
    raise Refused(400, {"error": "invalid_request", "error_description": message})
