"""Choose the rows and words of a report, independent of its format."""
