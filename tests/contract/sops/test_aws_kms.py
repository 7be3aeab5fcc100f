"""AWS KMS, beside `sops`, against a fake AWS that checks contexts and records who asks."""

from __future__ import annotations

import base64
import json
import re
from urllib.request import Request, urlopen

import pytest

boto3 = pytest.importorskip("boto3")

pytestmark = [
    pytest.mark.peer("sops"),
    pytest.mark.peer("moto_server"),
    pytest.mark.xdist_group("moto"),
]

TEXT = b"password: secret\n"
REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/operations"


@pytest.fixture
def aws(moto_server, folder, monkeypatch):
    """A home with the credentials of two profiles, and the address of the service."""
    home = folder / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = x\n"
        "[shop]\naws_access_key_id = AKIASHOP\naws_secret_access_key = y\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SOPS_AGE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return moto_server


@pytest.fixture
def kms(aws):
    return boto3.client("kms", region_name=REGION, endpoint_url=aws)


@pytest.fixture
def arn(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture
def record(aws):
    """Call something; return by which access keys KMS was asked meanwhile, and what STS was."""

    def call(path):
        with urlopen(Request(f"{aws}/moto-api/recorder/{path}", method="POST")) as answer:
            return answer.read()

    def run(action):
        call("reset-recording")
        call("start-recording")
        action()
        call("stop-recording")
        with urlopen(f"{aws}/moto-api/recorder/download-recording") as answer:
            requests = [json.loads(line) for line in answer.read().splitlines() if line]
        keys, assumed = set(), []
        for each in requests:
            found = re.search(r"Credential=(\w+)/\d+/[\w-]+/kms/", str(each["headers"]))
            keys |= {found[1]} if found else set()
            body = base64.b64decode(each["body"]) if each["body_encoded"] else each["body"].encode()
            assumed += [body.decode()] if b"AssumeRole" in body else []
        return keys, assumed

    return run


def encrypt(program, folder, *options):
    file = folder / "file.yaml"
    file.write_bytes(TEXT)
    encrypted = program("encrypt", *options, "file.yaml")
    assert encrypted.code == 0, encrypted.errors
    file.write_bytes(encrypted.output)


def decrypt(program):
    found = program("decrypt", "file.yaml")
    assert (found.code, found.output) == (0, TEXT), found.errors


@pytest.mark.parametrize("options", [(), ("--encryption-context", "app:shop,stage:test")])
def test_what_one_program_encrypts_the_other_decrypts(options, ours, theirs, folder, arn):
    for one, other in ((ours, theirs), (theirs, ours)):
        encrypt(one, folder, "--kms", arn, *options)
        decrypt(one)
        decrypt(other)


def test_an_alias_names_a_key(ours, theirs, folder, kms, arn):
    alias = f"alias/{folder.name}"
    kms.create_alias(AliasName=alias, TargetKeyId=arn)
    encrypt(ours, folder, "--kms", arn.rpartition(":")[0] + f":{alias}")
    decrypt(theirs)


def test_another_context_opens_nothing(ours, theirs, folder, arn):
    encrypt(ours, folder, "--kms", arn, "--encryption-context", "app:shop")
    file = folder / "file.yaml"
    file.write_bytes(file.read_bytes().replace(b"app: shop", b"app: other"))
    assert (theirs("decrypt", "file.yaml").code, ours("decrypt", "file.yaml").code) == (128, 128)


def test_a_role_is_assumed_to_use_the_key(ours, theirs, folder, arn, record):
    for program in (ours, theirs):
        keys, assumed = record(lambda p=program: encrypt(p, folder, "--kms", f"{arn}+{ROLE}"))
        assert f"role: {ROLE}" in (folder / "file.yaml").read_text()
        assert "AKIADEFAULT" not in keys
        assert all("operations" in each and "sops" in each for each in assumed)
        assert len(assumed) == 1
        for other in (ours, theirs):
            keys, assumed = record(lambda p=other: decrypt(p))
            assert "AKIADEFAULT" not in keys
            assert len(assumed) == 1


def test_a_profile_is_used(ours, theirs, folder, arn, record):
    for program in (ours, theirs):
        keys, _ = record(
            lambda p=program: encrypt(p, folder, "--kms", arn, "--aws-profile", "shop")
        )
        assert keys == {"AKIASHOP"}
        for other in (ours, theirs):
            assert record(lambda p=other: decrypt(p))[0] == {"AKIASHOP"}


def test_rules_name_context_role_and_profile(ours, theirs, folder, arn, record):
    (folder / ".sops.yaml").write_text(
        "creation_rules:\n  - key_groups:\n      - kms:\n"
        f"          - arn: {arn}\n            role: {ROLE}\n            aws_profile: shop\n"
        "            context: {app: shop}\n"
    )
    for one, other in ((ours, theirs), (theirs, ours)):
        encrypt(one, folder)
        assert "app: shop" in (folder / "file.yaml").read_text()
        keys, assumed = record(lambda p=other: decrypt(p))
        assert len(assumed) == 1
        assert keys.isdisjoint({"AKIADEFAULT", "AKIASHOP"})


def test_a_key_that_is_not_there_is_told(ours, folder, arn):
    file = folder / "file.yaml"
    file.write_bytes(TEXT)
    other = f"{arn.rpartition('/')[0]}/00000000-0000-0000-0000-000000000000"
    found = ours("encrypt", "-i", "--kms", other, "file.yaml")
    assert found.code == 1
    assert "NotFoundException" in found.errors
    assert other in found.errors
    assert file.read_bytes() == TEXT


def test_what_the_key_did_not_wrap_is_told(ours, theirs, folder, arn):
    encrypt(ours, folder, "--kms", arn)
    file = folder / "file.yaml"
    file.write_text(re.sub(r"enc: .*", "enc: bm9uc2Vuc2U=", file.read_text(), count=1))
    before = file.read_bytes()
    assert theirs("decrypt", "file.yaml").code == 128
    for line in (["decrypt", "-i", "file.yaml"], ["set", "file.yaml", '["a"]', "1"]):
        found = ours(*line)
        assert found.code == 128
        assert arn in found.errors
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "what"),
    [(["--aws-profile", "nobody"], "nobody"), (["--encryption-context", "nonsense"], "context")],
)
def test_what_cannot_be_used_is_told_before_anything_is_written(options, what, ours, folder, arn):
    file = folder / "file.yaml"
    file.write_bytes(TEXT)
    found = ours("encrypt", "-i", "--kms", arn, *options, "file.yaml")
    assert found.code in {1, 6}
    assert what in found.errors
    assert file.read_bytes() == TEXT
