"""Repositories: local ones, mirrors of remote ones, refs, merges and the work tree."""
