"""Many snapshots of one process, at the cost of few."""
