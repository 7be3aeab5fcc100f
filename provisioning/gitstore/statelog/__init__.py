"""State logs in Git: appended to by compare-and-swap, read entry by entry."""
