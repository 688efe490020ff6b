"""Sets that are built for tests."""

from collections.abc import Sequence

from vmdiff.model import Host, Kind, Mapping, Origin, Owner, Part, Process, Snapshot, owner
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
    split: Sequence[tuple[int, int]] = (),
) -> Snapshot:
    """A process with a heap of its own and a share of an object that *sharers* processes map.

    *split* are the resident and the private pages of several owners of one mapping; what is not private of
    them is shared by two.
    """
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
    if split:
        mappings.append(merged(split))
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


def stated(one: Snapshot, *, above: int = 0) -> Snapshot:
    """A process by the kernel's totals alone; its PSS is *above* what the mappings' adds up to."""
    sums = {name: amount for name, amount in one.totals.items() if name not in {"size", "accessible"}}
    rollup = {**sums, "pss": (sums["pss"] or 0) + above}
    return one.model_copy(update={"rollup": rollup, "mappings": ()})


def merged(split: Sequence[tuple[int, int]]) -> Mapping:
    """A mapping in which each owner has a MiB."""
    low = 0x7800_0000_0000
    parts = tuple(
        Part(
            low + at * MIB,
            low + (at + 1) * MIB,
            f"owner {at}",
            "certain",
            "record",
            "it says so",
            rss=resident * 4096,
            swap=0,
            private=private * 4096,
        )
        for at, (resident, private) in enumerate(split)
    )
    rss, private = (sum(getattr(part, name) for part in parts) for name in ("rss", "private"))
    return Mapping(
        low,
        low + len(split) * MIB,
        "rw-p",
        Kind.ANONYMOUS,
        owner=Owner("mixed", "certain", "record", "several owners", parts=parts),
        values={"rss": rss, "pss": private + (rss - private) // 2, "private_dirty": private},
    )


def made(*members: Snapshot) -> SnapshotSet:
    """A set of these members."""
    return SnapshotSet(members=members)
