"""The rules of a state log: transitions, proof, compaction, lock expiry."""
