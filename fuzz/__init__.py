"""Inputs that nobody would write, for every reader: see docs/trust.md."""
