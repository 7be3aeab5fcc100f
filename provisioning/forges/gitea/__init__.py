"""Gitea: its API, pull requests, branch rules, webhooks and glob patterns."""
