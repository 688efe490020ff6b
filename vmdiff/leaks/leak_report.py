"""The document of what is lost: ``vmdiff-leaks`` version 1."""

import re
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, ValidationError

from vmdiff.errors import InputError
from vmdiff.model.frozen import Count, Frozen, Name, whole_version
from vmdiff.model.snapshot import Process

FORMAT = "vmdiff-leaks"


class LostAmount(Frozen, defer_build=True):
    """So many blocks with so many bytes."""

    blocks: Count
    bytes: Count


class SearchedMemory(LostAmount):
    """The blocks in use that were looked at, and in sentences what was *not* searched."""

    not_: tuple[str, ...] = ()

    model_config = Frozen.model_config | {"alias_generator": lambda name: name.rstrip("_")}


class LostGroup(Frozen, defer_build=True):
    """Lost blocks of one class and size.

    *roots* are those that no other lost block points to, one for each circle; *held* is what is lost with
    them. *new* are those beyond an earlier report's, None without one.
    """

    name: Name | None
    size: Count
    blocks: Count
    bytes: Count
    roots: Count
    held: LostAmount | None = None
    new: LostAmount | None = None


class LeakReport(Frozen, defer_build=True):
    """What nothing in a process points to. It is likely, never certain: pointers may be encoded.

    *groups* and *others*, what is in more groups than a document holds, are all of *lost*.
    *frozen_seconds* is how long the process stood still, None of a core file.
    """

    format: Literal["vmdiff-leaks"] = "vmdiff-leaks"
    version: Annotated[Literal[1], BeforeValidator(whole_version)] = 1
    process: Process
    taken_at: AwareDatetime | None = None
    certainty: Literal["likely"] = "likely"
    frozen_seconds: float | None = None
    searched: SearchedMemory
    lost: LostAmount
    new: LostAmount | None = None
    groups: tuple[LostGroup, ...] = ()
    others: LostAmount | None = None
    redacted: bool = False

    def to_json(self) -> str:
        """Return the document."""
        return self.model_dump_json(indent=2, by_alias=True) + "\n"


def load(data: bytes, *, source: str) -> LeakReport:
    """Read a document.

    Raises:
        InputError: it is none, or breaks the schema.
    """
    try:
        return LeakReport.model_validate_json(data)
    except ValidationError as error:
        first: Any = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{source}: no leaks document of vmdiff: {place or '$'}: {first['msg']}") from error


def is_leak_report(head: bytes) -> bool:
    """Return whether a file that begins so is one of these documents."""
    return re.match(rb"\s*\{\s*\"format\"\s*:\s*\"vmdiff-leaks\"", head) is not None


def since(before: LeakReport, after: LeakReport) -> LeakReport:
    """Return *after* with what each group has more than it had in *before*.

    A group that *before* had no room for counts as new.
    """
    known = {(group.name, group.size): group for group in before.groups}
    groups = []
    for group in after.groups:
        past = known.get((group.name, group.size))
        more = max(group.blocks - (past.blocks if past else 0), 0)
        amount = LostAmount(blocks=more, bytes=more * group.size)
        groups.append(group.model_copy(update={"new": amount}))
    total = LostAmount(
        blocks=sum(group.new.blocks for group in groups if group.new),
        bytes=sum(group.new.bytes for group in groups if group.new),
    )
    return after.model_copy(update={"groups": tuple(groups), "new": total})
