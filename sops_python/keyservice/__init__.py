"""The key service of `sops`: a process that uses its master keys for other ones."""
