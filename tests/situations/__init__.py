"""Situations: what happened to a real program, what it says of itself, and the first sentence of vmdiff."""
