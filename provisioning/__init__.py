"""Keep real infrastructure equal to a Git repository."""

__version__ = "0.2.0"
