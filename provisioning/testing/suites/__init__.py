"""Suites of tests that implementations of our protocols must pass."""

from provisioning.testing.suites.cases import Case
from provisioning.testing.suites.forges import ForgeSuite, Hub
from provisioning.testing.suites.provider import ProviderSuite

__all__ = ["Case", "ForgeSuite", "Hub", "ProviderSuite"]
