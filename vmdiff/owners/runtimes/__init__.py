"""Rules for the memory of language runtimes."""
