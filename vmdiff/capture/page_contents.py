"""Look at what the pages of a process's own memory hold: zeros, the same as another page, or data.

Only pages that are in memory are read, so none is brought back from swap or made by being looked at; pages of
files and of shared memory are counted and not read. Which are which tells PAGEMAP_SCAN (since Linux 6.7,
Documentation/admin-guide/mm/pagemap.rst).
"""

from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import groupby
from secrets import token_bytes
from typing import NamedTuple

from vmdiff.capture.cached_files import cached_files
from vmdiff.capture.device_memory import device_memory
from vmdiff.capture.live_memory import LiveMemory, PageRun
from vmdiff.capture.page_cache import may_be_known
from vmdiff.capture.page_tally import LookedRun, PageTally
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.model import Mapping, PlacedMapping, Snapshot
from vmdiff.model.page_map import FINGERPRINT, PAGE_COUNTERS, MappingPages, PageContents, PageState, encoded

_OF_OTHERS = frozenset("0123456789af")  # nothing, and pages of files
_PIECE = 4 << 20  # bytes that are read at once
_BYTES_PER_SECOND = 500 << 20
_WORTH_SAYING = 2.0  # seconds
_NOT_TOLD = (
    "the pages were not looked at: the kernel does not tell which are in memory (PAGEMAP_SCAN, Linux 6.7)"
)

Notify = Callable[[str], None]


def with_pages(
    folder: ProcessFolder, snapshot: Snapshot, key: bytes | None, notify: Notify | None = None
) -> Snapshot:
    """Return the snapshot with what its pages hold: `PAGE_COUNTERS` for each mapping, and the page map.

    Without a *key* no fingerprints are kept.
    """
    held = [one for one in snapshot.placed if one.perms[3] == "p" and _may_hold(snapshot, one)]
    cost = sum(snapshot.value(one, "anonymous") or 0 for one in held) / _BYTES_PER_SECOND
    if notify and cost > _WORTH_SAYING:
        notify(f"reading the contents of {folder.pid}'s pages will take about {cost:.0f} s")
    with LiveMemory(folder.pid, folder=folder, mappings=snapshot.mappings) as live:
        look = _Look(live, snapshot.host.page_size or 4096, key)
        found: dict[int | None, _Looked | None] = {one.start: look.mapping(one) for one in held}
    if None in found.values():
        return snapshot.noting(_NOT_TOLD)
    pages = [one for one in found.values() if one is not None]
    named = None if key is None else blake2b(b"name of the key", key=key[:64], digest_size=8).hexdigest()
    return snapshot.model_copy(
        update={
            "origin": snapshot.origin.model_copy(
                update={"counters": (*snapshot.origin.counters, *PAGE_COUNTERS)}
            ),
            "mappings": tuple(
                _counted(mapping, found.get(mapping.start), look.page) for mapping in snapshot.mappings
            ),
            "pages": PageContents(
                files=cached_files([snapshot]) if may_be_known() else None,
                devices=device_memory(folder),
                page_size=look.page,
                key=named,
                mappings=tuple(one.pages for one in pages if not _OF_OTHERS.issuperset(one.pages.runs)),
            ),
        }
    )


def _may_hold(snapshot: Snapshot, mapping: Mapping) -> bool:
    """Return whether there is anything to look at: what was made inaccessible keeps the pages that it has."""
    return mapping.perms[0] == "r" or any(snapshot.value(mapping, name) != 0 for name in ("rss", "swap"))


class _Looked(NamedTuple):
    """The pages of a mapping, as they are kept and as they are counted."""

    pages: MappingPages
    runs: list[LookedRun]


def _counted(mapping: Mapping, looked: _Looked | None, page: int) -> Mapping:
    """Return a mapping with the counters of its pages that are not 0, and so its owner's parts."""
    if looked is None or not isinstance(mapping, PlacedMapping) or not looked.runs:
        return mapping
    tally = PageTally(mapping.start, looked.runs, page)
    counts = {name: count for name in PAGE_COUNTERS if (count := tally.held(name, *mapping.range)) != 0}
    if not counts:
        return mapping
    with_values = mapping.with_values({**mapping.values, **counts})
    owner = mapping.owner
    return with_values if owner is None else with_values.owned_by(tally.with_parts(owner, counts))


class _Look:
    """One pass over a process."""

    def __init__(self, live: LiveMemory, page: int, key: bytes | None) -> None:
        self.page = page
        self._live = live
        self._keeps = key is not None
        self._key = (key or token_bytes(32))[:64]
        self._seen: set[bytes] = set()
        self._zeros = bytes(page)

    def mapping(self, mapping: PlacedMapping) -> _Looked | None:
        """Look at a mapping; None where the kernel does not tell which pages are in memory."""
        runs = self._live.page_runs(mapping.start, mapping.end)
        if runs is None:
            return None
        found: list[LookedRun] = []
        prints: list[bytes] = []
        at = mapping.start
        for run in runs:
            found.append(LookedRun((run.start - at) // self.page, PageState.ABSENT))
            at = run.end
            for count, state, fingerprint in self._states(run):
                repeated = fingerprint in self._seen
                found.append(LookedRun(count, state, repeated))
                if fingerprint is not None:
                    self._seen.add(fingerprint)
                    prints.append(fingerprint)
        found.append(LookedRun((mapping.end - at) // self.page, PageState.ABSENT))
        kept = encoded(b"".join(prints)) if self._keeps else None
        text = _written(found) if runs else ""
        pages = MappingPages(start=mapping.start, runs=text, fingerprints=kept)
        return _Looked(pages, _joined(found) if runs else [])

    def _states(self, run: PageRun) -> Iterator[tuple[int, str, bytes | None]]:
        """Yield (pages, state, fingerprint) of a run of pages."""
        count = (run.end - run.start) // self.page
        if run.zero or not run.present:
            yield count, PageState.ABSENT if run.zero else PageState.SWAPPED, None
        elif run.of_file:
            yield count, PageState.FILE, None
        else:
            for start in range(run.start, run.end, _PIECE):
                yield from self._contents(start, min(start + _PIECE, run.end), huge=run.huge)

    def _contents(self, start: int, end: int, *, huge: bool) -> Iterator[tuple[int, str, bytes | None]]:
        data = self._live.read(start, end - start)
        if data is None:
            yield (end - start) // self.page, PageState.UNREAD, None
            return
        zero, full = (PageState.HUGE_ZERO, PageState.HUGE_DATA) if huge else (PageState.ZERO, PageState.DATA)
        for at in range(0, len(data), self.page):
            contents = data[at : at + self.page]
            if contents == self._zeros:
                yield 1, zero, None
            else:
                yield 1, full, blake2b(contents, digest_size=FINGERPRINT, key=self._key).digest()


def _joined(runs: list[LookedRun]) -> list[LookedRun]:
    """Make one of neighbouring runs that are alike."""
    alike = groupby((one for one in runs if one.pages), key=lambda one: one[1:])
    return [LookedRun(sum(one.pages for one in run), *kind) for kind, run in alike]


def _written(runs: list[LookedRun]) -> str:
    """Write runs as the document keeps them."""
    alike = groupby((one for one in runs if one.pages), key=lambda one: one.state)
    return "".join(f"{sum(one.pages for one in run)}{state}" for state, run in alike)
