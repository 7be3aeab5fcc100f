"""Six layers of settings, each value with the file and line it came from."""
