"""Puts SOPS files where others fetch them: a bucket, or Vault's key-value engine."""
