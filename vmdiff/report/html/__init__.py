"""The HTML report: one file that opens anywhere."""
