"""The carriers of Erlang's allocators (BEAM: erts/emulator/beam/erl_alloc_util.c, OTP 20 to 28).

A carrier begins with its size and flags, the next and the previous carrier of a list, and the allocator
instance that it belongs to, with flags in the lowest bits. An instance has a pointer to the beginning of the
names of its statistics, ``eheap_`` or ``binary_``. A carrier for several blocks is believed if a neighbour is
the same instance's or the instance has it as the first or last of a list. One for a single block is in no
list: it is believed if the block's size, which follows, fits it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from vmdiff.owners.allocators.plain_runs import PlainRun, joined, plain_runs
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import WORD, raw_each, unpacked, word, words
from vmdiff.owners.object_constants import Constants
from vmdiff.owners.scene import Scene

HEAP = "erlang heap"

_SYMBOL = b"\0enif_make_atom\0"
_MOST_PAGES = 131_072  # that begin no carrier and are looked at
_FEW, _MANY = 16, 1024  # pages that are looked at together: more of them the longer nothing is found
_HEADER = 5 * WORD  # of a carrier and its first block
_INSTANCE_AT = 3 * WORD
_UNIT = 4096
_BLOCK = (1 << 56) - 1  # what of a block's header is its size and the usual flags
_FLAGS, _MAPPED, _ONE = 7, 1, 2
_INSTANCE = 4096  # bytes of an allocator instance that hold its lists
_NAME_AT = 64  # words of it that hold the pointer to its name
_PREFIX = re.compile(r"(sys|temp|sl|std|ll|eheap|binary|ets|fix|driver|literal|exec|test)_")
_HOW = "a carrier of an Erlang allocator, whose instance its neighbours or its only block confirm"


class Carrier(NamedTuple):
    """A carrier: bounds, neighbours in its list or 0, allocator instance, and whether it has *one* block."""

    start: int
    end: int
    after: int
    before: int
    instance: int
    one: bool


def beam(scene: Scene) -> Iterator[Claim]:
    """Claim the carriers of all allocators."""
    program = scene.find_object("beam.")
    if (
        program is None
        or not program.exports_any((_SYMBOL,))
        or not scene.can_read
        or scene.word_size != WORD
    ):
        return
    names = _Names(Constants(scene, program.mappings))
    known = [(names.of(scene, carrier.instance), carrier) for carrier in sorted(_carriers(scene))]
    for name, alike in groupby(known, key=lambda pair: pair[0]):
        for start, end, _ in joined((carrier.start, carrier.end) for _, carrier in alike if name):
            yield Claim(start, end, HEAP, "record", _HOW, name)


class _Names:
    """The names of allocator instances."""

    def __init__(self, constants: Constants) -> None:
        self._constants = constants
        self._known: dict[int, str | None] = {}

    def of(self, scene: Scene, instance: int) -> str | None:
        """Return the name of an instance, such as ``eheap``; None if there is none at that address."""
        if instance not in self._known:
            texts = (self._constants.text(at, 16) for at in words(scene, instance, _NAME_AT) or () if at)
            found = (_PREFIX.fullmatch(text) for text in texts if text)
            self._known[instance] = next((match[1] for match in found if match), None)
        return self._known[instance]


def _carriers(scene: Scene) -> Iterator[Carrier]:
    """Yield the carriers in plain memory, the smaller stretches first; what is recognised costs no budget."""
    left, page = _MOST_PAGES, scene.page_size
    for run in sorted(plain_runs(scene), key=lambda run: run.end - run.start):
        at, batch = run.start, _FEW
        while at < run.end and left > 0:
            places = range(at, min(run.end, at + batch * page), page)
            carrier = next(_first(scene, places, run), None)
            at = places.stop if carrier is None else carrier.end
            left -= len(places) if carrier is None else (carrier.start - places.start) // page
            batch = min(2 * batch, _MANY) if carrier is None else _FEW
            if carrier is not None:
                yield carrier


def _first(scene: Scene, places: Sequence[int], run: PlainRun) -> Iterator[Carrier]:
    for place, raw in zip(places, raw_each(scene, places, _HEADER), strict=True):
        carrier = _read(place, raw)
        if carrier and carrier.end <= run.end and (carrier.one or _is_listed(scene, carrier)):
            yield carrier


def _read(place: int, raw: bytes | None) -> Carrier | None:
    """Read the header of a carrier, and of the block behind it; None if that is none."""
    if not raw:
        return None
    head, after, before, instance, block = unpacked(raw)
    size, one = head & ~_FLAGS, bool(head & _ONE)
    if not head & _MAPPED or not size or size % _UNIT or not instance or (after | before) % WORD:
        return None
    block &= _BLOCK
    if one and not (block & _FLAGS == _FLAGS and size <= 2 * block and block + _HEADER <= size):
        return None
    return Carrier(place, place + size, after, before, instance & ~_FLAGS, one)


def _is_listed(scene: Scene, carrier: Carrier) -> bool:
    """Return whether a neighbour is of the same instance, or the instance has it as the first or last."""
    for neighbour in (carrier.after, carrier.before):
        instance = word(scene, neighbour + _INSTANCE_AT) if neighbour else None
        if instance is not None and instance & ~_FLAGS == carrier.instance:
            return True
    if carrier.after and carrier.before:
        return False
    return carrier.start in unpacked(scene.read(carrier.instance, _INSTANCE))
