"""The blocks of a pool of CPython's, as columns of words."""

from collections.abc import Iterable

from vmdiff.owners.runtimes.cpython_records import Pool

_HEADER_WORDS = 6
_PLACES = (1, 3, 5)  # the words of a block where a type may be
_LOWEST = 0x10000  # addresses begin here (vm.mmap_min_addr)


class PoolView:
    """The blocks of one pool that were handed out at least once.

    *taken* holds the numbers of those that are free again, or known to be something already. *columns* has
    the words of all blocks at each place where a type may be.
    """

    def __init__(self, pool: Pool, raw: bytes, free: Iterable[int]) -> None:
        self.pool, self.raw = pool, raw
        self.stride = pool.size // 8
        self._words = memoryview(raw).cast("Q")
        self._end = _HEADER_WORDS + pool.carved * self.stride
        self.taken = {*free}
        places = [place for place in _PLACES if place < self.stride]
        self.columns = {place: self.column(place) for place in places}

    @classmethod
    def of(cls, pool: Pool, raw: bytes | None) -> "PoolView | None":
        """Return the view of a pool; None if its list of free blocks is not what its header says."""
        free = None if raw is None else _free_blocks(pool, memoryview(raw).cast("Q"))
        return None if raw is None or free is None else cls(pool, raw, free)

    def column(self, place: int) -> list[int]:
        """Return word *place* of every block."""
        return self._words[_HEADER_WORDS + place : self._end : self.stride].tolist()

    def candidates(self) -> set[int]:
        """Return what may be addresses of types."""
        return {value for column in self.columns.values() for value in {*column} if value >= _LOWEST}

    def address(self, index: int) -> int:
        """Return the address of a block."""
        return self.pool.first + index * self.pool.size

    def bytes_at(self, index: int, offset: int, length: int) -> bytes:
        """Return *length* bytes of a block from *offset* on."""
        start = _HEADER_WORDS * 8 + index * self.pool.size + offset
        return self.raw[start : start + length]


def _free_blocks(pool: Pool, words: memoryview) -> list[int] | None:
    """Follow the list of freed blocks; None unless it has as many as are not in use."""
    found: list[int] = []
    at = pool.free
    for _ in range(pool.carved - pool.used):
        index, rest = divmod(at - pool.first, pool.size)
        if rest or not 0 <= index < pool.carved:
            return None
        found.append(index)
        at = words[(at - pool.start) // 8]
    return found if at == 0 and len({*found}) == len(found) else None
