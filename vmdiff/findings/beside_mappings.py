"""Memory that a process causes beside its mappings: page cache of its files, graphics memory."""

from vmdiff.findings.finding import NOTEWORTHY, Finding, Found
from vmdiff.model import Snapshot
from vmdiff.units import size

_WORTH = 16 * NOTEWORTHY
_MOST = 3  # that one sentence names


def page_cache(snapshot: Snapshot) -> Found:
    """Find files that the process has at hand and the page cache holds much of.

    Precondition: the kernel told how much of each (cachestat). Other processes may use the same pages;
    what is on tmpfs, or not written back yet, cannot be dropped.
    """
    files = [one for one in (snapshot.pages and snapshot.pages.files) or () if not one.in_memory]
    held = sum(one.cached for one in files)
    if held < _WORTH:
        return
    named = ", ".join(
        f"{one.path} {size(one.cached)}{'' if one.mapped else ' (only open)'}" for one in files[:_MOST]
    )
    dirty = sum(one.dirty for one in files)
    kept = f" once {size(dirty)} are written back" if dirty else ""
    message = f"the page cache holds {size(held)} of its files, which the kernel can drop{kept}: {named}"
    yield Finding("page-cache", "info", message, (f"cached {size(held)}", f"dirty {size(dirty)}"))


def graphics_memory(snapshot: Snapshot) -> Found:
    """Find memory of graphics devices, and DMA buffers.

    Precondition: the drivers tell it of the process's open files, not whether it is mapped, too.
    """
    devices = snapshot.pages.devices if snapshot.pages else ()
    held = sum(one.bytes for one in devices)
    if held >= NOTEWORTHY:
        largest = sorted(devices, key=lambda one: -one.bytes)[:_MOST]
        named = ", ".join(f"{one.device} {one.region} {size(one.bytes)}" for one in largest)
        message = f"{size(held)} of graphics memory and DMA buffers, as its open files tell: {named}"
        yield Finding("graphics-memory", "info", message, (f"held {size(held)}",))
