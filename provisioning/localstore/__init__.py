"""Files of this machine only: the journal, caches, and lock observations."""
