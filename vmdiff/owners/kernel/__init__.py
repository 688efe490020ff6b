"""Rules for what the kernel and the loader map and name."""
