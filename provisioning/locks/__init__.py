"""Lock backends: how the lock of an infra is written and who holds it."""
