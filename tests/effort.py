"""How often what chance finds is tried: whole in CI, a quarter of it for whoever runs ``make test``."""

import os

_PART = 4


def times(whole: int) -> int:
    """Return how many of *whole* random examples, readings or kills a test makes here."""
    return whole if os.environ.get("CI") else -(-whole // _PART)
