"""Core files: their mappings, and the memory in them."""
