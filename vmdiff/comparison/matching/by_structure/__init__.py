"""Pair the mappings of different runs, whose addresses mean nothing."""
