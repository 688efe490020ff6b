"""Memory of graphics devices and DMA buffers that a process holds, as its open files tell.

Facts: Documentation/gpu/drm-usage-stats.rst (``drm-driver``, ``drm-client-id``, ``drm-memory-REGION`` and its
successors ``drm-resident-REGION`` and ``drm-total-REGION``, in bytes, KiB or MiB); section 3.8 of
Documentation/filesystems/proc.rst (``size`` and ``exp_name`` of a DMA buffer). One client may be open several
times, and one buffer too: each is counted once.
"""

import re
from collections.abc import Iterator
from itertools import islice

from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.model.held_memory import DeviceMemory

_MOST_FILES = 20_000
_FIELD = re.compile(r"^([a-z][a-z0-9_\-]{0,60}):\s+(.{1,200})$", re.MULTILINE)
_REGION = re.compile(r"drm-(resident|memory|total)-(.+)")
_AMOUNT = re.compile(r"([0-9]{1,18})(?:\s+(KiB|MiB))?")
_UNITS = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20}


def device_memory(folder: ProcessFolder) -> tuple[DeviceMemory, ...]:
    """Return what a process holds of each device's regions, and of DMA buffers by who exported them."""
    sums: dict[tuple[str, str], int] = {}
    seen: set[tuple[str, str]] = set()
    for number in islice(folder.names("fdinfo"), _MOST_FILES):
        fields = dict(_FIELD.findall(folder.text(f"fdinfo/{number}") or ""))
        if "drm-driver" in fields:
            client = (fields["drm-driver"] + fields.get("drm-pdev", ""), fields.get("drm-client-id", number))
            found = _regions(fields)
        elif "exp_name" in fields and "size" in fields:
            client = ("dma-buf", fields.get("ino", number))
            found = iter([(fields["exp_name"], _bytes(fields["size"]))])
        else:
            continue
        if client in seen:
            continue
        seen.add(client)
        device = fields.get("drm-driver", "dma-buf")
        for region, amount in found:
            if amount is not None:
                sums[device, region] = sums.get((device, region), 0) + amount
    return tuple(
        DeviceMemory(device=device, region=region, bytes=held) for (device, region), held in sums.items()
    )


def _regions(fields: dict[str, str]) -> Iterator[tuple[str, int | None]]:
    """Yield the resident bytes of each region; where a driver does not tell these, the total."""
    told: dict[str, dict[str, int | None]] = {}
    for key, value in fields.items():
        if found := _REGION.fullmatch(key):
            told.setdefault(found[2], {})[found[1]] = _bytes(value)
    for region, kinds in told.items():
        yield region, next((kinds[kind] for kind in ("resident", "memory", "total") if kind in kinds), None)


def _bytes(text: str) -> int | None:
    found = _AMOUNT.fullmatch(text.strip())
    return int(found[1]) * _UNITS[found[2]] if found else None
