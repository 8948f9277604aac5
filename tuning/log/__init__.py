"""A study's event log and its checkpoints, and what the log says: outcomes, results, whether a search is over."""
