"""The stable JSON of results, errors and events, the same for every interface."""
