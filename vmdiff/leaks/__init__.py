"""Which blocks of malloc nothing in the process points to."""
