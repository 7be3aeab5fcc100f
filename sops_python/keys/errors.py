"""What can be wrong with a master key."""

from __future__ import annotations

from provisioning.core.model.errors import ProvisioningError


class KeyUnusable(ProvisioningError):
    """A master key cannot wrap or unwrap: it is malformed, missing, or its service is down."""

    code = "key-unusable"


class InvalidContext(KeyUnusable):
    """An encryption context is not written as one."""

    sops_exit_code = 6
