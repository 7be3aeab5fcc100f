"""X."""

from sops_python.errors import SopsError as SopsError
