"""The process and host facts that differ between two snapshots: the only door to deepdiff."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from vmdiff.model import Snapshot


class FactChange(NamedTuple):
    """A fact that differs; *path* is dotted (``limits.stack``, ``host.kernel``), None says absent."""

    path: str
    before: Any
    after: Any


_ABSENT = object()


def differences(before: Snapshot, after: Snapshot) -> tuple[FactChange, ...]:
    """Name every process and host fact that differs, however deep it is nested, in order of path."""
    found = _differing((), _facts(before), _facts(after))
    return tuple(sorted(found, key=lambda change: change.path))


def _differing(place: tuple[Any, ...], was: Any, is_: Any) -> Iterator[FactChange]:
    """Yield what differs at a *place* in the facts, as the keys on the way to it."""
    if was == is_:
        return
    if isinstance(was, dict) and isinstance(is_, dict):
        for key in was | is_:
            yield from _differing((*place, key), was.get(key, _ABSENT), is_.get(key, _ABSENT))
    elif isinstance(was, list) and isinstance(is_, list):
        yield from _in_lists(place, was, is_)
    else:
        yield _change(place, was, is_)


def _in_lists(place: tuple[Any, ...], was: list[Any], is_: list[Any]) -> Iterator[FactChange]:
    from deepdiff import DeepDiff  # takes as long as comparing, and only the command line is a list

    tree = DeepDiff(was, is_, view="tree", verbose_level=2, threshold_to_diff_deeper=0)
    for levels in tree.values():
        for level in levels:
            yield _change((*place, *level.path(output_format="list")), level.t1, level.t2)


def _change(place: tuple[Any, ...], was: Any, is_: Any) -> FactChange:
    return FactChange(".".join(map(str, place)), _plain(was), _plain(is_))


def _plain(value: Any) -> Any:
    """Return None for what is not there."""
    return None if value is _ABSENT or type(value).__name__ == "NotPresent" else value


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    """Return the facts as nested dictionaries, threads and files by their key: one more is one change."""
    facts = snapshot.process.model_dump(mode="json")
    if snapshot.process.threads is not None:
        facts["threads"] = {thread.tid: thread.name for thread in snapshot.process.threads}
    if snapshot.process.unmapped_files is not None:
        held: Counter[str] = Counter()
        for one in snapshot.process.unmapped_files:
            held[one.path] += one.held
        facts["unmapped_files"] = dict(held)
    return facts | {"host": snapshot.host.model_dump(mode="json"), "tags": snapshot.tags}
