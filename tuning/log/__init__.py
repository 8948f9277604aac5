"""What is kept of a study while it runs: its event log, its checkpoints, and what they say."""
