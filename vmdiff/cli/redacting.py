"""Redaction on the command line: keys, names of the files written, and what a report could betray."""

import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmdiff.cli import output
from vmdiff.errors import InputError, OutputError, VmdiffError
from vmdiff.harmless_text import printable
from vmdiff.storage import atomic_file

if TYPE_CHECKING:
    from vmdiff.model import Snapshot
    from vmdiff.model.snapshot_set import SnapshotSet
    from vmdiff.redaction import Visible

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).

_SAFE_KEY = 16  # bytes: fewer can be guessed
_LARGEST_KEY = 1 << 20
_DOCUMENTS = (".json", ".json.gz")
_OUTSIDE = frozenset({"markdown", "html", "text"})

Key = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Redact alike whenever this key is used; made if it does not exist. Keep it secret.",
    ),
]


def redact(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Snapshots or listings; what is to be compared, together."),
    ],
    to: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The folder to write into.")
    ] = None,
    key: Key = None,
    show: Annotated[
        bool, typer.Option("--show", help="List what would still be told; without -o nothing is written.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files in DIR.")] = False,
) -> None:
    """Write copies of snapshots that may be shown to strangers.

    Names become pseudonyms, the same in all FILEs, and addresses stand elsewhere; comparing the copies
    gives what comparing the originals gives, but for the names.
    """
    if to is None and not show:
        raise typer.BadParameter("say where to write with -o DIR, or look first with --show")
    from vmdiff import redaction, sources

    targets = _targets(to, files) if to else []
    for target in targets:
        _check(target, files, force=force)
    from vmdiff.cli import leaks_command

    if any(map(leaks_command.is_report, files)):
        _make_folder_of(targets)
        leaks_command.redact(files, targets, read_key(key), force=force)
        return
    sets = [sources.resolve_set(name) for name in files]
    if any(sets):
        _redact_sets(sets, targets, read_key(key), force=force)
        return
    originals = [sources.resolve(name, notify=output.say) for name in files]
    redacted = redaction.redact(originals, key=read_key(key))
    if show:
        output.write("".join(_lines(files, map(redaction.visible, redacted))))
    if to:
        _make(to)
    for target, snapshot in zip(targets, redacted, strict=False):
        sources.save(snapshot, target, force=force)
        if redaction.betrays(originals, target.name):
            output.say(f"{target}: the name of the file tells what was removed from it; rename it")


def _redact_sets(
    sets: "Sequence[SnapshotSet | None]", targets: Sequence[Path], key: bytes | None, *, force: bool
) -> None:
    from vmdiff import redaction, sources

    whole = [one for one in sets if one is not None]
    if len(whole) != len(sets):
        raise InputError("sets of processes are redacted together with sets only, not with snapshots")
    _make_folder_of(targets)
    for target, redacted in zip(targets, redaction.redact_sets(whole, key=key), strict=True):
        sources.save(redacted, target, force=force)


def _make_folder_of(targets: Sequence[Path]) -> None:
    if not targets:
        raise InputError("--show is for snapshots; name a folder with -o DIR")
    _make(targets[0].parent)


def one(taken: "Snapshot | SnapshotSet", key: Path | None) -> "Snapshot | SnapshotSet":
    """Redact what was just taken."""
    from vmdiff import redaction
    from vmdiff.model import Snapshot

    if isinstance(taken, Snapshot):
        return redaction.redact([taken], key=read_key(key))[0]
    return redaction.redact_sets([taken], key=read_key(key))[0]


def read_key(path: Path | None, use: str = "redact later snapshots alike") -> bytes | None:
    """Return the key in a file, which is created if missing; None without a file.

    Raises:
        VmdiffError: it cannot be read or made, or is empty.
    """
    if path is None:
        return None
    try:
        made = _made(path)
        with path.open("rb") as file:
            key = file.read(_LARGEST_KEY).strip()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not key:
        raise VmdiffError(f"{path}: an empty key; name a file that does not exist and one is made")
    if made:
        output.say(f"{path}: made a new key; keep it to {use}, and keep it secret")
    elif len(key) < _SAFE_KEY:
        output.say(f"{path}: a key of {len(key)} bytes can be guessed; 32 random ones cannot")
    return key


def _made(path: Path) -> bool:
    try:
        descriptor = atomic_file.create(path)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(32).encode() + b"\n")
    return True


def warn(form: str, snapshots: "Mapping[str, Snapshot]") -> None:
    """Warn about snapshots in a report for strangers that hold a command line."""
    if form not in _OUTSIDE:
        return
    for name, snapshot in snapshots.items():
        if snapshot.process.arguments and snapshot.origin.redaction is None:
            output.say(f"{name}: holds command-line arguments; vmdiff redact makes a copy for strangers")


def _targets(folder: Path, names: Sequence[str]) -> list[Path]:
    """Return the path of each copy: the file's own name, numbered where another copy has it already.

    Names that differ in capitals only are one file on macOS and Windows.
    """
    taken: set[str] = set()
    targets = []
    for name in names:
        own = _base_name(name)
        stem, ending = next(
            ((own[: -len(end)], end) for end in _DOCUMENTS if own.endswith(end)), (own, ".json")
        )
        numbered = chain([f"{stem}{ending}"], (f"{stem}-{number}{ending}" for number in count(2)))
        free = next(one for one in numbered if one.casefold() not in taken)
        taken.add(free.casefold())
        targets.append(folder / free)
    return targets


def _base_name(named: str) -> str:
    if named == "-":
        return "stdin"
    return named.replace(":", "-") if named.startswith("pid:") else Path(named).name.replace("#", "-")


def _check(target: Path, originals: Sequence[str], *, force: bool) -> None:
    """Find out before the work that a copy may not be written.

    Raises:
        OutputError: it exists, or would overwrite one of the originals.
    """
    output.check_free(target, force=force)
    if target.exists() and any(Path(name).exists() and target.samefile(name) for name in originals):
        raise OutputError(f"{target}: is the original; write the copies into another folder")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}") from error


def _lines(files: Sequence[str], told: Iterable[Sequence["Visible"]]) -> Iterable[str]:
    for name, visible in zip(files, told, strict=True):
        yield f"{name}: still told, beside sizes, counters and flags\n"
        width = max((len(item.place) for item in visible), default=0)
        for place, value, times in visible:
            yield f"  {place:{width}}  {printable(value)}{f'  ({times} times)' if times > 1 else ''}\n"
