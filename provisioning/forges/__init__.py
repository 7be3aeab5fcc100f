"""Forges: what a workspace's repository is hosted by, spoken to through its API."""
