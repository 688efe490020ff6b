"""Runs of imagined programs: what is mapped, in which order and what touches, laid out at any addresses."""

import random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.draw import PAGE
from vmdiff.model import Mapping, Origin, Owner, Process, Snapshot, kind_of

COUNTERS = ("rss", "pss", "private_dirty", "swap")


class Piece(NamedTuple):
    """A mapping without an address; *touches* says that it starts where the one before it ends."""

    pages: int
    perms: str = "rw-p"
    path: str | None = None
    offset: int = 0
    touches: bool = False
    owner: Owner | None = None
    rss: int = 0
    swap: int = 0
    build_id: str | None = None
    deleted: bool = False
    inode: str = "0"


def run(pieces: list[Piece], draw: int = 0, **process: Any) -> Snapshot:
    """Lay the pieces out as one run of the program would, *draw* being the luck of that run."""
    luck = random.Random(draw)
    at = luck.randrange(1, 1 << 20) * PAGE
    mappings = []
    for piece in pieces:
        at += 0 if piece.touches else luck.randrange(1, 1 << 12) * PAGE
        mappings.append(_mapping(piece, at))
        at += piece.pages * PAGE
    return Snapshot(
        origin=Origin(source="drawn", counters=COUNTERS, owners=True),
        process=Process(**process),
        mappings=tuple(mappings),
    )


def _mapping(piece: Piece, at: int) -> Mapping:
    image = bool(piece.path) and (".so" in piece.path or "/bin/" in piece.path)
    values = {
        "rss": piece.rss * PAGE,
        "pss": piece.rss * PAGE,
        "private_dirty": piece.rss * PAGE,
        "swap": piece.swap * PAGE,
    }
    return Mapping(
        at,
        at + piece.pages * PAGE,
        piece.perms,
        kind_of(piece.path, piece.perms, image=image),
        piece.offset * PAGE,
        path=piece.path,
        owner=piece.owner,
        build_id=piece.build_id,
        deleted=piece.deleted,
        inode=piece.inode,
        values={name: value for name, value in values.items() if value},
    )


def library(path: str, *, text: int = 10, data: int = 2, bss: int = 0, **fields: Any) -> list[Piece]:
    """Give a library's segments as the loader maps them, and its .bss."""
    segments = [
        Piece(1, "r--p", path, 0, **fields),
        Piece(text, "r-xp", path, 1, touches=True, **fields),
        Piece(3, "r--p", path, text + 1, touches=True, **fields),
        Piece(data, "rw-p", path, text + 4, touches=True, rss=data, **fields),
    ]
    return segments + ([Piece(bss, touches=True, rss=bss)] if bss else [])


HEAP = Piece(33, path="[heap]", rss=5)
STACK = Piece(34, path="[stack]", rss=3)
KERNEL = [Piece(4, "r--p", "[vvar]"), Piece(2, "r-xp", "[vdso]", touches=True)]

sizes = st.sampled_from((1, 1, 2, 3, 8, 64, 2048))
resident = st.integers(0, 3)
unlike_files = {"offset": st.just(0), "build_id": st.none(), "deleted": st.just(False), "inode": st.just("0")}
anonymous = st.builds(
    Piece,
    pages=sizes,
    perms=st.sampled_from(("rw-p", "rw-p", "rw-p", "r--p", "---p", "r-xp", "rw-s")),
    path=st.sampled_from((None, None, None, None, "[anon:pool]", "[anon: stack 4711]", "[anon: stack 4712]")),
    touches=st.booleans(),
    owner=st.sampled_from(
        (
            None,
            None,
            None,
            Owner("malloc arena", "certain", "record", "seen at 7f01", "arena 1"),
            Owner("malloc arena", "certain", "record", "seen at 7f02", "arena 2"),
            Owner("python arena", "certain", "record", "pools"),
            Owner("malloc large block", "certain", "record", "chunks", "2 blocks"),
            Owner("malloc large block", "certain", "record", "chunks", "3 blocks"),
            Owner("mixed"),
        )
    ),
    rss=resident,
    swap=st.sampled_from((0, 0, 0, 1)),
    **unlike_files,
)
libraries = st.builds(
    library,
    st.sampled_from(
        ("/lib/liba.so.1", "/lib/libb-2.31.so", "/lib/libc.so.6", "/usr/bin/app", "/x/liba.so.2")
    ),
    text=sizes,
    data=sizes,
    bss=st.sampled_from((0, 0, 1, 8)),
)
files = st.builds(
    Piece,
    pages=sizes,
    perms=st.sampled_from(("r--s", "r--p", "rw-s")),
    path=st.sampled_from(("/data/a", "/data/b", "/memfd:x", "/dev/shm/y")),
    offset=st.sampled_from((0, 0, 5)),
    touches=st.booleans(),
    owner=st.none(),
    rss=resident,
    swap=st.just(0),
    build_id=st.sampled_from((None, "aa", "bb")),
    deleted=st.booleans(),
    inode=st.sampled_from(("0", "7", "8")),
).map(lambda piece: [piece])
single = anonymous.map(lambda piece: [piece])
crowds = st.builds(
    lambda piece, rss: [piece._replace(rss=r) for r in rss],
    anonymous,
    st.lists(resident, min_size=5, max_size=14),
)
numbered = st.lists(
    st.sampled_from((Piece(2, path="[anon: stack 4711]"), Piece(2, path="[anon: stack 4712]"))), max_size=12
)
special = st.sampled_from(([HEAP], [STACK], KERNEL))


@st.composite
def programs(draw: st.DrawFn) -> list[Piece]:
    """Draw the pieces of a program: libraries, files, memory, crowds of equal blocks."""
    parts = draw(
        st.lists(st.one_of(libraries, files, single, single, single, crowds, numbered, special), max_size=9)
    )
    return [piece for part in parts for piece in part]


@st.composite
def related(draw: st.DrawFn) -> tuple[list[Piece], list[Piece]]:
    """Draw a program, and the same after some edits: pieces lost, found, resized, touched."""
    before = draw(programs())
    after = []
    for piece in before:
        edit = draw(st.sampled_from(("keep", "keep", "keep", "keep", "lose", "resize", "touch", "find")))
        if edit == "find":
            after.append(draw(anonymous))
        if edit == "resize":
            after.append(piece._replace(pages=draw(sizes)))
        elif edit == "touch":
            after.append(piece._replace(rss=draw(resident)))
        elif edit != "lose":
            after.append(piece)
    return before, after
