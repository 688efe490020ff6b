"""What a control group's account means: what is charged, how far its limit is, and what can still go.

The limit is the group's own; a group above it may have a smaller one. What *can be dropped* is clean page
cache and reclaimable slab: the kernel frees these before it kills (cgroup-v2.rst, "Memory Interface Files").
It is an upper bound: pages that are locked stay. Version 1 does not say how much of the kernel's own memory
can go, so the bound is without that, and says so. Swapping is not counted as room, for nobody knows whether
there is any.
"""

from vmdiff.model.snapshot_set import ControlGroup
from vmdiff.sets.cgroup_account import account, account_change
from vmdiff.units import signed, size

_NOTEWORTHY = 1 << 20
_MOST = 3


def answer_of_group(group: ControlGroup) -> str:
    """Return what is charged to a group, what most of it is, and how far the limit is."""
    if group.current is None:
        return f"what is charged to {group.path} is unknown"
    lines = sorted(account(group), key=lambda line: -line.bytes)
    largest = ", ".join(f"{line.name} {size(line.bytes)}" for line in lines[:_MOST] if line.bytes > 0)
    told = f"{group.path} is charged {size(group.current)}: {largest}{_largest_file(group)}"
    return f"{told}; {_room(group)}{_kills(group)}"


def answer_of_groups(before: ControlGroup, after: ControlGroup) -> str:
    """Return what of a group's memory grew between two accounts, and how far the limit is now."""
    if before.current is None or after.current is None:
        return f"what is charged to {after.path} is unknown"
    delta = after.current - before.current
    moved = [line for line in account_change(before, after) if abs(line.bytes) >= _NOTEWORTHY]
    told = ", ".join(f"{line.name} {signed(line.bytes)}" for line in moved[:_MOST])
    change = f"is charged {signed(delta)}" if delta else "is charged the same"
    kills = after.events.get("oom_kill", 0) - before.events.get("oom_kill", 0)
    killed = f"; {kills:,} killed at the limit between" if kills > 0 else ""
    return f"{after.path} {change}{': ' if told else ''}{told}; {_room(after)}{killed}"


def _largest_file(group: ControlGroup) -> str:
    """Name the file that most of the page cache is of, if one is."""
    cached = sum(line.bytes for line in account(group) if line.freed and line.name.startswith("page cache"))
    file = next((file for file in group.files if not file.in_memory), None)
    if file is None or cached < _NOTEWORTHY or 2 * file.cached < cached:
        return ""
    return f" (of {file.path} {size(file.cached)} is cached)"


def _room(group: ControlGroup) -> str:
    lines = account(group)
    dropped = sum(line.bytes for line in lines if line.freed)
    unknown = sum(line.bytes for line in lines if line.freed is None)
    perhaps = f", of {size(unknown)} in the kernel an unknown part" if unknown >= _NOTEWORTHY else ""
    goes = f"up to {size(dropped)} of it can be dropped{perhaps}" if dropped else _nothing(perhaps)
    if group.max is None or group.current is None:
        return f"it has no limit of its own, {goes}"
    left = max(0, group.max - group.current)
    return f"the limit of {size(group.max)} is {size(left)} away, before it {goes}"


def _nothing(perhaps: str) -> str:
    return f"no page cache can be dropped{perhaps}" if perhaps else "nothing of it can be dropped"


def _kills(group: ControlGroup) -> str:
    kills = group.events.get("oom_kill", 0)
    return (
        f"; {kills:,} of its processes {'was' if kills == 1 else 'were'} killed at the limit" if kills else ""
    )
