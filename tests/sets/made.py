"""Sets that are built for tests."""

from vmdiff.model import Host, Kind, Mapping, Origin, Process, Snapshot, owner
from vmdiff.model.snapshot_set import SnapshotSet

MIB = 1 << 20


def member(
    pid: int,
    role: str = "server",
    *,
    heap: int = MIB,
    shared: int = 0,
    sharers: int = 1,
    start: int = 1,
) -> Snapshot:
    """A process with a heap of its own and a share of an object that *sharers* processes map."""
    mappings = [
        Mapping(
            0x1000_0000,
            0x1000_0000 + 64 * MIB,
            "rw-p",
            Kind.HEAP,
            path="[heap]",
            owner=owner("malloc heap", "name", "the kernel names it"),
            values={"rss": heap, "pss": heap, "private_dirty": heap},
        )
    ]
    if shared:
        mappings.append(
            Mapping(
                0x7000_0000_0000,
                0x7000_0000_0000 + shared,
                "rw-s",
                Kind.SHARED_MEMORY,
                device="00:01",
                inode="77",
                path="/dev/zero",
                deleted=True,
                values={"rss": shared, "pss": shared // sharers, "shared_dirty": shared},
            )
        )
    return Snapshot(
        origin=Origin(
            source="linux-proc",
            owners=True,
            counters=("rss", "pss", "private_clean", "private_dirty", "shared_dirty", "swap"),
        ),
        host=Host(name="shop-1", boot_id="boot", page_size=4096),
        process=Process(pid=pid, pid_namespace="pid:[1]", start_ticks=start, name="server", role=role),
        mappings=tuple(mappings),
    )


def made(*members: Snapshot) -> SnapshotSet:
    """A set of these members."""
    return SnapshotSet(members=members)
