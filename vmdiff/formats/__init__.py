"""Other tools' text: each module turns one format into a Snapshot and never opens a file."""
