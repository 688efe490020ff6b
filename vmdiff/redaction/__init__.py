"""Snapshots that may be shown to strangers: names become pseudonyms, addresses stand elsewhere.

What is kept is on an allow-list (`vmdiff.redaction.vocabulary`); everything else of text becomes a
pseudonym, the same for the same text in all snapshots that are redacted together. So comparing the
redacted snapshots gives what comparing the originals gives, row by row, but for the names.

``docs/redaction.md`` says what goes, what stays and what could still be learnt.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise

from vmdiff.model import Origin, Redaction, Snapshot
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.redaction import addresses, mapping_redaction, vocabulary
from vmdiff.redaction.addresses import AddressMap
from vmdiff.redaction.mapping_redaction import Mappings
from vmdiff.redaction.paths import Paths, base_name, is_plain
from vmdiff.redaction.policies import POLICIES, SET_POLICIES, facts_policies, fields
from vmdiff.redaction.pseudonyms import Pseudonyms
from vmdiff.redaction.visible import Visible, told

__all__ = ["Visible", "betrays", "redact", "redact_sets", "visible"]

_LONGEST_COMM = 15  # bytes
NO_ROOM = "its addresses do not fit the map of the key: they were redacted with random ones"


def redact(snapshots: Iterable[Snapshot], *, key: bytes | None = None) -> tuple[Snapshot, ...]:
    """Return the snapshots as strangers may see them, all with the same pseudonyms and addresses.

    With a *key*, what is redacted at different times gets the same pseudonyms and addresses; without,
    a random one is used and forgotten. Whoever has the key can test guesses, so keep it secret.
    """
    return _together(tuple(snapshots), key)[0]


def redact_sets(sets: Iterable[SnapshotSet], *, key: bytes | None = None) -> tuple[SnapshotSet, ...]:
    """Return sets as strangers may see them: one name has one pseudonym in all members of all of them."""
    originals = tuple(sets)
    members, names, paths = _together(tuple(chain.from_iterable(one.members for one in originals)), key)
    left = iter(members)
    policies = {**POLICIES, **SET_POLICIES, "cgroup.files[].path": lambda _, text: paths(text)}
    shells = (fields(one.model_copy(update={"members": ()}), "", policies, names) for one in originals)
    return tuple(
        SnapshotSet(**{**shell, "members": tuple(islice(left, len(one.members)))})
        for one, shell in zip(originals, shells, strict=True)
    )


def _together(
    originals: tuple[Snapshot, ...], key: bytes | None
) -> tuple[tuple[Snapshot, ...], Pseudonyms, Paths]:
    """Redact snapshots alike; return also how names and paths are, for what is redacted with them."""
    secret = hashlib.sha256(key).digest() if key is not None else secrets.token_bytes(32)
    names = Pseudonyms(secret, _secrets(originals), _ids(originals))
    held = {path for snapshot in originals for path in _paths(snapshot)}
    public = {base_name(path) for path in held if Paths(names).is_system(path) and is_plain(base_name(path))}
    if key is None:
        paths = Paths(names, public, everywhere=True, temporary=_temporary(originals))
    else:  # a key must give a name the same pseudonym whatever else is redacted beside it
        paths = Paths(names, public)
    run, moved = _layout(originals, names, keyed=key is not None)
    fits = key is None or run == names.run
    treat = Mappings(names, paths, moved)
    redacted = tuple(_redacted(snapshot, names, paths, treat, run, fits=fits) for snapshot in originals)
    return redacted, names, paths


def visible(snapshot: Snapshot) -> list[Visible]:
    """List what a snapshot would still tell once it is redacted, or tells if it is."""
    return told(snapshot if snapshot.origin.redaction else redact([snapshot])[0])


def betrays(originals: Iterable[Snapshot], text: str) -> bool:
    """Return whether *text* (a file's name, say) holds a name that redacting *originals* removes."""
    snapshots = tuple(originals)
    programs = {
        s.process.name
        for s in snapshots
        if s.process.name and _public_name(s, Paths(Pseudonyms(b""))) is None
    }
    return Pseudonyms(b"", [*_secrets(snapshots), *programs]).betrays(text)


def _layout(originals: Sequence[Snapshot], names: Pseudonyms, *, keyed: bool) -> tuple[str, AddressMap]:
    """Return the id of the run and the map of its addresses.

    A key's map does not suit every address space. Then the layout is drawn for this run, which gets
    an id of its own: its addresses say nothing beside those of another.
    """
    spans = [span for snapshot in originals for span in mapping_redaction.spans(snapshot.mappings)]
    if not keyed or not spans:
        return names.run, addresses.drawn(spans, names.draw)
    if fitting := addresses.keyed(spans, names.draw):
        return names.run, fitting
    dice = Pseudonyms(secrets.token_bytes(32))
    return dice.run, addresses.drawn(spans, dice.draw)


def _redacted(
    snapshot: Snapshot, names: Pseudonyms, paths: Paths, treat: Mappings, run: str, *, fits: bool
) -> Snapshot:
    policies = facts_policies(paths, _public_name(snapshot, paths))
    facts = fields(snapshot, "", policies, names)
    told: Origin = facts["origin"]
    doubts = told.doubts if fits else (*told.doubts, NO_ROOM)
    facts["origin"] = told.model_copy(update={"redaction": Redaction(run=run), "doubts": doubts})
    attributes = frozenset(snapshot.origin.attributes)
    moved = tuple(treat(mapping, attributes) for mapping in snapshot.mappings)
    return Snapshot(**facts, mappings=moved)


def _secrets(originals: Sequence[Snapshot]) -> Iterator[str]:
    """Yield what names somebody, so that it is found in names that would stay otherwise."""
    for snapshot in originals:
        host = snapshot.host.name or ""
        for text in (snapshot.process.user, host, host.partition(".")[0], *_home_owners(snapshot)):
            if text and text.casefold() not in vocabulary.SYSTEM_ACCOUNTS:
                yield text


def _ids(originals: Sequence[Snapshot]) -> Iterator[int]:
    for process in (snapshot.process for snapshot in originals):
        if process.pid is not None:
            yield process.pid
        yield from (thread.tid for thread in process.threads or ())


def _home_owners(snapshot: Snapshot) -> Iterator[str]:
    for path in _paths(snapshot):
        steps = [step for step in path.replace("\\", "/").split("/") if step]
        for home, who in pairwise(steps):
            if home.casefold() in vocabulary.HOMES and who not in vocabulary.DIRECTORIES:
                yield who


def _temporary(originals: Sequence[Snapshot]) -> Iterator[str]:
    for snapshot in originals:
        for mapping in snapshot.mappings:
            path = mapping.path or ""
            if mapping.deleted or path.startswith(vocabulary.TEMPORARY):
                yield base_name(path).removeprefix("memfd:")


def _paths(snapshot: Snapshot) -> set[str]:
    others = [snapshot.process.executable, *(one.path for one in snapshot.process.unmapped_files or ())]
    return {path for path in (*(mapping.path for mapping in snapshot.mappings), *others) if path}


def _public_name(snapshot: Snapshot, paths: Paths) -> str | None:
    """Return the process's name if it is that of a program whose path is kept, else None."""
    name = snapshot.process.name
    if not name:
        return None
    executables = {mapping.path for mapping in snapshot.mappings if mapping.perms[2] == "x"}
    for path in {snapshot.process.executable, *executables} - {None}:
        stays = path is not None and path.startswith(("/", "\\")) and paths(path) == path
        if path is not None and stays and _is_named_after(name, base_name(path)):
            return name
    return None


def _is_named_after(name: str, program: str) -> bool:
    """Return whether the kernel would call a program so: by its file's name, 15 bytes (TASK_COMM_LEN)."""
    cut = os.fsencode(program)[:_LONGEST_COMM].decode(errors="ignore")
    return name in {program, cut}
