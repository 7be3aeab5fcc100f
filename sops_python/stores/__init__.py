"""The formats a SOPS file can have: each reads a tree from bytes and writes it back."""
