"""`publish` to S3, beside `sops`, against a fake AWS."""

from __future__ import annotations

from uuid import uuid4

import pytest

boto3 = pytest.importorskip("boto3")

pytestmark = [
    pytest.mark.peer("sops"),
    pytest.mark.peer("age-keygen"),
    pytest.mark.peer("moto_server"),
    pytest.mark.xdist_group("moto"),
]

TEXTS = {
    ".yaml": "name: text # note\nopen_unencrypted: o\nnumber: 1\nlist:\n    - a\n    - b: c\n",
    ".json": '{"name": "text", "list": ["x", {"y": 1.5}]}',
    ".env": "name=text\n",
    "": "hello\0world\n",
}


@pytest.fixture
def bucket(moto_server, folder, monkeypatch):
    """An empty bucket of the test's own."""
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    for name, value in (("ENDPOINT_URL", moto_server), ("ACCESS_KEY_ID", "a"),
                        ("SECRET_ACCESS_KEY", "b"), ("REGION", "us-east-1"),
                        ("DEFAULT_REGION", "us-east-1")):  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    bucket = boto3.resource("s3").create_bucket(Bucket=f"shop-{uuid4()}")
    yield bucket
    bucket.objects.delete()
    bucket.delete()


@pytest.fixture
def write_rules(folder, bucket):
    """Write destination rules; BUCKET stands for the bucket's name."""

    def write(rules):
        filled = rules.replace("BUCKET", bucket.name)
        (folder / ".sops.yaml").write_text(f"destination_rules:\n{filled}")

    return write


@pytest.fixture
def files(folder, recipient, theirs):
    """An encrypted file of each format, in a folder and another one within."""
    for suffix, text in TEXTS.items():
        for name in (f"dir/file.enc{suffix}", f"dir/sub/other{suffix}"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
            assert theirs("encrypt", "-i", "--age", recipient, name).code == 0
    return folder


def read_all(bucket):
    return {each.key: each.get()["Body"].read() for each in bucket.objects.all()}


def publish_alike(ours, theirs, bucket, words, stdin=b""):
    """Give the words to both programs, each with the bucket empty; return what ours put there."""
    answers = []
    for program in (theirs, ours):
        bucket.objects.delete()
        found = program("publish", *words, stdin=stdin)
        answers.append((found, read_all(bucket)))
    (theirs_, theirs_put), (ours_, ours_put) = answers
    assert (ours_.code, ours_.output) == (theirs_.code, theirs_.output), (ours_, theirs_)
    assert ours_put.keys() == theirs_put.keys()
    return ours_put


RULE = "  - s3_bucket: BUCKET\n"
PREFIX = "  - {s3_bucket: BUCKET, s3_prefix: x/y-}\n"
JSON_ONLY = "  - {path_regex: '\\.json$', s3_bucket: BUCKET, s3_prefix: json/}\n"
OMIT = "  - {s3_bucket: BUCKET, omit_extensions: true}\n"


@pytest.mark.parametrize(
    ("rules", "words", "keys"),
    [
        (RULE, "--yes dir/file.enc.yaml", {"file.enc.yaml"}),
        (RULE, "-y dir/sub/other.env", {"other.env"}),
        (RULE, "dir/file.enc.json --yes=true", {"file.enc.json"}),
        (RULE, "--yes --omit-extensions dir/file.enc.yaml", {"file.enc"}),
        (RULE, "--yes --recursive dir/sub", {f"other{suffix}" for suffix in TEXTS}),
        (RULE, "--yes --recursive --omit-extensions dir/sub/", {"other"}),
        (PREFIX, "--yes dir/sub/other.yaml", {"x/y-other.yaml"}),
        (OMIT, "--yes dir/file.enc.yaml", {"file.enc"}),
        (JSON_ONLY, "--yes dir/sub/other.json", {"json/other.json"}),
        (JSON_ONLY, "--yes dir/sub/other.yaml", set()),
        (
            f"  - {{path_regex: ^dir/sub/, s3_bucket: BUCKET, s3_prefix: far/}}\n{RULE}",
            "--yes --recursive dir",
            {*(f"file.enc{it}" for it in TEXTS), *(f"far/sub/other{it}" for it in TEXTS)},
        ),
    ],
)
def test_files_are_put_where_the_rules_say(
    rules, words, keys, ours, theirs, bucket, files, write_rules
):
    """Byte for byte, if the rule names no keys."""
    write_rules(rules)
    found = publish_alike(ours, theirs, bucket, words.split())
    assert found.keys() == keys
    assert {*found.values()} <= {each.read_bytes() for each in files.rglob("*") if each.is_file()}


@pytest.mark.parametrize("suffix", TEXTS)
def test_a_rule_with_keys_encrypts_anew(
    suffix, ours, theirs, bucket, files, write_rules, add_identity
):
    """For the keys of the rule, which are shown as a change; both programs read the result."""
    other = add_identity()
    write_rules(f"  - {{s3_bucket: BUCKET, recreation_rule: {{age: {other}}}}}\n")
    name = f"dir/file.enc{suffix}"
    (content,) = publish_alike(ours, theirs, bucket, ["--yes", name]).values()
    published = files / f"published{suffix}"
    published.write_bytes(content)
    assert other.encode() in content
    before = theirs("decrypt", name).output
    for program in (ours, theirs):
        assert program("decrypt", published.name).output == before


def test_keys_that_stay_are_no_change(ours, theirs, bucket, files, write_rules, recipient):
    """Nothing is said of them; the data key is a new one."""
    write_rules(f"  - {{s3_bucket: BUCKET, recreation_rule: {{age: {recipient}}}}}\n")
    (content,) = publish_alike(ours, theirs, bucket, ["-y", "dir/file.enc.yaml"]).values()
    assert content != (files / "dir/file.enc.yaml").read_bytes()


def test_of_what_is_encrypted_a_rule_says_a_suffix(ours, files, write_rules, bucket, recipient):
    """A regular expression leaves nothing readable, as in `sops`, and is told not to be used."""
    rule = "  - {s3_bucket: BUCKET, recreation_rule: {age: AGE, PART}}\n".replace("AGE", recipient)
    write_rules(rule.replace("PART", "encrypted_suffix: me"))
    assert ours("publish", "-y", "dir/file.enc.yaml").code == 0
    assert b"number: 1" in read_all(bucket)["file.enc.yaml"].replace(b'"number"', b"number")
    write_rules(rule.replace("PART", "encrypted_regex: ^name$"))
    found = ours("publish", "-y", "dir/file.enc.yaml")
    assert "encrypted_regex is not used" in found.errors
    assert b"number: ENC[" in read_all(bucket)["file.enc.yaml"]


@pytest.mark.parametrize(
    ("answers", "words", "count"),
    [
        (b"y\n", "dir/file.enc.yaml", 1),
        (b"n\n", "dir/file.enc.yaml", 0),
        (b"what\ny\n", "dir/file.enc.yaml", 1),
        (b"", "dir/file.enc.yaml", 0),
        (b"n\ny\nn\ny\n", "--recursive dir/sub", 2),
    ],
)
def test_it_asks_first(answers, words, count, ours, theirs, bucket, files, write_rules):
    """Each file, until the answer is yes or no."""
    write_rules(RULE)
    found = publish_alike(ours, theirs, bucket, words.split(), stdin=answers)
    assert len(found) == count


@pytest.mark.parametrize(
    ("rules", "words", "code", "what", "step"),
    [
        ("  - {path_regex: no, s3_bucket: BUCKET}\n", "-y dir/file.enc.yaml", 1,
         "no matching destination", "path_regex fits"),
        ("  - {s3_prefix: x}\n", "-y dir/file.enc.yaml", 1, "no destination", "s3_bucket or"),
        ("  - {s3_bucket: b, vault_path: p}\n", "-y dir/file.enc.yaml", 1,
         "more than one destination", "a rule for each"),
        (RULE, "-y dir", 1, "dir is a directory", "--recursive"),
        (RULE, "-y missing.yaml", 1, "no such file", "check its name"),
        (RULE, "-y", 100, "no file specified", "name a file"),
        (RULE, "-y .sops.yaml", 1, ".sops.yaml: ", "sops encrypt FILE"),
        (RULE.replace("BUCKET", "nowhere"), "-y dir/file.enc.yaml", 1, "NoSuchBucket", "aws sts"),
        ("  - {s3_bucket: BUCKET, recreation_rule: {age: age1x}}\n", "-y dir/file.enc.yaml", 1,
         "'age1x' is not an age recipient", "age-keygen -y"),
        ("  - {s3_bucket: BUCKET, recreation_rule: {encrypted_suffix: a, encrypted_regex: b}}\n",
         "-y dir/file.enc.yaml", 1, "Cannot use more than one of", "correct it"),
    ],
)  # fmt: skip
def test_bad_input_is_told_and_nothing_is_published(
    rules, words, code, what, step, ours, theirs, bucket, files, write_rules
):
    """Both programs refuse; ours says what to do."""
    write_rules(rules)
    publish_alike(ours, theirs, bucket, words.split())
    found = ours("publish", *words.split())
    message, _, hint = found.errors.rpartition("\n  ")
    assert (found.code, read_all(bucket)) == (code, {})
    assert what in message
    assert step in hint


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ("  - {path_regex: '(', s3_bucket: BUCKET}\n", "destination rule 1: can not compile"),
        ("  - just text\n", "destination rule 1 is no mapping"),
        ("  - {gcs_bucket: b}\n", "nothing is published to Google Cloud Storage"),
        ("  - {vault_path: p, vault_kv_version: 3}\n", "vault_kv_version is 3"),
        ("  - {s3_bucket: BUCKET, recreation_rule: text}\n", "recreation_rule is no mapping"),
    ],
)
def test_a_rule_that_is_none_is_told(rules, what, ours, bucket, files, write_rules):
    """By its number; `sops` passes over some of these."""
    write_rules(rules)
    found = ours("publish", "-y", "dir/file.enc.yaml")
    assert (found.code, read_all(bucket)) == (1, {})
    assert what in found.errors


def test_a_file_that_cannot_be_opened_keeps_all_from_being_published(
    ours, bucket, files, write_rules, recipient
):
    """All are read before the first is written."""
    write_rules(f"  - {{s3_bucket: BUCKET, recreation_rule: {{age: {recipient}}}}}\n")
    file = files / "dir/sub/other.yaml"
    file.write_text(file.read_text().replace("open_unencrypted: o", "open_unencrypted: p"))
    found = ours("publish", "--yes", "--recursive", "dir")
    assert (found.code, read_all(bucket)) == (51, {})
    assert "MAC mismatch" in found.errors
