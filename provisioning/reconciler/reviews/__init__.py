"""Reviews of pull requests: looks, shows, listens, and remembers."""
