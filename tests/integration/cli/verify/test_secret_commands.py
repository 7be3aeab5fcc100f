"""`provisioning secrets`: a workspace's keys, recipients and checks."""

import json
import subprocess
import sys

import pyrage
import pytest

PASSWORD = "a-long-password-42"


@pytest.fixture
def safe(shop):
    shop.run("secrets", "init")
    write_secret(shop, "db", {"password": PASSWORD})
    shop.commit()
    return shop


def write_secret(shop, name, values):
    file = f"secrets/{name}.enc.json"
    done = subprocess.run(
        [sys.executable, "-m", "provisioning", "sops", "encrypt", "--filename-override", file],
        input=json.dumps(values).encode(),
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        check=True,
    )
    (shop.folder / "secrets").mkdir(exist_ok=True)
    (shop.folder / file).write_bytes(done.stdout)


def add_person(shop, name):
    """Return the recipient of somebody, whose identity lies in a file of that name."""
    identity = pyrage.x25519.Identity.generate()
    (shop.home / name).write_text(f"{identity}\n")
    return str(identity.to_public())


def read_as(shop, name, expected=0):
    key = str(shop.home / name)
    lonely = {"SOPS_AGE_KEY_FILE": key, "HOME": "/nowhere", "XDG_CONFIG_HOME": "/nowhere"}
    return shop.run("sops", "-d", "secrets/db.enc.json", expected=expected, **lonely)


def test_init_makes_an_identity_outside_of_the_repository(shop):
    said = shop.run("secrets", "init")
    key = shop.home / ".config/sops/age/keys.txt"
    assert str(key) in said
    assert key.stat().st_mode & 0o777 == 0o600
    assert "AGE-SECRET-KEY" not in (shop.folder / ".sops.yaml").read_text()
    assert "exists already" in shop.run("secrets", "init", expected=1)


def test_init_uses_the_identity_that_is_there(safe):
    key = (safe.home / ".config/sops/age/keys.txt").read_text()
    (safe.folder / ".sops.yaml").unlink()
    assert "using the age identity" in safe.run("secrets", "init")
    assert (safe.home / ".config/sops/age/keys.txt").read_text() == key


def test_a_recipient_who_is_added_reads_every_file_after_one_commit(safe):
    person = add_person(safe, "ben")
    read_as(safe, "ben", expected=128)
    safe.run("secrets", "recipients", "add", person)
    assert PASSWORD in read_as(safe, "ben")
    assert safe.git("log", "-1", "--format=%s", "--name-only").split("\n")[2:-1] == [
        ".sops.yaml",
        "secrets/db.enc.json",
    ]
    assert safe.git("status", "--porcelain") == ""
    assert person in safe.run("secrets", "recipients", "ls")


def test_a_recipient_who_is_removed_knows_no_key_in_use(safe):
    person = add_person(safe, "ben")
    safe.run("secrets", "recipients", "add", person)
    old = (safe.folder / "secrets/db.enc.json").read_text()
    said = safe.run("secrets", "recipients", "remove", person)
    assert "change those secrets" in said
    read_as(safe, "ben", expected=128)
    new = (safe.folder / "secrets/db.enc.json").read_text()
    assert json.loads(new)["password"] != json.loads(old)["password"]


def test_the_last_recipient_cannot_be_removed(safe):
    rules = (safe.folder / ".sops.yaml").read_text()
    own = rules.split("age: ")[1].strip()
    said = safe.run("secrets", "recipients", "remove", own, expected=1)
    assert "nobody could read" in said
    assert (safe.folder / ".sops.yaml").read_text() == rules


def test_a_file_that_cannot_be_opened_stops_the_change_before_any_other_is_written(safe):
    before = {path.name: path.read_bytes() for path in (safe.folder / "secrets").iterdir()}
    person = add_person(safe, "ben")
    said = safe.run(
        "secrets", "recipients", "add", person, expected=1, HOME="/nowhere", XDG_CONFIG_HOME="/x"
    )
    assert "Failed to get the data key" in said
    assert {path.name: path.read_bytes() for path in (safe.folder / "secrets").iterdir()} == before
    assert person not in (safe.folder / ".sops.yaml").read_text()


def test_comments_of_the_rules_stay(safe):
    assert "# Which keys" in (safe.folder / ".sops.yaml").read_text()
    safe.run("secrets", "recipients", "add", add_person(safe, "ben"))
    assert "# Which keys" in (safe.folder / ".sops.yaml").read_text()


def test_check_finds_nothing_in_a_sound_workspace(safe):
    assert "nothing wrong" in safe.run("secrets", "check")


def test_check_finds_plain_text_even_if_it_was_removed_again(safe):
    safe.commit("password: plain\n", "secrets/oops.enc.yaml")
    safe.commit(f"see {PASSWORD}\n", "notes.txt")
    for name in ("secrets/oops.enc.yaml", "notes.txt"):
        (safe.folder / name).unlink()
    safe.commit()
    found = json.loads(safe.run("secrets", "check", "-o", "json", expected=1))
    assert [each["path"] for each in found] == ["notes.txt", "secrets/oops.enc.yaml"]
    assert all(each["commit"] for each in found)


def test_check_finds_a_file_for_other_recipients(safe):
    person = add_person(safe, "ben")
    rules = (safe.folder / ".sops.yaml").read_text()
    (safe.folder / ".sops.yaml").write_text(rules.rstrip() + f",{person}\n")
    said = safe.run("secrets", "check", expected=1)
    assert "its recipients are not those" in said
    assert "sops updatekeys secrets/db.enc.json" in said


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("secrets/new.enc.yaml", "password: plain\n", "must be encrypted"),
        ("notes.txt", "AKIAIOSFODNN7EXAMPLE\n", "an AWS access key"),
        ("key.pem", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "a private key"),
        ("key.txt", f"AGE-SECRET-KEY-1{'Q' * 58}", "an age identity"),
        ("pay.txt", f"sk_live_{'4' * 24}", "a Stripe key"),
    ],
)
def test_the_hook_refuses_to_commit_secrets(safe, name, text, what):
    safe.run("secrets", "guard", "--install")
    safe.write(text, name)
    safe.git("add", "-A")
    assert what in safe.run("secrets", "guard", expected=1)
    with pytest.raises(subprocess.CalledProcessError):
        safe.git("commit", "-m", "leak")
    safe.write("nothing", name if "enc" not in name else "notes.txt")
    (safe.folder / name).write_text("") if "enc" not in name else (safe.folder / name).unlink()
    safe.git("add", "-A")
    safe.git("commit", "-m", "fine")


def test_what_an_encrypted_file_leaves_in_plain_text_is_looked_at_too(safe):
    write_secret(
        safe, "app", {"id_unencrypted": "AKIAIOSFODNN7EXAMPLE", "copy_unencrypted": PASSWORD}
    )
    safe.git("add", "-A")
    assert "app.enc.json: it holds an AWS" in safe.run("secrets", "guard", expected=1)
    assert "holds a secret of secrets/db.enc.json" in safe.run("secrets", "check", expected=1)


def test_the_hook_looks_at_what_was_a_link_and_passes_over_other_repositories(safe, tmp_path):
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "--quiet", safe.folder, other], check=True)
    safe.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub")
    (safe.folder / "secrets/link.enc.yaml").symlink_to("db.enc.json")
    safe.git("add", "-A")
    safe.git("commit", "-qm", "a link")
    (safe.folder / "secrets/link.enc.yaml").unlink()
    safe.write("password: plain\n", "secrets/link.enc.yaml")
    safe.git("add", "-A")
    assert "link.enc.yaml: it is in plain" in safe.run("secrets", "guard", expected=1)


@pytest.mark.parametrize(("sort", "field"), [("ssh-key", "private"), ("token", "value")])
def test_a_generated_secret_is_rotated_with_an_overlap(safe, sort, field):
    safe.run("secrets", sort, "new", "robot")
    first = read(safe)
    assert "exists already" in safe.run("secrets", sort, "new", "robot", expected=1)
    safe.run("secrets", sort, "rotate", "robot")
    second = read(safe)
    assert second["previous"][field] == first[field] != second[field]
    assert "--finish" in safe.run("secrets", sort, "rotate", "robot", expected=1)
    safe.run("secrets", sort, "rotate", "robot", "--finish")
    assert "previous" not in read(safe)
    listed = json.loads(safe.run("secrets", sort, "ls", "-o", "json", HOME="/nowhere"))
    assert [each["fingerprint"] for each in listed] == [second["fingerprint_unencrypted"]]
    safe.run("secrets", sort, "rm", "robot", "--yes")
    assert safe.run("secrets", sort, "ls") == ""


def read(shop):
    text = shop.run("sops", "-d", "--output-type", "json", "secrets/robot.enc.yaml")
    return json.loads(text)


def test_a_generated_ssh_key_is_one_that_ssh_reads(safe, tmp_path):
    safe.run("secrets", "ssh-key", "new", "robot")
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(read(safe)["private"])
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(path)], capture_output=True, text=True, check=True
    )
    assert read(safe)["fingerprint_unencrypted"] in shown.stdout
