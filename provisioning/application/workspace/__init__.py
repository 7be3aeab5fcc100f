"""One workspace as a use case sees it: settings, commits, forge, state logs, and reconcilers."""
