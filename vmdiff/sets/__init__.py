"""Several processes together: what they hold, what they share, and what changed."""
