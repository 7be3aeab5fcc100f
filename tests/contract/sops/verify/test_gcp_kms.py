"""GCP KMS beside `sops`, as its API is documented, behind a proxy on loopback.

https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys
"""

from __future__ import annotations

import json
from itertools import chain

import google_cloud
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google_cloud import ACCOUNT, AUDIENCE, IMPERSONATE, SUBJECT, USER, Google

from sops_python.keys import google_tokens, http_calls

pytestmark = pytest.mark.peer("sops")

TEXT = b"password: secret\n"
KEY = "projects/shop-1/locations/global/keyRings/shop/cryptoKeys/sops"


@pytest.fixture(scope="module")
def account():
    """The private key of a service account."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def cloud(account):
    return Google(KEY, account.public_key())


@pytest.fixture
def server(cloud, serve_cloud):
    return serve_cloud(cloud, *google_cloud.HOSTS)


@pytest.fixture
def home(folder, server, cloud_home):
    cloud_home.setenv("SOPS_GCP_KMS_CLIENT_TYPE", "rest")
    return cloud_home


def check_both_ways(ours, theirs, folder):
    file = folder / "file.yaml"
    for one, other in ((ours, theirs), (theirs, ours)):
        file.write_bytes(TEXT)
        encrypted = one("encrypt", "--gcp-kms", KEY, "file.yaml")
        assert encrypted.code == 0, encrypted.errors
        file.write_bytes(encrypted.output)
        for program in (one, other):
            found = program("decrypt", "file.yaml")
            assert (found.code, found.output) == (0, TEXT), found.errors


def describe_account(account, **more):
    pem = account.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "type": "service_account",
        "project_id": "shop-1",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": ACCOUNT,
        "token_uri": "https://oauth2.googleapis.com/token",
    } | more


def describe_user(**more):
    return {"type": "authorized_user", **USER, **more}


def describe_impersonation():
    return {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": f"https://iamcredentials.googleapis.com{IMPERSONATE}",
        "delegates": [],
        "source_credentials": describe_user(),
    }


def describe_identity(source, **more):
    return {
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": source,
    } | more


def write(folder, found, name="credentials.json"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))
    return str(path)


def give_a_token(home, folder, server, account):
    home.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.given")
    home.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")


def give_an_account(home, folder, server, account):
    home.setenv("GOOGLE_CREDENTIALS", json.dumps(describe_account(account)))
    home.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.other")


def name_an_account(home, folder, server, account):
    home.setenv("GOOGLE_CREDENTIALS", write(folder, describe_account(account)))


def name_default_credentials(home, folder, server, account):
    home.setenv("GOOGLE_APPLICATION_CREDENTIALS", write(folder, describe_account(account)))


def have_a_user_at_home(home, folder, server, account):
    write(folder, describe_user(), "home/.config/gcloud/application_default_credentials.json")


def impersonate(home, folder, server, account):
    home.setenv("GOOGLE_APPLICATION_CREDENTIALS", write(folder, describe_impersonation()))


def have_an_outer_identity(home, folder, server, account):
    (folder / "identity").write_text(f"{SUBJECT}\n")
    found = describe_identity({"file": str(folder / "identity")})
    home.setenv("GOOGLE_APPLICATION_CREDENTIALS", write(folder, found))


def fetch_an_outer_identity(home, folder, server, account):
    source = {
        "url": f"{server.address}/identity",
        "headers": {"Authorization": "bearer runner"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    }
    url = f"https://iamcredentials.googleapis.com{IMPERSONATE}"
    found = describe_identity(source, service_account_impersonation_url=url)
    home.setenv("GOOGLE_APPLICATION_CREDENTIALS", write(folder, found))


def be_a_machine_of_google(home, folder, server, account):
    home.setenv("GCE_METADATA_HOST", server.place)


def be_another_machine(cloud, home, server):
    have_none(cloud, home, server)
    home.setattr(google_tokens, "METADATA_ADDRESS", server.place)
    cloud.answer = lambda _: {}


@pytest.mark.parametrize(
    ("give", "kinds"),
    [
        (give_a_token, []),
        (give_an_account, ["account"]),
        (name_an_account, ["account"]),
        (name_default_credentials, ["account"]),
        (have_a_user_at_home, ["user"]),
        (impersonate, ["user", "impersonated"]),
        (have_an_outer_identity, ["federated"]),
        (fetch_an_outer_identity, ["federated", "impersonated"]),
        (be_a_machine_of_google, ["machine"]),
    ],
)
def test_what_one_program_encrypts_the_other_decrypts_by_the_same_credentials(
    give, kinds, ours, theirs, folder, home, server, cloud, account
):
    give(home, folder, server, account)
    check_both_ways(ours, theirs, folder)
    steps = [[*kinds, step] for step in ("encrypt", "decrypt", "decrypt")]
    assert cloud.asked == [*chain(*steps)] * 2


@pytest.fixture
def token(home):
    home.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.given")


def test_a_machine_of_google_is_known(ours, folder, home, server, cloud):
    home.setattr(google_tokens, "METADATA_ADDRESS", server.place)
    (folder / "file.yaml").write_bytes(TEXT)
    assert ours("encrypt", "-i", "--gcp-kms", KEY, "file.yaml").code == 0
    assert cloud.asked == ["machine", "encrypt"]


def test_another_server_may_be_named(ours, theirs, folder, home, token, server):
    home.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    home.setenv("NO_PROXY", "127.0.0.1")
    address = server.serve_alone()
    for named in (address, address.removeprefix("https://")):
        home.setenv("SOPS_GCP_KMS_ENDPOINT", named)
        check_both_ways(ours, theirs, folder)


def test_another_universe_takes_what_the_account_signs(ours, theirs, folder, home, cloud, account):
    home.setenv("SOPS_GCP_KMS_UNIVERSE_DOMAIN", "s3nsapis.fr")
    found = describe_account(account, universe_domain="s3nsapis.fr")
    home.setenv("GOOGLE_CREDENTIALS", json.dumps(found))
    check_both_ways(ours, theirs, folder)
    assert set(cloud.asked) == {"signed", "encrypt", "decrypt"}


def test_the_project_that_pays_is_told(ours, theirs, folder, home, cloud):
    have = describe_user(quota_project_id="shop-2")
    home.setenv("GOOGLE_CREDENTIALS", json.dumps(have))
    check_both_ways(ours, theirs, folder)
    assert cloud.projects == {"shop-2"}
    home.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "shop-3")
    check_both_ways(ours, theirs, folder)
    assert cloud.projects == {"shop-2", "shop-3"}


def test_rules_and_key_groups_name_keys(ours, theirs, folder, home, token, cloud):
    other = KEY.replace("/sops", "/other")
    cloud.keys[other] = AESGCM.generate_key(256)
    (folder / ".sops.yaml").write_text(
        f"creation_rules:\n  - path_regex: flat\n    gcp_kms: {KEY}\n"
        "  - shamir_threshold: 2\n    key_groups:\n"
        f"      - gcp_kms: [{{resource_id: {KEY}}}]\n      - gcp_kms: [{{resource_id: {other}}}]\n"
    )
    for name in ("flat.yaml", "groups.yaml"):
        for one, two in ((ours, theirs), (theirs, ours)):
            (folder / name).write_bytes(TEXT)
            assert one("encrypt", "-i", name).code == 0
            assert two("decrypt", name).output == TEXT
    del cloud.keys[other]
    assert ours("decrypt", "flat.yaml").output == TEXT
    found = ours("decrypt", "groups.yaml")
    assert found.code == 128
    assert f"CryptoKey {other} not found." in found.errors


def test_keys_are_added_updated_and_removed(ours, theirs, folder, home, token, recipient):
    (folder / "file.yaml").write_bytes(TEXT)
    assert ours("encrypt", "-i", "--age", recipient, "file.yaml").code == 0
    (folder / ".sops.yaml").write_text(f"creation_rules:\n  - gcp_kms: {KEY}\n")
    said = ours("updatekeys", "--yes", "file.yaml")
    assert f"+++ {KEY}\n--- {recipient}" in said.output.decode()
    assert theirs("decrypt", "file.yaml").output == TEXT
    assert ours("rotate", "-i", "--rm-gcp-kms", KEY, "--add-age", recipient, "file.yaml").code == 0
    assert "gcp_kms" not in (folder / "file.yaml").read_text()
    assert ours("rotate", "-i", "--add-gcp-kms", KEY, "file.yaml").code == 0
    home.delenv("SOPS_AGE_KEY_FILE")
    assert theirs("decrypt", "file.yaml").output == TEXT


def test_what_fails_in_passing_is_tried_again(ours, folder, home, token, cloud):
    (folder / "file.yaml").write_bytes(TEXT)
    cloud.is_down = len(http_calls.PAUSES)
    assert ours("encrypt", "-i", "--gcp-kms", KEY, "file.yaml").code == 0
    assert ours("decrypt", "file.yaml").output == TEXT


def forget_the_key(cloud, *_):
    cloud.keys.clear()


def remake_the_key(cloud, *_):
    cloud.keys = {KEY: AESGCM.generate_key(256)}


def lose_the_right(cloud, *_):
    cloud.may_use = False


def be_down(cloud, *_):
    cloud.is_down = 1000


def have_another_token(_, home, __):
    home.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.secret-other")


def have_a_broken_token(_, home, __):
    home.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.secret\nlines")


def have_a_revoked_user(_, home, __):
    home.setenv("GOOGLE_CREDENTIALS", json.dumps(describe_user(refresh_token="secret-old")))


def have_another_key(_, home, __):
    other = rsa.generate_private_key(65537, 2048)
    home.setenv("GOOGLE_CREDENTIALS", json.dumps(describe_account(other)))


def have_a_broken_key(_, home, __):
    found = {"type": "service_account", "client_email": ACCOUNT, "private_key": "secret"}
    home.setenv("GOOGLE_CREDENTIALS", json.dumps(found))


def have_credentials_that_are_none(_, home, __):
    home.setenv("GOOGLE_CREDENTIALS", '{"private_key": "secret')


def have_credentials_of_another_type(_, home, __):
    home.setenv("GOOGLE_CREDENTIALS", json.dumps({"type": "gdch_service_account"}))


def have_an_identity_of_amazon(_, home, __):
    source = {"environment_id": "aws1", "url": "http://169.254.169.254"}
    home.setenv("GOOGLE_CREDENTIALS", json.dumps(describe_identity(source)))


def name_no_credentials(_, home, __):
    home.setenv("GOOGLE_CREDENTIALS", "/nowhere/credentials.json")


def have_none(_, home, __):
    home.delenv("GOOGLE_OAUTH_ACCESS_TOKEN")


def name_a_server_without_tls(_, home, server):
    home.setenv("SOPS_GCP_KMS_ENDPOINT", server.address)


def have_no_network(_, home, __):
    home.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


def meet_a_captive_portal(cloud, *_):
    cloud.answer = lambda _: b"<!DOCTYPE html>"


def answer_nothing(cloud, *_):
    cloud.answer = lambda _: {}


def answer_no_base64(cloud, *_):
    cloud.answer = lambda _: {"plaintext": "%%"}


def send_elsewhere(cloud, *_):
    def answer(_):
        raise google_cloud.Refused(302, b"", {"Location": "https://cloudkms.s3nsapis.fr/"})

    cloud.answer = answer


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (forget_the_key, f"404 CryptoKey {KEY} not found."),
        (remake_the_key, "400 Decryption failed: the ciphertext is invalid."),
        (lose_the_right, "403 Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied"),
        (be_down, "503 The service is currently unavailable."),
        (have_another_token, "401 Request had invalid authentication credentials."),
        (have_a_broken_token, "GOOGLE_OAUTH_ACCESS_TOKEN gave no token"),
        (have_a_revoked_user, "400 invalid_grant: Token has been expired or revoked."),
        (have_another_key, "400 invalid_grant: Invalid JWT Signature."),
        (have_a_broken_key, "cannot be used: the private_key is no RSA key"),
        (have_credentials_that_are_none, "GOOGLE_CREDENTIALS is no JSON object"),
        (have_credentials_of_another_type, "of the type 'gdch_service_account'"),
        (have_an_identity_of_amazon, "Invalid Identity Pool credential_source field"),
        (name_no_credentials, "/nowhere/credentials.json cannot be read: No such file"),
        (have_none, "no credentials for GCP KMS were found"),
        (be_another_machine, "no credentials for GCP KMS were found"),
        (name_a_server_without_tls, "is no place for a secret"),
        (have_no_network, "did not answer at https://cloudkms.googleapis.com"),
        (meet_a_captive_portal, "is no JSON object"),
        (answer_nothing, "the answer of GCP KMS holds no plaintext"),
        (answer_no_base64, "a plaintext that is no base64"),
        (send_elsewhere, "302 Found"),
    ],
)
def test_what_kms_refuses_is_told_and_changes_nothing(
    spoil, what, ours, folder, home, token, server, cloud
):
    (folder / "file.yaml").write_bytes(TEXT)
    assert ours("encrypt", "-i", "--gcp-kms", KEY, "file.yaml").code == 0
    before = (folder / "file.yaml").read_bytes()
    spoil(cloud, home, server)
    for line in (["decrypt", "-i", "file.yaml"], ["set", "file.yaml", '["a"]', "1"]):
        found = ours(*line)
        assert found.code == 128
        assert what in found.errors
        assert "secret" not in found.errors.replace("is no place for a secret", "")
        assert "ya29" not in found.errors
    assert (folder / "file.yaml").read_bytes() == before


@pytest.mark.parametrize("name", ["shop", KEY.replace("/keyRings/shop", ""), f"{KEY}/x"])
def test_a_resource_id_that_is_none_is_told(name, ours, theirs, folder, home, token):
    (folder / "file.yaml").write_bytes(TEXT)
    assert theirs("encrypt", "-i", "--gcp-kms", name, "file.yaml").code == 1
    found = ours("encrypt", "-i", "--gcp-kms", name, "file.yaml")
    assert found.code == 1
    assert f"{name!r} is not the resource ID of a GCP KMS key" in found.errors
    assert (folder / "file.yaml").read_bytes() == TEXT
