"""What raw samples mean: statistics, queueing oracles, and the verdict on a run."""
