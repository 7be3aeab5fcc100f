"""The process of the service: its listeners, its log and its metrics; see `controller`."""
