"""What one pass over the files of a process found, before it becomes a snapshot."""

from typing import TYPE_CHECKING, Literal, NamedTuple

from vmdiff.importers.procfs.stat_line import Stat

if TYPE_CHECKING:
    from vmdiff.importers.procfs.fast_reader import Listing

Detail = Literal["maps", "smaps", "totals"]

ROLLUP = "smaps_rollup"


class Reading(NamedTuple):
    """The listing, the layout read *before* and *after* it, see `Listing.layout`, and ``stat`` after it."""

    listing: "Listing"
    rollup: dict[str, int | None] | None
    before: bytes
    after: bytes
    stat: Stat
    same_process: bool

    @property
    def consistent(self) -> bool:
        """Whether no change was seen: not that there was none, see `consistent_read`."""
        return self.same_process and self.before == self.listing.layout == self.after
