"""What the user named -> "Snapshot": a live process or a file of any format that vmdiff reads."""

import io
import os
import sys
from collections import abc
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar

from vmdiff.capture import Detail, Notify, ProcessFolder, read
from vmdiff.capture.consistent_read import WALK_SECONDS_PER_BYTE
from vmdiff.errors import InputError, ProcessError
from vmdiff.storage import atomic_file

if TYPE_CHECKING:  # what is not known before a process is being read is loaded meanwhile
    from vmdiff.capture.freeze import Freeze
    from vmdiff.model import Snapshot
    from vmdiff.model.snapshot_columns import SnapshotColumns
    from vmdiff.model.snapshot_set import SnapshotSet
    from vmdiff.owners import KnownFiles, Memory, Scene
    from vmdiff.storage.json_document import DocumentReader

# Late imports: taking a snapshot loads neither the formats nor the reports (tests/test_economy.py).

STDIN = "-"
_ANOTHER_PROGRAM = "owners: the process became another program before they were found, so none are known"
_LIVE = "pid:"
_ELF = b"\x7fELF"
_SNAPSHOT = b'{\n  "format": "vmdiff-snapshot"'  # as vmdiff writes them: no set, and not read to find out
_BUNDLE = b"@vmdiff:"
_LOOKS_AGAIN = 3  # where pages moved meanwhile
_HOLDS_AGAIN = 3  # of a frozen process whose heap contradicts itself
_QUICK = 0.5  # seconds of a quiet machine; a reading that takes longer is not repeated for that
_SECONDS_PER_MAPPING = 10e-6
_MOST_CONTENTS = 20_000  # of mappings that one reader of many files remembers, some 15 MB


def snap(
    pid: int,
    *,
    detail: Detail | Literal["pages"] = "smaps",
    owners: bool = True,
    inside: bool = False,
    arguments: bool = False,
    label: str | None = None,
    tags: "abc.Mapping[str, str] | None" = None,
    freeze: bool = False,
    freeze_limit: float | None = None,
    page_key: bytes | None = None,
    notify: Notify | None = None,
) -> "Snapshot":
    """Take a snapshot of a live process.

    *detail* ``maps`` is cheap and has no counters, ``totals`` only the kernel's sums of them, without any
    mappings or owners, ``pages`` reads what pages of private memory hold:
    zeros, the same as another, and with *page_key* a fingerprint of each. *owners* looks for who
    asked for the memory; *inside* reads the records of its allocators and runtimes whole, however long
    that takes, instead of only the cheap ones; *arguments* keeps the command line; *label* and *tags* are
    kept as they are; *freeze* holds the process still meanwhile, for at most *freeze_limit* seconds;
    *notify* is told what takes long.

    Raises:
        ProcessError: the process cannot be observed.
    """
    with ProcessFolder(pid) as folder:
        identity = folder.identity()

        def taken() -> "Snapshot":
            listed = "smaps" if detail == "pages" else detail
            snapshot = read(folder, detail=listed, arguments=arguments, label=label, notify=notify)
            if tags:
                snapshot = snapshot.model_copy(update={"tags": dict(tags)})
            if owners and detail != "totals":
                look = _with_owners_only if freeze else partial(with_owners, inside=inside)
                owned = look(folder, snapshot)
                snapshot = owned if folder.was(identity) else snapshot.noting(_ANOTHER_PROGRAM)
            if detail == "pages":
                from vmdiff.capture.page_contents import with_pages  # what few snapshots need

                snapshot = with_pages(folder, snapshot, page_key, notify)
            return snapshot

        return _frozen(folder, freeze_limit, taken, inside=inside) if freeze else taken()


def snap_set(
    targets: abc.Sequence[str],
    *,
    detail: Detail = "smaps",
    owners: bool = True,
    inside: bool = False,
    arguments: bool = False,
    label: str | None = None,
    tags: "abc.Mapping[str, str] | None" = None,
    freeze: bool = False,
    freeze_limit: float | None = None,
) -> "SnapshotSet":
    """Take snapshots of all processes that *targets* mean.

    A target is a process number, ``name:GLOB``, ``tree:PID``, ``cgroup:PATH`` or ``all``. The options are
    those of `snap`; with *freeze* all processes stand still before the first is read. A process that cannot
    be read is listed as missing.

    Raises:
        InputError: a target means nothing.
        ProcessError: no process of a target could be read.
    """
    from vmdiff.capture.control_groups import account_with_files
    from vmdiff.capture.machine_facts import Machine
    from vmdiff.capture.process_set import read_set
    from vmdiff.capture.process_tree import choose

    machine = Machine()
    owned_too = owners and detail != "totals"
    known = _no_files_known() if owned_too else None

    def taken(folder: ProcessFolder) -> "Snapshot":
        if not owned_too:
            return read(folder, detail=detail, arguments=arguments, machine=machine)
        identity = folder.identity()
        snapshot = read(folder, detail=detail, arguments=arguments, machine=machine)
        # The records inside allocators take longest to read, so a set that stands still goes without them.
        look = _with_owners_only if freeze else partial(with_owners, inside=inside)
        owned = look(folder, snapshot, known=known)
        return owned if folder.was(identity) else snapshot.noting(_ANOTHER_PROGRAM)

    chosen = choose(targets)
    found = read_set(chosen, taken, freeze=freeze, limit=freeze_limit)
    if not found.members:
        raise ProcessError("; ".join(one.reason for one in found.missing[:3]) or "no process to read")
    account = None if chosen.cgroup is None else account_with_files(chosen.cgroup, found.members)
    return found.model_copy(update={"label": label, "tags": dict(tags or {}), "cgroup": account})


def _no_files_known() -> "KnownFiles":
    from vmdiff.owners import KnownFiles

    return KnownFiles()


def _frozen(
    folder: ProcessFolder, limit: float | None, taken: "Callable[[], Snapshot]", *, inside: bool
) -> "Snapshot":
    """Take the snapshot while the process stands still, and note for how long it did in all.

    A thread can be stopped while it writes malloc's records, which then contradict each other: it is let
    run on and held again, unless they say the same as before or the limit is spent.
    """
    from vmdiff.capture.freeze import let_run
    from vmdiff.owners.inside import contradictions

    snapshot, freeze = _held_once(folder, limit, taken, inside=inside)
    seconds, reasons = freeze.seconds, contradictions(snapshot.usage or ())
    for _ in range(_HOLDS_AGAIN):
        left = None if limit is None else limit - seconds
        if not reasons or (left is not None and left <= 0):
            break
        let_run(folder)
        try:
            snapshot, freeze = _held_once(folder, left, taken, inside=inside)
        except ProcessError:  # it ended, and what was read of it stays
            break
        seconds, before = seconds + freeze.seconds, reasons
        reasons = contradictions(snapshot.usage or ())
        if reasons == before:
            break
    return snapshot.noting(*freeze.doubts, frozen_seconds=round(seconds, 6))


def _held_once(
    folder: ProcessFolder, limit: float | None, taken: "Callable[[], Snapshot]", *, inside: bool
) -> "tuple[Snapshot, Freeze]":
    """Hold the process still once; return what was read of it, and how it stood.

    The allocators' records are read from a copy, once it runs on; where it is too large for a copy, while
    it stands still, and then only the cheap ones.
    """
    from vmdiff.capture.freeze import frozen
    from vmdiff.capture.live_memory import LiveMemory
    from vmdiff.capture.memory_copy import copied

    with ExitStack() as stack:
        with frozen(folder, limit) as freeze:
            snapshot = taken()
            live = stack.enter_context(LiveMemory(folder.pid, folder=folder, mappings=snapshot.mappings))
            looked = snapshot.origin.owners
            copy = copied(live, snapshot) if looked else None
            if looked and copy is None:
                snapshot = _with_usage(snapshot, live, inside=False)
        if copy is not None:
            snapshot = _with_usage(snapshot, copy, inside=inside)
    return snapshot, freeze


def with_owners(
    folder: ProcessFolder, snapshot: "Snapshot", *, inside: bool = False, known: "KnownFiles | None" = None
) -> "Snapshot":
    """Look for who asked for the memory of a snapshot that was just read, and for what is in use of it.

    *known* is what was learnt of program files in other processes.
    """
    return looked_at(folder, snapshot, inside=inside, known=known).snapshot


def looked_at(
    folder: ProcessFolder, snapshot: "Snapshot", *, inside: bool = False, known: "KnownFiles | None" = None
) -> "Scene":
    """Return the scene of a snapshot with owners and usage (see `with_owners`), and what rules learned."""
    from vmdiff.capture.live_memory import LiveMemory
    from vmdiff.owners.inside import QUICK, WHOLE, look_inside

    scene = _owned(folder, snapshot, known)
    with LiveMemory(folder.pid, folder=folder, mappings=scene.snapshot.mappings) as memory:
        scene = scene.with_owners(scene.snapshot, memory)
        usage = look_inside(scene, WHOLE if inside else QUICK)
    return scene.with_owners(scene.snapshot.model_copy(update={"usage": usage}), None)


def _with_owners_only(
    folder: ProcessFolder, snapshot: "Snapshot", *, known: "KnownFiles | None" = None
) -> "Snapshot":
    return _owned(folder, snapshot, known).snapshot


def _owned(folder: ProcessFolder, snapshot: "Snapshot", known: "KnownFiles | None" = None) -> "Scene":
    """Look for owners, and again as long as pages moved before those of each owner were counted."""
    scene, left = _owners_found(folder, snapshot, known)
    for _ in range(_LOOKS_AGAIN):
        if not left or not _is_quick(scene.snapshot):
            break
        try:
            again, fewer = _owners_counted_again(folder, scene)
        except ProcessError:  # it ended, and what was read of it stays
            break
        scene, left = (again, fewer) if fewer < left else (scene, left)
    return scene


def _owners_found(
    folder: ProcessFolder, snapshot: "Snapshot", known: "KnownFiles | None"
) -> "tuple[Scene, int]":
    """Return a snapshot with owners, and how many mappings of several owners did not add up."""
    from vmdiff.capture.live_memory import LiveMemory
    from vmdiff.owners import RULES, Scene, assigned
    from vmdiff.owners.second_look import unsettled

    with LiveMemory(folder.pid, folder=folder, mappings=snapshot.mappings) as memory:
        scene = assigned(Scene(snapshot, memory, known), RULES)
        return scene, unsettled(scene.snapshot, memory)


def _owners_counted_again(folder: ProcessFolder, scene: "Scene") -> "tuple[Scene, int]":
    """Read the process again, and keep the owners that were found if its layout is the same."""
    from vmdiff.capture.live_memory import LiveMemory
    from vmdiff.owners.second_look import same_layout, unsettled, with_owners_of

    owned = scene.snapshot
    again = read(folder, arguments=owned.process.arguments is not None, label=owned.label)
    again = again.model_copy(update={"tags": owned.tags})
    if not same_layout(owned, again):
        return _owners_found(folder, again, scene.known)
    with LiveMemory(folder.pid, folder=folder, mappings=again.mappings) as memory:
        kept = with_owners_of(owned, again, memory)
        return scene.with_owners(kept, memory), unsettled(kept, memory)


def _is_quick(snapshot: "Snapshot") -> bool:
    """Return whether reading the process again costs it, and the reader, next to nothing.

    By what it has, and not by how long the reading took, which says more of how busy the machine is.
    """
    walk = (snapshot.total("rss") or 0) * WALK_SECONDS_PER_BYTE
    return len(snapshot.mappings) * _SECONDS_PER_MAPPING + walk < _QUICK


def _with_usage(snapshot: "Snapshot", memory: "Memory", *, inside: bool) -> "Snapshot":
    from vmdiff.owners import Scene
    from vmdiff.owners.inside import QUICK, WHOLE, look_inside

    usage = look_inside(Scene(snapshot, memory), WHOLE if inside else QUICK)
    return snapshot.model_copy(update={"usage": usage})


def load(
    path: Path | str, *, notify: Notify | None = None, reader: "DocumentReader | None" = None
) -> "Snapshot":
    """Read a snapshot, or a listing of any known format, from a file or, for ``-``, standard input.

    ``FILE#2`` is the second listing of a text that holds several, ``DIR#17`` point 17 of a recording. Of
    an HTML report that carries before and after it is what the report ends with, the one after, unless
    ``#1`` chooses; *notify* is told so.
    A *reader* makes several that resemble each other cheaper.

    Raises:
        InputError: it cannot be read, is nothing that vmdiff reads, or holds several listings.
    """
    name, choice = _chosen_file(str(path))
    if _is_elf(name):
        try:
            with Path(name).open("rb") as file:  # read where it lies: cores may be larger than memory
                return _from_core(file, name)
        except OSError as error:
            raise InputError(f"{name}: {error.strerror}") from error
    from vmdiff.importers.file_kinds import FileKind, kind_of_file
    from vmdiff.storage import html_embedding, json_document, series_folder, unpacking

    source, data = _read(name)
    data, choice = unpacking.unpack(data, source=source, choice=choice)
    match kind_of_file(data):
        case FileKind.DELTA:
            return (reader or json_document).load(series_folder.document_of(data, name), source=source)
        case FileKind.DOCUMENT:
            return (reader or json_document).load(data, source=source)
        case FileKind.REPORT:
            return _chosen(html_embedding.carried(data, source=source), choice, source, notify)
        case FileKind.CORE:
            return _from_core(io.BytesIO(data), source)
        case FileKind.TEXT:
            return _from_text(data, source, choice=choice)


def _from_text(data: bytes, source: str, *, choice: int | None) -> "Snapshot":
    from vmdiff import importers

    return _owned_by_looks(importers.read(data, source=source, choice=choice))


def _owned_by_looks(snapshot: "Snapshot") -> "Snapshot":
    """Look for owners by name and shape, where no memory can be read."""
    from vmdiff.owners import RULES, Scene, assign

    return assign(Scene(snapshot), RULES)


def _is_elf(name: str) -> bool:
    return _begins(name, _ELF)


def _begins(name: str, *kinds: bytes) -> bool:
    """Return whether a regular file begins like one of *kinds*; what a pipe gives would be gone once read."""
    try:
        if name == STDIN or not os.path.isfile(name):  # noqa: PTH113
            return False
        with Path(name).open("rb", buffering=0) as file:  # without a buffer: half the time
            return file.read(max(map(len, kinds))).startswith(kinds)
    except (OSError, ValueError):
        return False


def _from_core(stream: BinaryIO, source: str) -> "Snapshot":
    from vmdiff.importers.core_file import core_layout
    from vmdiff.importers.core_file.core_memory import CoreMemory
    from vmdiff.owners import RULES, Scene, assign

    layout = core_layout.layout(stream, source=source)
    memory = CoreMemory(stream, layout)
    owned = assign(Scene(core_layout.snapshot_of(layout, source=source), memory), RULES)
    return _with_usage(owned, memory, inside=True)


def series(
    names: "abc.Sequence[str]", *, notify: Notify | None = None
) -> "abc.Iterator[tuple[str, Snapshot | SnapshotSet]]":
    """Yield the snapshots and sets of recordings (folders) and files, each with the name of its file.

    A folder that is no recording stands for the snapshots in it, ``*.json`` and ``*.json.gz``.

    Raises:
        InputError: one cannot be read.
    """
    from vmdiff.storage import json_document, series_folder, set_document

    reader = json_document.DocumentReader()
    for name in names:
        if not os.path.isdir(name):  # noqa: PTH112
            yield name, load_set(name) or resolve(name, notify=notify)
            continue
        for file, document in series_folder.documents(name):
            several = set_document.is_set(document)
            yield file, (set_document if several else reader).load(document, source=file)


class EverySnapshot:
    """Reads all snapshots that files hold, as columns: cheaper the more they resemble each other."""

    def __init__(self) -> None:
        from vmdiff.storage import json_document, series_folder

        self._reader = json_document.DocumentReader(remembers=False, most=_MOST_CONTENTS)
        self._keyframes = series_folder.Keyframes()

    def of(self, path: Path | str) -> "tuple[SnapshotColumns, ...]":
        """Return what a file holds: one, the members of a set, both of a report, every listing of a text.

        Members have the label and the tags of their set where they have none of their own.

        Raises:
            InputError: it cannot be read, or is nothing that vmdiff reads.
        """
        from vmdiff.importers.file_kinds import FileKind, kind_of_file
        from vmdiff.model.snapshot_columns import SnapshotColumns
        from vmdiff.storage import html_embedding, point_delta, set_document, unpacking

        name, choice = _chosen_file(str(path))
        if _is_elf(name):
            return (SnapshotColumns.of(load(name)),)
        source, data = _read(name)
        if point_delta.is_delta(data):
            data = self._keyframes.document_of(data, name)
        data, choice = unpacking.unpack(data, source=source, choice=choice)
        if set_document.is_set(data):
            return tuple(map(SnapshotColumns.of, _by_themselves(set_document.load(data, source=source))))
        match kind_of_file(data):
            case FileKind.DOCUMENT:
                return (self._reader.columns(data, source=source),)
            case FileKind.REPORT:
                return tuple(map(SnapshotColumns.of, html_embedding.carried(data, source=source)))
            case _:
                return tuple(map(SnapshotColumns.of, self._listings(data, source, choice)))

    def _listings(self, data: bytes, source: str, choice: int | None) -> "tuple[Snapshot, ...]":
        from vmdiff import importers

        if _BUNDLE in data and (found := _bundled(data, source)) is not None:
            return found.members
        held = range(1, importers.count(data, source=source) + 1)
        choices = held if choice is None and len(held) > 1 else [choice]
        return tuple(_from_text(data, source, choice=one) for one in choices)


def _by_themselves(several: "SnapshotSet") -> "tuple[Snapshot, ...]":
    """Return the members of a set, each with the label and the tags that the set has."""
    return tuple(
        member.model_copy(
            update={"label": member.label or several.label, "tags": {**several.tags, **member.tags}}
        )
        for member in several.members
    )


def load_pair(path: Path | str) -> "tuple[Snapshot, Snapshot]":
    """Read before and after from one file: the HTML report of a comparison, or a text with two listings.

    Raises:
        InputError: it cannot be read, or does not hold two.
    """
    from vmdiff import importers
    from vmdiff.importers.file_kinds import FileKind, kind_of_file
    from vmdiff.storage import html_embedding, unpacking

    name, choice = _choice(str(path))
    source, data = _read(name)
    data, choice = unpacking.unpack(data, source=source, choice=choice)
    kind = kind_of_file(data)
    if kind is FileKind.REPORT:
        snapshots = html_embedding.carried(data, source=source)
        if len(snapshots) != 2:
            raise InputError(f"{source}: carries one snapshot; compare it with another")
        return snapshots[0], snapshots[1]
    held = importers.count(data, source=source) if kind is FileKind.TEXT else 1
    if held != 2:
        raise InputError(
            f"{source}: missing AFTER; one file alone must hold two snapshots, this one holds {held}"
        )
    before, after = (_from_text(data, source, choice=choice) for choice in (1, 2))
    return before, after


def _read(name: str) -> tuple[str, bytes]:
    """Return the name of a file for errors, and its bytes."""
    source = "<stdin>" if name == STDIN else name
    stdin = sys.stdin.buffer if sys.stdin else None  # it may have been closed by who started this
    return source, atomic_file.read_from(stdin, source) if name == STDIN else atomic_file.read(name)


def _chosen(
    snapshots: "tuple[Snapshot, ...]", choice: int | None, source: str, notify: Notify | None
) -> "Snapshot":
    if choice is None and len(snapshots) > 1 and notify:
        notify(f"{source} carries two snapshots: this is the one after; {source}#1 is the one before")
    return _one_of(snapshots, choice, source)


_Carried = TypeVar("_Carried")


def _one_of(carried: "tuple[_Carried, ...]", choice: int | None, source: str) -> _Carried:
    if choice is not None and not 1 <= choice <= len(carried):
        raise InputError(f"{source}: carries {len(carried)} of them; there is no #{choice}")
    return carried[-1 if choice is None else choice - 1]


def _chosen_file(name: str) -> tuple[str, int | None]:
    """Return the file that a name means, a point of a recording for ``DIR#17``, and what of it is chosen."""
    name, choice = _choice(name)
    if choice is None or not os.path.isdir(name):  # noqa: PTH112
        return name, choice
    from vmdiff.storage import series_folder

    return str(series_folder.point(name, choice)), None


def _choice(name: str) -> tuple[str, int | None]:
    """Split ``FILE#2``, unless a file is called so."""
    file, mark, number = name.rpartition("#")
    if not (mark and file and number.isascii() and number.isdigit() and len(number) < 10):
        return name, None
    return (name, None) if os.path.lexists(name) else (file, int(number))


def document(taken: "Snapshot | SnapshotSet") -> abc.Iterator[bytes]:
    """Write a snapshot or a set as its document, in pieces."""
    from vmdiff.model import Snapshot
    from vmdiff.storage import json_document

    if isinstance(taken, Snapshot):
        return json_document.dump(taken)
    from vmdiff.storage import set_document

    return set_document.dump(taken)


def save(taken: "Snapshot | SnapshotSet", path: Path | str, *, force: bool = False) -> None:
    """Write a snapshot or a set to a file, compressed where its name ends in ``.gz``; whole or not at all.

    Raises:
        OutputError: the file exists (without *force*), or cannot be written.
    """
    from vmdiff.storage import json_document

    chunks = document(taken)
    if str(path).endswith(".gz"):
        chunks = json_document.compressed(chunks)
    atomic_file.write(path, chunks, force=force)


def load_set(path: Path | str) -> "SnapshotSet | None":
    """Read a set document, or the set in an HTML report; None if the file holds something else.

    Of a report of two sets it is the one after, unless ``FILE#1`` asks for the one before.

    Raises:
        InputError: it cannot be read, or is a set with something wrong in it.
    """
    from vmdiff.storage import html_embedding, point_delta, series_folder, set_document, unpacking

    name, choice = _chosen_file(str(path))
    if name == STDIN or not os.path.isfile(name) or _begins(name, _ELF, _SNAPSHOT):  # noqa: PTH113
        return None
    source, data = _read(name)
    if sets := html_embedding.carried_sets(data, source=source):
        return _one_of(sets, choice, source)
    if choice is not None:
        return None
    bundled = _BUNDLE in data
    if not bundled and not set_document.may_be_set(data):
        return None
    if point_delta.is_delta(data):
        data = series_folder.document_of(data, name)
    data, _ = unpacking.unpack(data, source=source, choice=None)
    if set_document.is_set(data):
        return set_document.load(data, source=source)
    return _bundled(data, source) if bundled else None


def _bundled(data: bytes, source: str) -> "SnapshotSet | None":
    from vmdiff import importers

    found = importers.read_set(data, source=source)
    return None if found is None else _set_with_owners(found)


def _set_with_owners(found: "SnapshotSet") -> "SnapshotSet":
    return found.model_copy(update={"members": tuple(map(_owned_by_looks, found.members))})


def snap_via(
    command: str,
    targets: abc.Sequence[str],
    *,
    owners: bool = True,
    label: str | None = None,
    tags: "abc.Mapping[str, str] | None" = None,
) -> "Snapshot | SnapshotSet":
    """Take a snapshot of a process, or a set of several, that *command* reaches.

    *command* runs ``sh`` elsewhere: ``ssh db1``, ``docker exec app``, ``kubectl exec web-0 --``. Owners go by
    name and shape, for no memory is read.

    Raises:
        InputError: a target is no process number, or the command is none.
        ProcessError: the command failed, or what it printed is not whole.
    """
    from vmdiff.capture.via import collected
    from vmdiff.importers.bundle.bundle_reader import set_of, snapshot_of

    framed = collected(command, targets)
    kept: dict[str, object] = {"label": label, "tags": dict(tags or {})}
    try:
        if len(targets) > 1:
            found = set_of(framed, command)
            return (_set_with_owners(found) if owners else found).model_copy(update=kept)
        snapshot = snapshot_of(framed[0], command)
    except InputError as error:
        raise ProcessError(str(error)) from error
    return (_owned_by_looks(snapshot) if owners else snapshot).model_copy(update=kept)


def resolve_set(named: str) -> "SnapshotSet | None":
    """Return the set that a command line names: a file, or processes as they are now; None if it is none."""
    from vmdiff.capture.process_tree import means_a_set

    return snap_set([named]) if means_a_set([named]) else load_set(named)


def resolve_sets(before: str, after: str | None) -> "list[SnapshotSet | None]":
    """Return the sets that a command line names; one name alone may be the HTML report of two."""
    if after is not None:
        return [resolve_set(before), resolve_set(after)]
    from vmdiff.storage import html_embedding

    if os.path.isfile(before) and not _is_elf(before):  # noqa: PTH113
        source, data = _read(before)
        if sets := html_embedding.carried_sets(data, source=source):
            return list(sets)
    return [resolve_set(before)]


def resolve(
    named: str, *, notify: Notify | None = None, reader: "DocumentReader | None" = None
) -> "Snapshot":
    """Return what a command line names: ``pid:1234`` as it is now, ``-``, or a file."""
    if not named.startswith(_LIVE):
        if named.isascii() and named.isdigit() and not os.path.lexists(named):
            raise InputError(f"{named}: no such file; pid:{named} is the process of that number")
        return load(named, notify=notify, reader=reader)
    pid = named.removeprefix(_LIVE)
    if not (pid.isascii() and pid.isdigit()) or len(pid) > 10:
        raise InputError(f"{named}: expected pid: and a process number, such as pid:1234")
    return snap(int(pid))


def resolve_pair(
    before: str, after: str | None, *, notify: Notify | None = None
) -> "tuple[Snapshot, Snapshot]":
    """Return the two that a command line names; one name alone is the HTML report of a comparison."""
    if after is None:
        return load_pair(before)
    if before == after == STDIN:
        raise InputError("-: standard input holds one of the two; the other comes from a file")
    from vmdiff.storage.json_document import DocumentReader

    reader = DocumentReader()
    return resolve(before, notify=notify, reader=reader), resolve(after, notify=notify, reader=reader)
