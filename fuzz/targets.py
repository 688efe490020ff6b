"""What is fuzzed: a function of bytes each, which may refuse them politely and do nothing else wrong.

A target raises whatever is a bug: an exception that is no `VmdiffError`, or a law that does not hold.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

from fuzz import changed_lines
from fuzz.slow_smaps import read_slowly
from fuzz.spaces import pair_of
from vmdiff import conditions, findings, importers, selector, units
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.errors import ListingError, VmdiffError
from vmdiff.importers.core_file import core_layout
from vmdiff.importers.core_file.core_memory import CoreMemory
from vmdiff.importers.procfs import fast_reader, tolerant_reader
from vmdiff.model import Snapshot
from vmdiff.owners import RULES, Scene, assign
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.storage import html_embedding, json_document, unpacking

LARGEST = 4 << 20  # bytes that a compressed document may unpack to here

Target = Callable[[bytes], None]


def read_document(data: bytes) -> None:
    """A snapshot document: what is read is written and read back the same."""
    with suppress(VmdiffError):
        _survives(json_document.load(data, source="x"))


def read_packed(data: bytes) -> None:
    """A compressed document."""
    with suppress(VmdiffError):
        _survives(json_document.load(unpacking.unpack(data, source="x", largest=LARGEST).data, source="x"))


def read_listing(data: bytes) -> None:
    """A listing of any format, with the owners that it tells."""
    with suppress(VmdiffError):
        _survives(assign(Scene(importers.read(data, source="x")), RULES))


def read_smaps_twice(data: bytes) -> None:
    """The fast reader of smaps against one that goes line by line."""
    slowly = read_slowly(data)
    try:
        quickly = fast_reader.parse([data], source="x")
    except ListingError:
        assert slowly is None, "the fast reader refuses what the slow one reads"
        return
    assert slowly is not None, "the fast reader reads what the slow one refuses"
    assert [_told(mapping) for mapping in quickly.mappings] == slowly
    assert fast_reader.parse([data[at : at + 7] for at in range(0, len(data), 7)], source="x") == quickly
    records = fast_reader.KnownRecords(4096)
    for _ in range(2):  # what a set's processes have in common is taken apart once
        assert fast_reader.parse([data], source="x", records=records) == quickly


def read_proc_text_twice(data: bytes) -> None:
    """The quick way into maps and smaps against the patient one."""
    quickly = tolerant_reader.quick(data, "x")
    # The patient one cannot tell blanks at the end of a name from those that mail put there.
    if quickly is None or re.search(
        rb"[ \t\xa0](?: \(deleted\))?$", b"\n".join(_headers(data)), re.MULTILINE
    ):
        return
    assert importers.read(data + b"\n", source="x") == quickly  # with an empty line it is read patiently


def read_core(data: bytes) -> None:
    """A core file, with the owner rules looking into the memory that it claims to hold."""
    with suppress(VmdiffError):
        stream = BytesIO(data)
        layout = core_layout.layout(stream, source="x")
        snapshot = core_layout.snapshot_of(layout, source="x")
        _survives(assign(Scene(snapshot, CoreMemory(stream, layout)), RULES))


def read_report(data: bytes) -> None:
    """An HTML report and what rides in it."""
    html_embedding.is_report(data)
    with suppress(VmdiffError):
        for snapshot in html_embedding.carried(data, source="x", largest=LARGEST):
            _survives(snapshot)


def read_words(data: bytes) -> None:
    """Selectors, conditions and sizes of a command line."""
    text = data.decode(errors="surrogateescape")
    with suppress(VmdiffError):
        chosen = selector.parse(text)
        if not ("'" in text and '"' in text):  # a pattern with both cannot be written
            assert selector.parse(str(chosen)) == chosen
    with suppress(VmdiffError):
        conditions.parse(text).holds(_EXAMPLE)
    with suppress(ValueError):
        units.parse_size(text)
    with suppress(ValueError):
        units.parse_time(text)


def compare_documents(data: bytes) -> None:
    """Two documents from strangers, compared and shown in every way."""
    before, _, after = data.partition(b"\0")
    with suppress(VmdiffError):
        _compare(json_document.load(before, source="x"), json_document.load(after or before, source="x"))


def compare_spaces(data: bytes) -> None:
    """Two address spaces that the bytes draw: nearly all are legal, so this goes deep."""
    _compare(*pair_of(data))


TARGETS: dict[str, Target] = {
    "document": read_document,
    "packed": read_packed,
    "proc-text": read_listing,
    "proc-text-twice": read_proc_text_twice,
    "smaps-twice": read_smaps_twice,
    "pmap": read_listing,
    "debuggers": read_listing,
    "java": read_listing,
    "crash-maps": read_listing,
    "pasted": read_listing,
    "lines": changed_lines.check,
    "core": read_core,
    "report": read_report,
    "words": read_words,
    "compare-documents": compare_documents,
    "compare-spaces": compare_spaces,
}

_EXAMPLE: Comparison = compare(*pair_of(bytes(range(90))))


def _headers(data: bytes) -> list[bytes]:
    """Give the header lines of mappings that have a name."""
    return [line for line in data.split(b"\n") if re.match(rb"[0-9a-f]+-[0-9a-f]+ .* \S", line)]


def _survives(snapshot: Snapshot) -> None:
    written = b"".join(json_document.dump(snapshot))
    again = b"".join(json_document.dump(json_document.load(written, source="again")))
    assert json.loads(again) == json.loads(written)


def _told(mapping: fast_reader.Mapping) -> tuple[object, ...]:
    return (
        mapping.start,
        mapping.end,
        mapping.perms,
        mapping.path,
        mapping.deleted,
        mapping.flags,
        dict(mapping.values),
    )


def _compare(before: Snapshot, after: Snapshot) -> None:
    for match in ("auto", "structure"):
        comparison = compare(before, after, match=match)
        _adds_up(comparison)
        found = findings.find(comparison)
        for name, renderer in RENDERERS.items():
            text = renderer.comparison(
                comparison, found, ViewOptions(width=100, colour=name is Format.TERMINAL)
            )
            if name is Format.JSON:
                json.loads(text)
    assert not compare(before, before).changes


def _adds_up(comparison: Comparison) -> None:
    """Hold the first promise: the changes sum to the change of the totals."""
    for counter, total in comparison.totals.items():
        if total.delta is not None and comparison.before.mappings and comparison.after.mappings:
            deltas = [change.delta.get(counter, 0) for change in comparison.changes]
            assert sum(delta or 0 for delta in deltas) == total.delta, counter
