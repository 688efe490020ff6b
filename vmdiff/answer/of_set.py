"""What a set of processes holds, and what happened between two, in one sentence each."""

from dataclasses import replace

from vmdiff.answer.of_control_group import answer_of_group, answer_of_groups
from vmdiff.answer.sentence import Answer, Mover
from vmdiff.model import Kind
from vmdiff.model.piece import NOT_SPLIT
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.sets.set_comparison import Became, SetComparison
from vmdiff.sets.set_totals import by_role, shared_objects, total
from vmdiff.units import signed, size

_ENOUGH = 0.8  # of the movement that is to be explained
_MOST = 3  # parts that are named
_NOTEWORTHY = 1 << 20
_SHARED_SHARE = 0.1  # of all PSS, from which on a shared object is named


def answer_of_set(snapshots: SnapshotSet) -> Answer:
    """Return how much memory the processes hold together, which hold most, and their group's charge."""
    answer = _answer_of_processes(snapshots)
    if snapshots.cgroup is None:
        return answer
    return replace(answer, sentence=f"{answer.sentence}. {answer_of_group(snapshots.cgroup)}")


def _answer_of_processes(snapshots: SnapshotSet) -> Answer:
    whole = total(snapshots)
    count = f"{len(snapshots.members):,} processes" if len(snapshots.members) != 1 else "1 process"
    if whole.pss is None:
        return Answer(f"{count}; PSS was not measured in all of them, so their sum is unknown", "pss")
    roles = [
        f"{row.role}{f' ({len(row.members):,})' if len(row.members) > 1 else ''} {_size(row.held.pss)}"
        for row in by_role(snapshots)[:_MOST]
    ]
    beside = (
        f" (RSS adds up to {size(whole.rss)})" if whole.rss and whole.rss - whole.pss >= _NOTEWORTHY else ""
    )
    shared = next(iter(shared_objects(snapshots)), None)
    once = ""
    if shared is not None and shared.shared and shared.shared >= _SHARED_SHARE * whole.pss:
        name = shared.name.rpartition("/")[2] if shared.kind is Kind.IMAGE else shared.name
        once = f"; {name} {size(shared.shared)} shared by {shared.processes:,}, counted once"
    return Answer(f"{size(whole.pss)} in {count}{beside}: {', '.join(roles)}{once}", "pss", whole.pss)


def answer_of_sets(found: SetComparison) -> Answer:
    """Return what the memory of all processes together did, by process and owner, and in their group."""
    answer = _answer_of_pairs(found)
    before, after = found.before.cgroup, found.after.cgroup
    if before is None or after is None:
        return answer
    return replace(answer, sentence=f"{answer.sentence}. {answer_of_groups(before, after)}")


def _answer_of_pairs(found: SetComparison) -> Answer:
    delta = found.delta
    if delta is None:
        return Answer("PSS was not measured in all processes, so its change is unknown", "pss")
    changes = _processes(found)
    if abs(delta) < _NOTEWORTHY:
        return Answer(f"unchanged ({signed(delta)}){changes}", "pss", delta, (), None if not delta else 0.0)
    rows = found.moved("owner")
    split = any(row.name != NOT_SPLIT for row in rows)
    same_sign = [row for row in rows if row.delta and (row.delta > 0) == (delta > 0)]
    named, explained = [], 0
    for row in same_sign[:_MOST]:
        named.append(row)
        explained += abs(row.delta or 0)
        if explained >= _ENOUGH * abs(delta):
            break
    movers = ", ".join(
        f"{f'{row.name} of ' if split else ''}{row.role} {signed(row.delta or 0)}" for row in named
    )
    share = min(1.0, explained / abs(delta))
    spread = (
        ""
        if explained >= _ENOUGH * abs(delta)
        else f", spread over {len(same_sign)} {'owners' if split else 'roles'}; the largest"
    )
    sentence = f"{signed(delta)} in all processes{spread}: {movers}{changes}"
    return Answer(
        sentence, "pss", delta, tuple(Mover("owner", row.name, row.delta or 0) for row in named), share
    )


def _processes(found: SetComparison) -> str:
    counts = {became: sum(pair.became is became for pair in found.pairs) for became in Became}
    told = [f"{counts[one]:,} {one}" for one in (Became.NEW, Became.ENDED, Became.RESTARTED) if counts[one]]
    return f"; processes: {', '.join(told)}" if told else ""


def _size(value: int | None) -> str:
    return "?" if value is None else size(value)
