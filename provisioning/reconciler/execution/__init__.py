"""Execution: hold the lease, run the operations in parallel, record the outcomes."""
