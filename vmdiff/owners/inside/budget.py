"""How much a reader of allocators' records may look at."""

from typing import NamedTuple


class Budget(NamedTuple):
    """The work that one reader may do.

    *walk* is how many bytes of blocks it may go through one by one, *steps* how many records it may follow
    from one to the next; None is no limit. A reader whose memory is larger reads its cheap records only.
    *seconds* of a processor bound all readers together: the engine runs no further reader, and takes no
    further `Usage` of one, after it. *census* asks for a count of objects by type, which reads every object.
    """

    walk: int | None
    steps: int | None
    seconds: float | None
    census: bool = False

    def allows(self, walk: int = 0, steps: int = 0) -> bool:
        """Return whether *walk* bytes and *steps* records are within the budget."""
        return (self.walk is None or walk <= self.walk) and (self.steps is None or steps <= self.steps)


# A walk in plain Python covers some 400 MiB a second and follows some 60,000 records a second, most of
# them on pages of their own (docs/inside.md), so QUICK takes about 100 ms; the clock is the limit only on a
# machine that is much slower or busy.
QUICK = Budget(walk=32 << 20, steps=5_000, seconds=1.0)
WHOLE = Budget(walk=None, steps=None, seconds=None, census=True)
