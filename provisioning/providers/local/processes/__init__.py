"""Processes: started to outlive the reconciler, found by their mark, stopped as a group."""
