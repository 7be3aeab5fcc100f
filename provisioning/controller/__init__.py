"""The controller of the long-running service: queue, workers, schedule, watches, events."""
