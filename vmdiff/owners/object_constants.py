"""The constants of a mapped object, read from its file.

Reading them where they are mapped would bring pages into the process's memory that it has not
touched: the next snapshot would show growth that came from looking.
"""

from collections.abc import Iterator, Sequence

from vmdiff.model import PlacedMapping
from vmdiff.owners.scene import Scene

_LARGEST = 64 << 20


class Constants:
    """What an object has mapped without write permission, by address."""

    def __init__(self, scene: Scene, image: Sequence[PlacedMapping]) -> None:
        self._scene = scene
        self._image = [mapping for mapping in image if mapping.perms[:2] == "r-"]
        self._known: dict[int, bytes] = {}

    def segments(self) -> Iterator[tuple[int, bytes]]:
        """Yield address and bytes of every segment; the executable ones, the largest, last."""
        for mapping in sorted(self._image, key=lambda mapping: "x" in mapping.perms):
            yield mapping.start, self._bytes(mapping)

    def text(self, address: int, longest: int) -> str | None:
        """Return the string of at most *longest* bytes that begins at *address*."""
        for mapping in self._image:
            start = mapping.start
            if start <= address < mapping.end:
                found = self._bytes(mapping)[address - start : address - start + longest]
                text, end, _ = found.partition(b"\0")
                return text.decode("latin-1") if end else None
        return None

    def _bytes(self, mapping: PlacedMapping) -> bytes:
        start = mapping.start
        if start not in self._known:
            self._known[start] = self._read(mapping)
        return self._known[start]

    def _read(self, mapping: PlacedMapping) -> bytes:
        file = self._scene.memory and self._scene.memory.open_object(mapping)
        if not file:
            return b""
        with file:
            try:
                file.seek(mapping.offset or 0)
                return file.read(min(mapping.size, _LARGEST))
            except (OSError, ValueError, OverflowError):
                return b""
