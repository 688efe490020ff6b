"""Read single words of a process, a page at a time."""

from collections.abc import Iterable

from vmdiff.owners.machine_words import raw_each
from vmdiff.owners.scene import Scene

_UNREADABLE = "a list leads to memory that is swapped out or cannot be read"
_MOST_PAGES = 4096  # kept; 16 MiB


class UnreadableError(Exception):
    """Records could not be read or contradict each other; the message is the reason, for `Usage.partial`."""


class PageWords:
    """The words of a process, for following lists from one record to the next.

    Lists lead through memory that was used together, so their records share pages: each page is read once.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._page = scene.page_size
        self._word = scene.word_size
        self._form = "Q" if scene.word_size == 8 else "I"
        self._pages: dict[int, memoryview[int]] = {}

    def at(self, address: int) -> int:
        """Return the word at *address*.

        Raises:
            UnreadableError: it cannot be read, or is not aligned.
        """
        number, offset = divmod(address, self._page)
        if offset % self._word:
            raise UnreadableError(f"a list leads to {address:x}, which is no address of a record")
        page = self._pages.get(number)
        if page is None:
            page = self._read(number)
        return page[offset // self._word]

    def read_ahead(self, addresses: Iterable[int]) -> None:
        """Read the pages of many addresses in a few calls; those that cannot be read are left to `at`."""
        wanted = sorted({address // self._page for address in addresses} - self._pages.keys())
        wanted = wanted[: max(_MOST_PAGES - len(self._pages), 0)]
        pages = raw_each(self._scene, [number * self._page for number in wanted], self._page)
        for number, raw in zip(wanted, pages, strict=True):
            if raw is not None:
                self._keep(number, raw)

    def raw(self, address: int, length: int) -> bytes:
        """Return *length* bytes at *address*.

        Raises:
            UnreadableError: they cannot be read.
        """
        first, offset = divmod(address, self._page)
        held = self._pages.get(first)
        if held is not None and offset + length <= self._page:
            return bytes(held.cast("B")[offset : offset + length])
        return self._raw(address, length)

    def _raw(self, address: int, length: int) -> bytes:
        raw = self._scene.read(address, length)
        if raw is None:
            raise UnreadableError(_UNREADABLE)
        return raw

    def _read(self, number: int) -> "memoryview[int]":
        raw = self._raw(number * self._page, self._page)
        if len(self._pages) >= _MOST_PAGES:
            self._pages.clear()
        return self._keep(number, raw)

    def _keep(self, number: int, raw: bytes) -> "memoryview[int]":
        page: memoryview[int] = memoryview(raw).cast(self._form)  # type: ignore[call-overload]
        self._pages[number] = page
        return page
