"""The network and the disk: an HTTP client, and writes that survive a loss of power."""
