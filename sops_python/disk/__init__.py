"""Files on disk: edited in memory, replaced as a whole."""
