"""Pairs of address spaces drawn from bytes: six make a mapping, and nearly all are legal."""

from collections.abc import Iterator

from vmdiff.model import Host, Mapping, Origin, Owner, Process, Scalar, Snapshot, images, kind_of

PAGE = 0x1000
_PATHS = (
    None,
    None,
    None,
    "[heap]",
    "[stack]",
    "[vdso]",
    "[anon:x\x1b[31m]",
    "/lib/libc.so.6",
    "/lib/ld.so",
    "/d/[b]x[/b]",
    "/memfd:m",
    "/SYSV00000000",
)
_PERMS = ("rw-p", "r--p", "r-xp", "---p", "rw-s", "rwxp", "????", "r--s")
_OWNERS = (
    None,
    Owner("malloc arena", "certain", "record", "heap_info", "arena 1"),
    Owner("thread stack", "certain", "register", "sp", tid=7),
    Owner("jvm heap", "likely", "shape", "size"),
)
_COUNTERS = ("rss", "pss", "private_dirty", "swap", "anonymous")
_BYTES = 6
_MOST = 40  # mappings a side


def pair_of(data: bytes) -> tuple[Snapshot, Snapshot]:
    """Draw two snapshots: the first byte says what they share, the others draw them in turn."""
    first, rest = data[:1] or b"\0", data[1:]
    half = len(rest) // 2
    shared = first[0]
    return _snapshot(rest[:half], 1, shared), _snapshot(rest[half:], 1 if shared & 1 else 2, shared)


def _snapshot(data: bytes, ticks: int, shared: int) -> Snapshot:
    drawn = list(_mappings(data))
    known = images((mapping.path, mapping.perms) for mapping in drawn)
    with_kinds = [m._replace(kind=kind_of(m.path, m.perms, image=m.path in known)) for m in drawn]
    return Snapshot(
        origin=Origin(source="fuzz", counters=_COUNTERS if shared & 2 else _COUNTERS[:3], owners=True),
        host=Host(page_size=PAGE, boot_id="b" if shared & 4 else None),
        process=Process(pid=7, start_ticks=ticks, pid_namespace="pid:[1]", executable="/x", name="x\x1b]0;"),
        mappings=tuple(with_kinds if shared & 2 else map(_with_fewer, with_kinds)),
    )


def _with_fewer(mapping: Mapping) -> Mapping:
    return mapping._replace(values={k: v for k, v in mapping.values.items() if k in _COUNTERS[:3]})


def _mappings(data: bytes) -> Iterator[Mapping]:
    page = 1
    for at in range(0, min(len(data), _BYTES * _MOST) - _BYTES + 1, _BYTES):
        gap, length, look, name, held, more = data[at : at + _BYTES]
        page += gap % 16 if gap < 250 else 1 << (gap % 40)
        end = page + 1 + (length if length < 250 else 1 << (length % 30))
        if end * PAGE > 1 << 64:
            return
        path = _PATHS[name % len(_PATHS)]
        file = path is not None and path.startswith("/")
        yield Mapping(
            page * PAGE,
            end * PAGE,
            _PERMS[look % len(_PERMS)],
            kind_of(path, _PERMS[look % len(_PERMS)]),
            None if look & 64 else (more % 8) * PAGE,
            "08:01" if file else "00:00",
            "7" if file else "0",
            path,
            deleted=bool(look & 128),
            flags=(None, ("rd",), ("rd", "wr"), ())[more >> 6],
            owner=None if file else _OWNERS[(name >> 4) % len(_OWNERS)],
            values=dict(_values(held, end - page)),
        )
        page = end


def _values(held: int, pages: int) -> Iterator[tuple[str, Scalar]]:
    """Give some of the counters; one in a while is unknown."""
    for number, name in enumerate(_COUNTERS):
        if held >> number & 1:
            yield name, None if held > 250 else min(held, pages) * PAGE
