"""Profiles and metrics: pprof, folded stacks, OpenMetrics."""
