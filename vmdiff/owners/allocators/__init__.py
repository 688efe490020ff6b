"""Rules for the memory of allocators."""
