"""Series of snapshots: what grows steadily, how fast, and until when."""
