"""Operations besides a run: locks, imports, suspensions, undo, compaction."""
