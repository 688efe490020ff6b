"""What one pass over the files of a process found, before it becomes a snapshot."""

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from vmdiff.importers.procfs.fast_reader import Listing

Detail = Literal["maps", "smaps"]

ROLLUP = "smaps_rollup"


class Reading(NamedTuple):
    """The listing, and the layout read *before* and *after* it, see `Listing.layout`."""

    listing: "Listing"
    rollup: dict[str, int | None] | None
    before: bytes
    after: bytes
    same_process: bool

    @property
    def consistent(self) -> bool:
        """Whether no change was seen: not that there was none, see `consistent_read`."""
        return self.same_process and self.before == self.listing.layout == self.after
