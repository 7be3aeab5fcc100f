"""Azure Key Vault beside `sops`, as its API is documented, behind a proxy on loopback.

https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups
"""

from __future__ import annotations

import json
import os
from itertools import chain

import azure_cloud
import pytest
from azure_cloud import CLIENT, HEADER, IDENTITY, SECRET, TENANT, Azure, make_key
from certificates import build_certificate
from cloud_server import Refused
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from sops_python.keys import azure_tokens

pytestmark = pytest.mark.peer("sops")

TEXT = b"password: secret\n"
KEY = "https://shop.vault.azure.net/keys/sops"
NEWEST = f"{KEY}/v1"


@pytest.fixture(scope="module")
def private_key():
    return make_key()


@pytest.fixture
def cloud(private_key):
    return Azure(private_key)


@pytest.fixture
def server(cloud, serve_cloud):
    return serve_cloud(cloud, *azure_cloud.HOSTS)


@pytest.fixture
def home(folder, server, cloud_home):
    return cloud_home


def check_both_ways(ours, theirs, folder, key=NEWEST):
    file = folder / "file.yaml"
    for one, other in ((ours, theirs), (theirs, ours)):
        file.write_bytes(TEXT)
        encrypted = one("encrypt", "--azure-kv", key, "file.yaml")
        assert encrypted.code == 0, encrypted.errors
        file.write_bytes(encrypted.output)
        for program in (one, other):
            found = program("decrypt", "file.yaml")
            assert (found.code, found.output) == (0, TEXT), found.errors


def name_the_application(home):
    home.setenv("AZURE_TENANT_ID", TENANT)
    home.setenv("AZURE_CLIENT_ID", CLIENT)


def have_a_secret(home, folder, server, cloud):
    name_the_application(home)
    home.setenv("AZURE_CLIENT_SECRET", SECRET)


def have_a_certificate(home, folder, server, cloud):
    name_the_application(home)
    key = make_key()
    cloud.certificate = build_certificate(key, "shop").sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "shop.pem").write_bytes(pem + cloud.certificate.public_bytes(Encoding.PEM))
    home.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(folder / "shop.pem"))


def have_a_locked_certificate(home, folder, server, cloud):
    name_the_application(home)
    key = make_key()
    cloud.certificate = build_certificate(key, "shop").sign(key, hashes.SHA256())
    old = PrivateFormat.PKCS12.encryption_builder()  # sops reads no newer one
    old = old.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
    lock = old.hmac_hash(hashes.SHA1()).build(b"open sesame")
    kept = pkcs12.serialize_key_and_certificates(b"shop", key, cloud.certificate, None, lock)
    (folder / "shop.pfx").write_bytes(kept)
    home.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(folder / "shop.pfx"))
    home.setenv("AZURE_CLIENT_CERTIFICATE_PASSWORD", "open sesame")


def be_a_workload(home, folder, server, cloud):
    name_the_application(home)
    (folder / "identity").write_text(IDENTITY)
    home.setenv("AZURE_FEDERATED_TOKEN_FILE", str(folder / "identity"))


def be_an_app(home, folder, server, cloud):
    home.setenv("IDENTITY_ENDPOINT", f"{server.address}/msi/token")
    home.setenv("IDENTITY_HEADER", HEADER)


def be_a_machine(home, folder, server, cloud):
    """Theirs asks the machine by a proxy if there is one; ours never does."""
    home.setenv("HTTP_PROXY", server.address)
    home.setattr(azure_tokens, "METADATA", f"{server.address}/metadata/identity/oauth2/token")


def be_a_machine_with_identities(home, folder, server, cloud):
    be_a_machine(home, folder, server, cloud)
    home.setenv("AZURE_CLIENT_ID", CLIENT)


def write_program(home, folder, name, text):
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    home.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


def be_signed_in(home, folder, server, cloud):
    """The machine has no identity, so that its user is asked."""
    be_a_machine(home, folder, server, cloud)
    cloud.has_identity = False
    cloud.tokens["eyJ.user"] = "https://vault.azure.net"
    answer = json.dumps({"accessToken": "eyJ.user", "expires_on": 2147483647})
    expected = (
        f"account get-access-token -o json --resource https://vault.azure.net --tenant {TENANT}"
    )
    write_program(home, folder, "az", f"test \"$*\" = '{expected}' && echo '{answer}'")


def be_signed_in_as_developer(home, folder, server, cloud):
    be_signed_in(home, folder, server, cloud)
    write_program(home, folder, "az", "echo 'ERROR: Please run az login' >&2; exit 1")
    answer = json.dumps({"token": "eyJ.user", "expiresOn": "2038-01-01T00:00:00Z"})
    write_program(home, folder, "azd", f"test $1 = auth && echo '{answer}'")


@pytest.mark.parametrize(
    ("give", "kinds"),
    [
        (have_a_secret, [TENANT, "secret"]),
        (have_a_certificate, [TENANT, "certificate"]),
        (have_a_locked_certificate, [TENANT, "certificate"]),
        (be_a_workload, [TENANT, "workload"]),
        (be_an_app, ["app"]),
        (be_a_machine, ["machine"]),
        (be_a_machine_with_identities, ["machine"]),
        (be_signed_in, []),
        (be_signed_in_as_developer, []),
    ],
)
def test_what_one_program_encrypts_the_other_decrypts_by_the_same_credentials(
    give, kinds, ours, theirs, folder, home, server, cloud
):
    give(home, folder, server, cloud)
    check_both_ways(ours, theirs, folder)
    steps = [[*kinds, step] for step in ("encrypt", "decrypt", "decrypt")]
    assert cloud.asked == [*chain(*steps)] * 2


@pytest.fixture
def secret(home, folder, server, cloud):
    have_a_secret(home, folder, server, cloud)


def test_the_kind_of_credentials_may_be_chosen(ours, theirs, folder, home, server, cloud, secret):
    be_an_app(home, folder, server, cloud)
    home.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    check_both_ways(ours, theirs, folder)
    home.setenv("AZURE_TOKEN_CREDENTIALS", "prod")
    check_both_ways(ours, theirs, folder)
    assert set(cloud.asked[:12:2]) == {"app"}
    assert set(cloud.asked[12:]) == {TENANT, "secret", "encrypt", "decrypt"}


def test_another_cloud_is_another_resource(ours, theirs, folder, home, cloud, secret):
    home.setenv("AZURE_AUTHORITY_HOST", "https://login.example/")
    cloud.domain, cloud.resource = "vault.azure.cn", "https://vault.azure.cn"
    check_both_ways(ours, theirs, folder, NEWEST.replace("azure.net", "azure.cn"))
    assert set(cloud.tokens.values()) == {"https://vault.azure.cn"}


def test_another_tenant_is_asked_if_that_is_allowed(ours, theirs, folder, home, cloud, secret):
    cloud.vault_tenant = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
    home.setenv("AZURE_ADDITIONALLY_ALLOWED_TENANTS", f"other;{cloud.vault_tenant}")
    check_both_ways(ours, theirs, folder)
    assert TENANT not in cloud.asked
    assert cloud.vault_tenant in cloud.asked


@pytest.mark.parametrize("key", [KEY, f"{KEY}/"])
def test_without_a_version_the_newest_is_recorded(
    key, ours, theirs, folder, home, cloud, secret, private_key
):
    check_both_ways(ours, theirs, folder, key)
    cloud.versions["v2"] = private_key
    for program in (ours, theirs):
        (folder / "file.yaml").write_bytes(TEXT)
        assert program("encrypt", "-i", "--azure-kv", key, "file.yaml").code == 0
        assert "version: v2" in (folder / "file.yaml").read_text()


def test_updatekeys_follows_a_new_version(ours, theirs, folder, home, cloud, secret):
    (folder / ".sops.yaml").write_text(f"creation_rules:\n  - azure_keyvault: {KEY}\n")
    (folder / "file.yaml").write_bytes(TEXT)
    assert ours("encrypt", "-i", "file.yaml").code == 0
    assert "already up to date" in ours("updatekeys", "--yes", "file.yaml").errors
    cloud.versions["v2"] = make_key()
    said = ours("updatekeys", "--yes", "file.yaml").output.decode()
    assert f"+++ {KEY}/v2\n--- {KEY}/v1" in said
    assert theirs("decrypt", "file.yaml").output == TEXT
    assert "already up to date" in theirs("updatekeys", "--yes", "file.yaml").errors


@pytest.mark.parametrize("vault", ["https://shop.vault.azure.net", "https://shop.vault.azure.net/"])
def test_rules_and_key_groups_name_keys(vault, ours, theirs, folder, home, cloud, secret):
    cloud.versions = {"v2": make_key(), **cloud.versions}
    (folder / ".sops.yaml").write_text(
        "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n"
        f"      - azure_keyvault: [{{vaultUrl: {vault}, key: sops, version: v2}}]\n"
        f"      - azure_keyvault: [{{vaultUrl: {vault}, key: sops}}]\n"
    )
    for one, two in ((ours, theirs), (theirs, ours)):
        (folder / "groups.yaml").write_bytes(TEXT)
        assert one("encrypt", "-i", "groups.yaml").code == 0
        assert two("decrypt", "groups.yaml").output == TEXT
    del cloud.versions["v2"]
    found = ours("decrypt", "groups.yaml")
    assert found.code == 128
    assert "404 A key with (name/id) sops was not found" in found.errors


def test_keys_are_added_and_removed(ours, theirs, folder, home, secret, recipient):
    (folder / "file.yaml").write_bytes(TEXT)
    assert ours("encrypt", "-i", "--age", recipient, "file.yaml").code == 0
    assert ours("rotate", "-i", "--add-azure-kv", KEY, "file.yaml").code == 0
    assert ours("rotate", "-i", "--rm-age", recipient, "file.yaml").code == 0
    assert theirs("decrypt", "file.yaml").output == TEXT
    assert ours("rotate", "-i", "--add-age", recipient, "--rm-azure-kv", KEY, "file.yaml").code == 0
    assert "azure_kv" not in (folder / "file.yaml").read_text()


def forget_the_key(cloud, *_):
    cloud.versions.clear()


def remake_the_key(cloud, *_):
    cloud.versions = {"v1": make_key()}


def lose_the_right(cloud, *_):
    cloud.may_use = False


def have_another_secret(_, home, __):
    home.setenv("AZURE_CLIENT_SECRET", "secret-other")


def be_another_application(_, home, __):
    home.setenv("AZURE_CLIENT_ID", "other")


def be_of_another_tenant(cloud, *_):
    cloud.vault_tenant = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"


def have_none(_, home, __):
    home.delenv("AZURE_CLIENT_SECRET")


def have_no_certificate(_, home, folder):
    have_none(_, home, folder)
    (folder / "shop.pem").write_text("secret")
    home.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(folder / "shop.pem"))


def have_no_identity(_, home, folder):
    have_none(_, home, folder)
    home.setenv("AZURE_FEDERATED_TOKEN_FILE", "/nowhere")


def be_signed_out(_, home, folder):
    have_none(_, home, folder)
    write_program(home, folder, "az", "echo 'ERROR: Please run az login.' >&2; exit 1")


def have_an_az_that_babbles(_, home, folder):
    have_none(_, home, folder)
    write_program(home, folder, "az", "echo secret")


def be_a_machine_of_arc(_, home, folder):
    have_none(_, home, folder)
    home.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:40342/metadata/identity/oauth2/token")


def choose_nonsense(_, home, __):
    home.setenv("AZURE_TOKEN_CREDENTIALS", "AzurePowerShellCredential")


def be_an_impostor(cloud, *_):
    cloud.resource = "https://vault.example.net"


def want_no_token(cloud, *_):
    cloud.open_vault = lambda *_: {"value": "secret"}


def be_no_vault(cloud, *_):
    def answer(*_):
        raise Refused(401, b"")

    cloud.open_vault = answer


def answer_nothing(cloud, *_):
    cloud.use = lambda *_: {"kid": NEWEST}


def answer_no_base64(cloud, *_):
    cloud.use = lambda *_: {"value": "secret%"}


def have_no_network(_, home, __):
    home.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


def damage_the_file(_, __, folder):
    text = (folder / "file.yaml").read_text()
    (folder / "file.yaml").write_text(text.replace("enc: ", "enc: '%%'  # ", 1))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (forget_the_key, "404 A key with (name/id) sops was not found in this key vault."),
        (remake_the_key, "400 The parameter is incorrect."),
        (lose_the_right, "403 Caller is not authorized to perform action on resource. If role"),
        (have_another_secret, "401 invalid_client: AADSTS7000215: Invalid client secret provided."),
        (be_another_application, "400 unauthorized_client: AADSTS700016: Application was not"),
        (be_of_another_tenant, "the vault belongs to the tenant f8cdef31"),
        (have_none, "EnvironmentCredential: neither AZURE_CLIENT_SECRET nor"),
        (have_none, "WorkloadIdentityCredential: AZURE_FEDERATED_TOKEN_FILE is not set"),
        (have_none, "ManagedIdentityCredential: this is no machine of Azure"),
        (have_none, "AzureCLICredential: az cannot be run: No such file"),
        (have_no_certificate, "shop.pem is no certificate with its key"),
        (have_no_identity, "the identity in /nowhere cannot be read"),
        (be_signed_out, "AzureCLICredential: az: ERROR: Please run az login."),
        (have_an_az_that_babbles, "az told no accessToken"),
        (be_a_machine_of_arc, "IDENTITY_ENDPOINT alone tells of cannot be used here"),
        (choose_nonsense, "'azurepowershellcredential', which is none of the credentials"),
        (be_an_impostor, "a token for https://vault.example.net, to which it does not belong"),
        (want_no_token, "https://shop.vault.azure.net asked for no token"),
        (be_no_vault, "401 Unauthorized"),
        (answer_nothing, "the vault's answer holds no value"),
        (answer_no_base64, "a value that is no base64"),
        (have_no_network, "did not answer at https://shop.vault.azure.net"),
        (damage_the_file, "what the Azure key has wrapped is damaged"),
    ],
)
def test_what_azure_refuses_is_told_and_changes_nothing(
    spoil, what, ours, folder, home, secret, cloud
):
    (folder / "file.yaml").write_bytes(TEXT)
    assert ours("encrypt", "-i", "--azure-kv", KEY, "file.yaml").code == 0
    spoil(cloud, home, folder)
    before = (folder / "file.yaml").read_bytes()
    for line in (["decrypt", "-i", "file.yaml"], ["set", "file.yaml", '["a"]', "1"]):
        found = ours(*line)
        assert found.code == 128
        assert what in found.errors
        assert "secret" not in found.errors.replace("Invalid client secret provided", "")
        assert "eyJ" not in found.errors
    assert (folder / "file.yaml").read_bytes() == before


def test_a_key_whose_newest_version_cannot_be_asked_for_is_told(
    ours, theirs, folder, home, cloud, secret
):
    cloud.versions.clear()
    (folder / "file.yaml").write_bytes(TEXT)
    for program in (ours, theirs):
        found = program("encrypt", "-i", "--azure-kv", KEY, "file.yaml")
        assert found.code == 1
        assert "KeyNotFound" in found.errors or "404 A key with (name/id) sops" in found.errors
    assert (folder / "file.yaml").read_bytes() == TEXT


def test_a_vault_without_tls_is_told(ours, folder, home, secret, server):
    (folder / ".sops.yaml").write_text(
        "creation_rules:\n  - key_groups:\n"
        f"      - azure_keyvault: [{{vaultUrl: '{server.address}', key: sops, version: v1}}]\n"
    )
    (folder / "file.yaml").write_bytes(TEXT)
    found = ours("encrypt", "-i", "file.yaml")
    assert found.code == 1
    assert f"'{server.address}' is not the address of an Azure vault" in found.errors
