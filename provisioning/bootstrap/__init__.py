"""Joins the real objects. The one place that knows all of them."""

from provisioning.bootstrap.workspace import Workspace, list_kinds, open_workspace

__all__ = ["Workspace", "list_kinds", "open_workspace"]
