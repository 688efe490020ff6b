"""Memory that a process holds beside its mappings: page cache of its files, graphics memory, DMA buffers."""

from vmdiff.model.frozen import Frozen, Name
from vmdiff.model.mapping import Bytes, Text


class CachedFile(Frozen, defer_build=True):
    """A file that a process has open or mapped, and the bytes of it that the page cache holds.

    *dirty* of them are not written back yet. *in_memory*: it is nowhere else (tmpfs, memfd), so nothing of it
    can be dropped. *mapped*: a process of the group maps it, in part at least.
    """

    path: Text
    size: Bytes
    cached: Bytes
    dirty: Bytes
    mapped: bool
    in_memory: bool


class DeviceMemory(Frozen, defer_build=True):
    """What a process holds of one region of a device's memory: *device* is its driver, or ``dma-buf``."""

    device: Name
    region: Name
    bytes: Bytes
