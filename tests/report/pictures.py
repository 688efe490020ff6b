"""Snapshots made by hand for the renderers, hostile and enormous ones among them."""

from datetime import UTC, datetime

from vmdiff.model import Host, Kind, Mapping, Origin, Owner, Process, Snapshot, Thread
from vmdiff.model.page_map import MappingPages, PageContents, encoded

PAGE = 0x1000
MIB = 1 << 20
COUNTERS = ("rss", "pss", "shared_clean", "private_clean", "private_dirty", "swap")
ARENA = Owner("malloc arena", "certain", "record", "its heap_info says so", "arena 1")
STACK = Owner("thread stack", "likely", "shape", "a guard page below it", "worker", 4243)

# What a file name or a thread's name may hold to do harm.
HOSTILE = (
    "/tmp/</script><script>document.title='owned'</script>",
    "/tmp/<img src=x onerror=\"document.title='owned'\">",
    "/tmp/--><!-- <!--<script>",
    "/tmp/\u202egnp.exe",
    "/tmp/nul\x00in\x1b[31mside",
    "/tmp/lone\udc80surrogate",
    "/tmp/line\u2028separator\nand newline",
    "/tmp/'\"`${1}{{7*7}}{% raw %}",
    "/tmp/" + "x" * 5000,
    "/tmp/semi;colon 12",
)


def snapshot(*mappings: Mapping, counters: tuple[str, ...] = COUNTERS, minute: int = 0) -> Snapshot:
    return Snapshot(
        taken_at=datetime(2026, 11, 22, 22, minute, tzinfo=UTC),
        origin=Origin(source="linux-proc", tool="vmdiff 0.1.0", detail="smaps", counters=counters, owners=True),
        host=Host(name="box", kernel="6.18.0", machine="x86_64", page_size=PAGE, boot_id="b"),
        process=Process(pid=4242, pid_namespace="4026531836", name="server", start_ticks=7, executable="/usr/bin/server",
                        threads=(Thread(tid=4242, name="server"),)),
        mappings=tuple(sorted(mappings, key=lambda mapping: mapping.start or 0)),
    )  # fmt: skip


def anonymous(
    start: int, size: int, rss: int = 0, *, owner: Owner | None = None, perms: str = "rw-p"
) -> Mapping:
    values = {"rss": rss, "pss": rss, "private_dirty": rss} if rss else {}
    kind = Kind.RESERVED if perms.startswith("---") else Kind.ANONYMOUS
    return Mapping(start, start + size, perms, kind, owner=owner, values=values)


def heap(start: int, size: int, rss: int) -> Mapping:
    values = {"rss": rss, "pss": rss, "private_dirty": rss}
    owner = Owner("malloc heap", "certain", "name", "the kernel calls it [heap]")
    return Mapping(start, start + size, "rw-p", Kind.HEAP, path="[heap]", owner=owner, values=values)


def file(
    start: int, size: int, path: str, rss: int = 0, *, perms: str = "r--s", kind: Kind = Kind.FILE
) -> Mapping:
    values = {"rss": rss, "pss": rss, "shared_clean": rss} if rss else {}
    return Mapping(start, start + size, perms, kind, device="fe:00", inode="77", path=path, values=values)


def library(start: int, path: str) -> list[Mapping]:
    """A library as the loader maps it: headers, code, constants, relro, data."""
    shapes = (("r--p", 2), ("r-xp", 8), ("r--p", 3), ("r--p", 1), ("rw-p", 1))
    found, offset = [], 0
    for perms, pages in shapes:
        size = pages * PAGE
        values = {"rss": size, "pss": size // 4, "shared_clean": size}
        found.append(
            Mapping(
                start + offset,
                start + offset + size,
                perms,
                Kind.IMAGE,
                offset,
                "fe:00",
                "9",
                path,
                values=values,
            )
        )
        offset += size
    return found


def server(*, grown: bool = False) -> Snapshot:
    """A small server, before and after its heap grew, a file was mapped and thirty threads started."""
    base, top = 0x55F2_0000_0000, 0x7F60_0000_0000
    mappings = [
        *library(base, "/usr/bin/server"),
        heap(base + MIB, 40 * MIB if grown else 8 * MIB, 39 * MIB if grown else 7 * MIB),
    ]
    for number in range(40):
        mappings += library(top + number * MIB, f"/usr/lib/lib{number}.so.1")
    mappings += [anonymous(top + 0x1000_0000, 64 * MIB, 3 * MIB if grown else MIB, owner=ARENA)]
    mappings += [file(0x7FFF_F000_0000, PAGE * 2, "[vdso]", 8192, perms="r-xp", kind=Kind.KERNEL)]
    if grown:
        mappings.append(file(top + 0x2000_0000, 954 * MIB, "/srv/data/index.bin", 12 * MIB))
        for number in range(30):
            stack = top + 0x8000_0000 + number * 9 * MIB
            mappings.append(
                anonymous(
                    stack, PAGE, perms="---p", owner=Owner("guard page", "likely", "shape", "below a stack")
                )
            )
            mappings.append(anonymous(stack + PAGE, 8 * MIB, 16384, owner=STACK))
    else:
        mappings.append(anonymous(top + 0x7000_0000, 2 * MIB, 2 * MIB))
    return snapshot(*mappings, minute=5 if grown else 0)


def looked_into(*, later: bool = False) -> Snapshot:
    """A process whose pages were looked at: every state, a page alone in a gigabyte, and what became of them."""
    start, lone = 0x7F00_0000_0000, 0x7F80_0000_0000
    rows = [
        (start, 4096, ("1000d", "500d", "500z", "512Z", "512D", "200s", "872a")),
        (start + 64 * MIB, 64, ("16f", "8u", "40d")),
        (lone, 1 << 18, ("200000a", "1d", f"{(1 << 18) - 200001}a")),
    ]
    if later:
        rows[0] = (start, 4096, ("1000d", "500z", "500d", "1024a", "200d", "872a"))
    found = []
    for at, _, runs in rows:
        count = sum(int(run[:-1]) for run in runs if run[-1] in "dD")
        prints = b"".join(
            (number // 2 + (later and number % 3 == 0)).to_bytes(8, "big") for number in range(count)
        )
        found.append(MappingPages(start=at, runs="".join(runs), fingerprints=encoded(prints)))
    resident = 6 * MIB if later else 4 * MIB
    mappings = [anonymous(at, pages * PAGE, resident, owner=ARENA) for at, pages, _ in rows]
    taken = snapshot(*mappings, minute=5 if later else 0)
    pages = PageContents(page_size=PAGE, key="k", mappings=tuple(found))
    return taken.model_copy(update={"pages": pages})


def hostile() -> Snapshot:
    """A process whose every name is an attack."""
    mappings = [
        file(0x7F00_0000_0000 + number * MIB, PAGE * (number + 1), path, PAGE)
        for number, path in enumerate(HOSTILE)
    ]
    named = [
        anonymous(
            0x7F10_0000_0000 + number * MIB, PAGE, PAGE, owner=Owner(path, "certain", "name", path, path)
        )
        for number, path in enumerate(HOSTILE)
    ]
    found = snapshot(*mappings, *named)
    process = found.process.model_copy(update={"name": HOSTILE[0], "arguments": HOSTILE})
    return found.model_copy(update={"process": process, "label": HOSTILE[1]})


def crowd(count: int, *, grown: bool = False) -> Snapshot:
    """*count* mappings, every third of which is larger in the grown one."""
    return snapshot(
        *(
            anonymous(
                0x7000_0000_0000 + number * 64 * PAGE,
                PAGE * (9 if grown and not number % 3 else 8),
                PAGE * (1 + number % 8),
            )
            for number in range(count)
        ),
        minute=5 if grown else 0,
    )
