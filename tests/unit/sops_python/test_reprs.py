"""P8: whatever is printed by accident, in a log or a traceback, tells no secret."""

import pyrage

from provisioning.secrets.exposed_credentials import find_exposed
from sops_python.files import encrypt_branches, open_document, open_store
from sops_python.keys.chain import join_keyrings
from sops_python.keys.keyring import EnvironmentKeyring
from sops_python.keys.names import name_age
from sops_python.metadata import Metadata
from sops_python.selection import Selection

IDENTITY = pyrage.x25519.Identity.generate()


def test_a_file_in_plain_text_is_not_shown():
    keyring = EnvironmentKeyring(environ={"SOPS_AGE_KEY": str(IDENTITY)})
    groups = (tuple(name_age([str(IDENTITY.to_public())])),)
    metadata = Metadata(groups=groups, selection=Selection())
    branches = open_store("yaml").load(b"password: hunter2\n")
    sealed = encrypt_branches(branches, metadata, keyring, "2026-01-02T03:04:05Z")
    opened = open_document(sealed, keyring)
    assert opened.document.branches == branches
    shown = repr([opened, opened.document])
    assert "hunter2" not in shown
    assert repr(opened.data_key) not in shown


def test_a_keyring_does_not_show_its_environment():
    keyring = EnvironmentKeyring(environ={"SOPS_AGE_KEY": str(IDENTITY)})
    assert str(IDENTITY) not in repr(keyring)
    assert str(IDENTITY) not in repr(join_keyrings((keyring, keyring)))


def test_a_credential_that_was_found_is_not_shown():
    key = b"AKIA" + b"A" * 16
    (found,) = find_exposed(key)
    assert found.text == key.decode()
    assert found.text not in repr(found)
