"""A made fleet with known faults, to try the questions on: 2,000 hosts, a service in two versions.

What is planted, and what each question must find:

- version 1.5 keeps 8 to 16 MiB more in malloc arenas on nine hosts of ten (``growth``), while the Java
  heap moves much more, but up and down alike;
- three hosts hold half a GiB of large blocks that the others do not (``outliers``);
- one host's python arenas grow by a MiB an hour (``trend``).
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from vmdiff.model import Host, Kind, Mapping, Origin, Owner, Process, Snapshot, owner

HOSTS = 2000
OUTLIERS = ("host-0137", "host-0944", "host-1762")
LEAKING = "host-0512"
GROWN = "malloc arena"
BEFORE, AFTER = "1.4", "1.5"
LEAK_PER_HOUR = 1 << 20
POINTS = 24  # hourly snapshots of the leaking host

_START = datetime(2026, 11, 2, 3, tzinfo=UTC)
_LIBRARIES = 58
_THREADS = 16
_PAGE, _MIB = 4096, 1 << 20
_COUNTERS = ("rss", "pss", "private_clean", "private_dirty", "shared_clean", "swap")
_ARENA = owner("malloc arena", "record", "heap_info at its start")
_LARGE = owner("malloc large block", "record", "mmapped chunk")
_PYTHON = owner("python arena", "record", "pool headers")
_JAVA = owner("jvm heap", "record", "CollectedHeap")
_STACK = owner("thread stack", "register", "stack pointer")


class _Unplaced(NamedTuple):
    """A mapping of the made service before it has an address."""

    size: int
    rss: int
    kind: Kind
    perms: str
    path: str | None = None
    owner: Owner | None = None


def snapshots(hosts: int = HOSTS) -> Iterator[Snapshot]:
    """Yield the snapshots of the fleet, host by host; the same ones each time."""
    for number in range(hosts):
        name = f"host-{number:04d}"
        dice = random.Random(number)  # noqa: S311  # no secret
        usual = dice.randrange(8 * _MIB, 24 * _MIB, _PAGE)
        if name == LEAKING:
            yield from _leaking(name, dice, usual)
            continue
        for version, day in ((BEFORE, 0), (AFTER, 1)):
            extra = (
                dice.randrange(8 * _MIB, 16 * _MIB, _PAGE) if version == AFTER and dice.random() < 0.9 else 0
            )
            at = _START + timedelta(days=day, seconds=dice.randrange(3600))
            yield _snapshot(name, version, at, dice, arenas=usual + extra)


def _leaking(name: str, dice: random.Random, arenas: int) -> Iterator[Snapshot]:
    """Yield the hourly snapshots of the host that leaks; it was looked at more often for that reason."""
    for hour in range(POINTS):
        at = _START + timedelta(days=1, hours=hour)
        yield _snapshot(name, AFTER, at, dice, arenas=arenas, leaked=hour * LEAK_PER_HOUR)


def _snapshot(
    host: str, version: str, at: datetime, dice: random.Random, *, arenas: int, leaked: int = 0
) -> Snapshot:
    pieces = [*_program(dice), *_memory(host, dice, arenas, leaked), *_stacks(dice)]
    return Snapshot(
        taken_at=at,
        tags={"version": version, "region": "eu" if int(host[-1]) % 2 else "us"},
        origin=Origin(source="example", counters=_COUNTERS, owners=True),
        host=Host(name=host, page_size=_PAGE, memory_total=16 << 30),
        process=Process(pid=1000 + int(host[-4:]), name="shopd", executable="/usr/bin/shopd"),
        mappings=tuple(_placed(pieces, dice)),
    )


def _placed(pieces: list[_Unplaced], dice: random.Random) -> Iterator[Mapping]:
    """Lay the pieces out from a random address upwards, each with a gap behind it."""
    address = dice.randrange(0x7F0000000000, 0x7F8000000000, _PAGE)
    for piece in pieces:
        private = 0 if piece.kind is Kind.FILE else piece.rss
        values = {
            "rss": piece.rss,
            "pss": piece.rss if private else piece.rss // 2,
            "private_dirty": private,
            "shared_clean": piece.rss - private,
        }
        yield Mapping(
            address,
            address + piece.size,
            piece.perms,
            piece.kind,
            path=piece.path,
            owner=piece.owner,
            values={name: value for name, value in values.items() if value},
        )
        address += piece.size + _PAGE


def _program(dice: random.Random) -> Iterator[_Unplaced]:
    for number in range(_LIBRARIES):
        path = "/usr/bin/shopd" if not number else f"/usr/lib/libshop{number}.so.1"
        for perms, pages in (("r--p", 4), ("r-xp", 40), ("r--p", 8), ("rw-p", 2)):
            yield _Unplaced(pages * _PAGE, dice.randint(1, pages) * _PAGE, Kind.IMAGE, perms, path)


def _memory(host: str, dice: random.Random, arenas: int, leaked: int) -> Iterator[_Unplaced]:
    yield _Unplaced(
        512 * _MIB, dice.randrange(64 * _MIB, 448 * _MIB, _PAGE), Kind.ANONYMOUS, "rw-p", None, _JAVA
    )
    for share in (2, 4, 8, 16, 16):
        yield _Unplaced(64 * _MIB, arenas // share // _PAGE * _PAGE, Kind.ANONYMOUS, "rw-p", None, _ARENA)
    yield _Unplaced(64 * _MIB + leaked, 24 * _MIB + leaked, Kind.ANONYMOUS, "rw-p", None, _PYTHON)
    large = 512 * _MIB if host in OUTLIERS else 0
    yield _Unplaced(_MIB + large, _MIB + large, Kind.ANONYMOUS, "rw-p", None, _LARGE)
    yield _Unplaced(8 * _MIB, dice.randint(1, 64) * _PAGE, Kind.FILE, "r--s", "/var/lib/shop/index")


def _stacks(dice: random.Random) -> Iterator[_Unplaced]:
    for _ in range(_THREADS):
        yield _Unplaced(_PAGE, 0, Kind.RESERVED, "---p")
        yield _Unplaced(8 * _MIB, dice.randint(2, 12) * _PAGE, Kind.ANONYMOUS, "rw-p", None, _STACK)
