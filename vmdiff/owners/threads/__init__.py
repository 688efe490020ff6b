"""Rules for thread stacks."""
