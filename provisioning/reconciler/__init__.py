"""Acts: one cycle from commit to record, the executor, and the loop that repeats it."""
