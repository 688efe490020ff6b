"""What of the virtual size is between the segments of libraries."""

from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, counted, owned
from vmdiff.model import Snapshot
from vmdiff.units import size


def library_gaps(snapshot: Snapshot) -> Found:
    """Find the inaccessible ranges between the segments of libraries, which look large and are nothing.

    Precondition: the dynamic linker left them inaccessible, and no page of them is in memory.
    """
    gaps = [mapping.size or 0 for mapping in owned(snapshot, "library gap")]
    filled = any(snapshot.value(mapping, "rss") for mapping in owned(snapshot, "library gap"))
    if sum(gaps) >= NOTEWORTHY and not filled:
        message = (
            f"{size(sum(gaps))} of the virtual size are {counted(len(gaps), 'gap')} between the segments of"
            " libraries: nobody can touch them, and they cost no memory"
        )
        yield Finding("library-gaps", "info", message, (f"size {size(sum(gaps))}",))
