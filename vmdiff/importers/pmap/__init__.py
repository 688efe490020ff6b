"""pmap in all its forms."""
