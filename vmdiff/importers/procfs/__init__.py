"""Text of /proc: maps, smaps, smaps_rollup."""
