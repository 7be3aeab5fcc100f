"""Keep real infrastructure equal to a Git repository."""
