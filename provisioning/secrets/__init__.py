"""SOPS files, the keys that open them, and the values they hold."""
