"""The report for terminals and plain text."""
