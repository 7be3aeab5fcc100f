"""Errors of `sops_python` become errors of the program, with nothing lost."""

import pytest

from provisioning.core.model.errors import ProvisioningError, Source
from provisioning.secrets.errors import (
    InvalidSecret,
    SecretKeyUnusable,
    SecretLocked,
    mapping_sops_errors,
)
from sops_python.errors import KeyUnusable, NoKeyFits, SopsError, Tampered


def list_classes(kind=SopsError):
    return [kind, *(below for child in kind.__subclasses__() for below in list_classes(child))]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(Tampered, InvalidSecret), (NoKeyFits, SecretLocked), (KeyUnusable, SecretKeyUnusable)],
)
def test_code_message_and_hint_stay(raised, expected):
    with pytest.raises(expected) as caught, mapping_sops_errors():
        raise raised("it is so", hint="do that")
    error = caught.value
    assert (error.message, error.hint, error.source) == ("it is so", "do that", None)
    assert (error.code, error.exit_code) == (raised.code, 1)
    assert isinstance(error.__cause__, raised)


def test_the_file_is_named():
    file = "secrets/db.enc.yaml"
    with (
        pytest.raises(InvalidSecret, match=f"{file}:1: broken") as caught,
        mapping_sops_errors(file),
    ):
        raise SopsError("broken")
    assert caught.value.source == Source(file, 1)


@pytest.mark.parametrize("kind", list_classes(), ids=lambda kind: kind.__name__)
def test_every_class_has_a_code_that_is_known(kind):
    error = kind.__new__(kind)
    error.message, error.hint = "it is so", None
    with pytest.raises(ProvisioningError) as caught, mapping_sops_errors():
        raise error
    assert caught.value.code == kind.code


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), mapping_sops_errors():
        raise ZeroDivisionError
