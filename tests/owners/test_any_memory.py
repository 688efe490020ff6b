"""Whatever a process holds, the rules end, stay within the mappings and contradict nothing."""

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import BinaryIO

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from vmdiff.model import Host, Mapping, Origin, Process, Residency, Snapshot, Thread, images, kind_of
from vmdiff.owners import RULES, Scene, assign

PAGE = 4096
BASES = (0x400000, 0x55550000_0000, 0xC0_0000_0000, 0x7F00_0000_0000, 0x7F00_0400_0000)
SIZES = (1, 2, 4, 33, 64, 256, 1008, 1024, 2048, 16384)
PATHS = (
    *[None] * 6,
    "[heap]",
    "[stack]",
    "[anon: x]",
    "/usr/bin/python3",
    "/usr/lib/libc.so.6",
    "/usr/lib/ld-linux-x86-64.so.2",
    "/usr/lib/jvm/libjvm.so",
    "/opt/icudtl.dat",
    "/memfd:a",
)
PERMS = ("rw-p", "rw-p", "rw-p", "---p", "r--p", "r-xp", "rwxp", "rw-s")

pieces = st.lists(
    st.tuples(
        st.sampled_from((0, 0, 0, 1, 16)),
        st.sampled_from(SIZES),
        st.sampled_from(PERMS),
        st.sampled_from(PATHS),
        st.sampled_from((0, 1, 4)),
    ),
    min_size=1,
    max_size=12,
)


class Noise:
    """Memory whose words are mostly zeros, addresses in it, and the numbers that headers hold."""

    denied: frozenset[str] = frozenset()

    def __init__(self, mappings: Sequence[Mapping], seed: int) -> None:
        self._mappings = mappings
        self._seed = seed
        words = [0, 0, 0, 2, 0x21002, 0x21000, PAGE | 2, 16384 - 32, (1 << 64) - 1, 4711, seed]
        places = [at for m in mappings for at in (m.start or 0, (m.start or 0) + 0x30, m.end or 0)]
        drawn = random.Random(seed).choices([word.to_bytes(8, "little") for word in words + places], k=10_007)
        self._noise = b"".join(drawn)

    def read(self, address: int, length: int) -> bytes | None:
        held = any(
            (m.start or 0) <= address and address + length <= (m.end or 0) and m.perms[0] == "r"
            for m in self._mappings
        )
        if not held or length > 1 << 20:
            return None
        head = b"\x7fELF\x02\x01\x01" if address % PAGE == 0 and self._seed % 3 == 0 else b""
        begin = hash((self._seed, address)) * 8 % len(self._noise)  # the same place holds the same
        return (head + self._noise[begin:] + self._noise * (length // len(self._noise) + 1))[:length]

    def read_many(self, addresses: Sequence[int], length: int) -> list[bytes | None]:
        return [self.read(address, length) for address in addresses]

    def stack_pointer(self, tid: int) -> int | None:
        return self.stack_pointers([tid]).get(tid)

    def own_ids(self, tids: Iterable[int]) -> dict[int, int]:
        return {tid: tid for tid in tids}

    def stack_pointers(self, tids: Iterable[int]) -> dict[int, int]:
        chosen = random.Random(self._seed)
        return {tid: (chosen.choice(self._mappings).start or 0) + chosen.randrange(9999) for tid in tids}

    def open_object(self, mapping: Mapping) -> BinaryIO | None:  # noqa: ARG002
        return None

    def residency(self, borders: Sequence[int], *, exclusive: bool = False) -> list[Residency] | None:  # noqa: ARG002
        return [Residency((end - start) // 2, 0, 0) for start, end in pairwise(borders)]

    def guards(self, start: int, end: int) -> list[tuple[int, int]] | None:  # noqa: ARG002
        return [(start, start + PAGE)] if self._seed % 2 else []

    def activity(self) -> int | None:
        return self._seed if self._seed % 2 else None


def layout(drawn: Sequence[tuple[int, int, str, str | None, int]], base: int) -> Snapshot:
    mappings: list[Mapping] = []
    programs = images((path, perms) for _, _, perms, path, _ in drawn)
    for gap, pages, perms, path, rss in drawn:
        start = base + gap * PAGE
        base = start + pages * PAGE
        kind = kind_of(path, perms, image=path in programs)
        mappings.append(
            Mapping(
                start,
                base,
                perms,
                kind,
                path=path,
                flags=("nh",) if rss else None,
                values={"rss": rss * PAGE},
            )
        )
    return Snapshot(
        origin=Origin(source="test", counters=("rss",)),
        host=Host(page_size=PAGE),
        process=Process(
            pid=1, executable="/usr/bin/python3", threads=(Thread(tid=1), Thread(tid=4711, name="x"))
        ),
        mappings=tuple(mappings),
    )


@settings(max_examples=times(150), deadline=None)
@given(pieces, st.sampled_from(BASES), st.integers(0, 1 << 32))
def test_rules_end_and_stay_within_the_mappings(
    drawn: list[tuple[int, int, str, str | None, int]], base: int, seed: int
) -> None:
    seen = layout(drawn, base)
    found = assign(Scene(seen, Noise(seen.mappings, seed)), RULES)

    assert [m._replace(owner=None) for m in found.mappings] == list(seen.mappings)
    for mapping in found.mappings:
        reached = mapping.start or 0
        for part in mapping.owner.parts if mapping.owner else ():
            assert reached <= part.start < part.end <= (mapping.end or 0)
            reached = part.end
    assert Snapshot.model_validate_json(found.model_dump_json()) == found


@settings(max_examples=times(50), deadline=None)
@given(pieces, st.sampled_from(BASES))
def test_without_memory_only_names_are_certain(
    drawn: list[tuple[int, int, str, str | None, int]], base: int
) -> None:
    for mapping in assign(Scene(layout(drawn, base)), RULES).mappings:
        owner = mapping.owner
        assert owner is None or owner.certainty != "certain" or owner.basis == "name"
