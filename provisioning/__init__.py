"""Keep real infrastructure equal to a Git repository."""

__version__ = "0.1.0"
