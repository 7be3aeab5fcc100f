"""Files and directories: found by their path, replaced whole, never through a symbolic link."""
