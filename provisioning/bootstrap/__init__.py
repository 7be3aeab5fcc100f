"""Joins the real objects. The one place that knows all of them."""

from provisioning.application.workspace.workspace import Workspace
from provisioning.bootstrap.workspace import list_kinds, open_workspace

__all__ = ["Workspace", "list_kinds", "open_workspace"]
