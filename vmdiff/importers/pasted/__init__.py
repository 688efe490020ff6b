"""Text as people paste it: decoded, and stripped of what mail, trackers, logs and tools put around it."""
