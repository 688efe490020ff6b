"""A snapshot set: several processes at one time, and the account of the control group they are in."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field

from vmdiff.model.frozen import Count, Frozen, Name, whole_version
from vmdiff.model.held_memory import CachedFile
from vmdiff.model.mapping import Bytes, Text
from vmdiff.model.snapshot import Snapshot, Tags, add

SET_FORMAT: Literal["vmdiff-set"] = "vmdiff-set"
SET_VERSION: Literal[1] = 1
MOST_MEMBERS = 65_536  # processes; kernel.pid_max is 32,768 unless it was raised


class Missing(Frozen, defer_build=True):
    """A process that belongs to the set and could not be read."""

    pid: Count | None = None
    name: Text | None = None
    reason: Text


class ControlGroup(Frozen, defer_build=True):
    """What a control group's memory controller says of itself; bytes, None where unknown.

    *current* is all memory that is charged to the group; *max* and *high* are its limits (None: none that
    is known), *peak* the most that *current* ever was. *events* counts what happened at a limit (``oom``,
    ``oom_kill``, ``max``, ``high``), *stat* has the kernel's names of ``memory.stat``: bytes where the kernel
    counts bytes. Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst. *files* are those that its
    processes have at hand and the page cache holds most of; a file's pages may be charged to another group.
    """

    path: Text
    version: Literal[1, 2]
    current: Bytes | None = None
    max: Bytes | None = None
    high: Bytes | None = None
    peak: Bytes | None = None
    events: dict[Name, Count] = Field(default_factory=dict)
    stat: dict[Name, Count] = Field(default_factory=dict)
    files: tuple[CachedFile, ...] = ()


def role_of(member: Snapshot) -> str:
    """Return what a process does in a set; its name, where nothing better is known."""
    return member.process.role or member.process.name or "(unknown)"


class SnapshotSet(Frozen, defer_build=True):
    """Several processes, each as a snapshot, by pid; *missing* are those that could not be read."""

    format: Literal["vmdiff-set"] = SET_FORMAT
    version: Annotated[Literal[1], BeforeValidator(whole_version)] = SET_VERSION
    taken_at: AwareDatetime | None = None
    label: Text | None = None
    tags: Tags = Field(default_factory=dict)
    members: Annotated[tuple[Snapshot, ...], Field(max_length=MOST_MEMBERS)]
    cgroup: ControlGroup | None = None
    missing: tuple[Missing, ...] = ()

    def total(self, counter: str) -> int | None:
        """Return a counter added up over all members, in bytes; None where one does not know it.

        Only PSS adds up to memory: what several processes share is in the RSS of each of them.
        """
        return add(member.total(counter) for member in self.members)


Moment = Snapshot | SnapshotSet  # one process or several, at one time


def members_of(moment: Moment) -> tuple[Snapshot, ...]:
    """Return the snapshots of all processes."""
    return moment.members if isinstance(moment, SnapshotSet) else (moment,)
