"""The local provider: files, directories and processes of this machine, and plain values."""

from provisioning.providers.local.provider import LocalProvider

__all__ = ["LocalProvider"]
