"""The SOPS file format, read and written without the `sops` program.

The format is defined by what `sops` 3.13 writes; its tests here are made with that program.
"""
