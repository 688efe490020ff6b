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


def differences(before: Snapshot, after: Snapshot) -> tuple[FactChange, ...]:
    """Name every process and host fact that differs, however deep it is nested, in order of path."""
    was, is_ = _facts(before), _facts(after)
    if was == is_:
        return ()
    from deepdiff import DeepDiff  # 180 ms that `vmdiff snap` never pays

    tree = DeepDiff(was, is_, view="tree", verbose_level=2, threshold_to_diff_deeper=0)
    return tuple(sorted(_changes(tree), key=lambda change: change.path))


def _changes(tree: Any) -> Iterator[FactChange]:
    for levels in tree.values():
        for level in levels:
            path = ".".join(str(step) for step in level.path(output_format="list"))
            yield FactChange(path, _plain(level.t1), _plain(level.t2))


def _plain(value: Any) -> Any:
    """Turn deepdiff's mark for what is not there into None."""
    return None if type(value).__name__ == "NotPresent" else value


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
