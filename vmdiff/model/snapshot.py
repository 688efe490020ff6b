"""A snapshot: an address space plus what is known of its process, its host and how it was taken."""

import re
from collections import Counter, abc
from functools import cached_property
from itertools import chain, compress
from operator import attrgetter, is_not, itemgetter, le, lt
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from vmdiff.model.address_range import AddressIndex
from vmdiff.model.frozen import Count, Frozen, Name, whole_version
from vmdiff.model.mapping import (
    ADDRESS_LIMIT,
    DERIVED,
    FILE_FACTS,
    KNOWN_COUNTERS,
    KNOWN_KEYS,
    PERMS,
    Bytes,
    Mapping,
    PlacedMapping,
    Scalar,
    Text,
    sealed,
)
from vmdiff.model.page_map import PageContents
from vmdiff.model.usage import MOST_USAGES, Usage

FORMAT: Literal["vmdiff-snapshot"] = "vmdiff-snapshot"
VERSION: Literal[1] = 1
MOST_MAPPINGS = 1_000_000  # vm.max_map_count is 65,530, and people who raise it choose 262,144 too

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Limit = Bytes | Literal["unlimited"]
Tags = Annotated[dict[Name, Text], Field(max_length=100)]


class InvariantError(ValueError):
    """A snapshot's mappings contradict each other or its origin; *problems* are (JSON path, sentence)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{path}: {message}" for path, message in problems[:5]))


class Redaction(Frozen, defer_build=True):
    """That names and addresses are pseudonyms; *run* tells snapshots redacted together from others."""

    run: Name


class Origin(Frozen):
    """How a snapshot came to be, and how far it can be trusted.

    *detail* ``totals`` is the kernel's own sums (`Snapshot.rollup`) without any mappings.
    *seconds* is what the reading cost, *frozen_seconds* how long the process stood still for it.
    *consistent*: no change of the layout or of the program was seen during the reading, which is one
    instant only if the process was frozen (null for imports). *owners*: whether they were looked for.
    *ticks* are those of the boot clock, for counting time between two snapshots.
    """

    source: Name
    tool: Text | None = None
    detail: Literal["maps", "smaps", "totals"] | None = None
    seconds: Seconds | None = None
    frozen_seconds: Seconds | None = None
    attempts: Count | None = None
    consistent: bool | None = None
    doubts: tuple[Text, ...] = ()
    counters: tuple[Name, ...] = ()
    attributes: tuple[Name, ...] = ()
    owners: bool = False
    redaction: Redaction | None = None


class Host(Frozen):
    """The machine and what of its set-up bears on memory; sizes in bytes, None where unknown."""

    name: Text | None = None
    system: Text | None = None
    kernel: Text | None = None
    machine: Text | None = None
    page_size: Bytes | None = None
    boot_id: Text | None = None
    memory_total: Bytes | None = None
    swap_total: Bytes | None = None
    overcommit_memory: Count | None = None
    max_map_count: Count | None = None
    transparent_hugepages: Text | None = None


class Thread(Frozen, defer_build=True):
    """A thread by its id and the kernel's name for it."""

    tid: Count
    name: Text | None = None


class UnmappedFile(Frozen, defer_build=True):
    """A memfd or deleted file that the process has open and does not map; sizes in bytes.

    *held* is what it takes of memory or disk, until it is closed everywhere; *size* is its length.
    """

    path: Text
    memfd: bool
    size: Bytes
    held: Bytes


class Process(Frozen):
    """The process; None where unknown. *start_ticks* count from boot, sizes are bytes.

    *own_pid* is its number in its own pid namespace, as a container has one; *pid* the one for who read it.
    *role* says what the process does in a set, without its arguments: ``postgres: checkpointer``.
    """

    pid: Count | None = None
    own_pid: Count | None = None
    pid_namespace: Text | None = None
    parent: Count | None = None
    start_ticks: Count | None = None
    started_at: AwareDatetime | None = None
    name: Text | None = None
    executable: Text | None = None
    role: Text | None = None
    arguments: tuple[Text, ...] | None = None
    user: Text | None = None
    threads: tuple[Thread, ...] | None = None
    minor_faults: Count | None = None
    major_faults: Count | None = None
    page_tables: Bytes | None = None
    peak_size: Bytes | None = None
    peak_rss: Bytes | None = None
    limits: dict[Name, Limit] | None = None
    cgroup: Text | None = None
    unmapped_files: tuple[UnmappedFile, ...] | None = None

    @property
    def innermost_pid(self) -> int | None:
        """The number that is the same whoever reads it, from within its namespace or from outside."""
        return self.pid if self.own_pid is None else self.own_pid


class Snapshot(Frozen):
    """An address space at one time.

    Guarantees: mappings that have both bounds are ordered and disjoint, and every key of a mapping
    is one that this version knows or is named in ``origin.counters`` or ``origin.attributes``.
    *tags* are what the user named it by, for telling hosts, builds and moments apart.
    *usage* is None where the allocators' own records were not looked for, *pages* where nobody looked at
    what pages hold.
    """

    format: Literal["vmdiff-snapshot"] = FORMAT
    version: Annotated[Literal[1], BeforeValidator(whole_version)] = VERSION
    taken_at: AwareDatetime | None = None
    label: Text | None = None
    tags: Tags = Field(default_factory=dict)
    origin: Origin
    host: Host = Host()
    process: Process = Process()
    rollup: dict[Name, Bytes | None] | None = None
    usage: Annotated[tuple[Usage, ...], Field(max_length=MOST_USAGES)] | None = None
    pages: PageContents | None = None
    mappings: Annotated[tuple[Mapping, ...], AfterValidator(sealed)] = ()

    @model_validator(mode="after")
    def _invariants_hold(self) -> Self:
        return self._checked()

    def _checked(self) -> Self:
        problems = [
            *_disorder(self.mappings),
            *_stray_parts(self.mappings),
            *_strange_permissions(self.mappings),
            *_strange_keys(self.origin, self.mappings),
        ]
        if problems:
            raise InvariantError(problems)
        return self

    @cached_property
    def counters(self) -> tuple[str, ...]:
        """The names of everything that can be added up here, size and accessible first."""
        return (*DERIVED, *(name for name in self.origin.counters if name not in DERIVED))

    def model_copy(self, *, update: abc.Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy it with other fields; what was computed from the old ones is not taken along."""
        copied = super().model_copy(update=update, deep=deep)
        moved = "mappings" in (update or {})
        for computed in ("counters", "totals", *(("placed", "by_address") if moved else ())):
            copied.__dict__.pop(computed, None)
        if moved:
            copied.__dict__["mappings"] = sealed(copied.mappings)
        return copied

    def with_mappings(self, mappings: abc.Iterable[Mapping]) -> Self:
        """Copy it with other mappings, each of which is valid by itself.

        Raises:
            InvariantError: they contradict each other or the origin.
        """
        return self.model_copy(update={"mappings": tuple(mappings)})._checked()

    def noting(self, *doubts: str, **facts: Any) -> Self:
        """Copy it with further doubts and other facts of its origin."""
        changed = {**facts, "doubts": (*self.origin.doubts, *doubts)}
        return self.model_copy(update={"origin": self.origin.model_copy(update=changed)})

    @property
    def totals_only(self) -> bool:
        """Whether only sums are known, of no mapping."""
        return not self.mappings and self.rollup is not None

    @cached_property
    def placed(self) -> tuple[PlacedMapping, ...]:
        """The mappings that have both bounds, in address order."""
        if set(map(type, self.mappings)) <= {PlacedMapping}:  # as nearly always
            return self.mappings  # type: ignore[return-value]
        return tuple([mapping for mapping in self.mappings if isinstance(mapping, PlacedMapping)])

    @cached_property
    def by_address(self) -> AddressIndex[PlacedMapping]:
        """What lies at an address."""
        return AddressIndex(self.placed)

    def value(self, mapping: Mapping, counter: str) -> int | None:
        """Return a counter of one of this snapshot's mappings in bytes; None where it is unknown.

        A counter that the source reports is 0 where it is absent from a mapping.
        """
        if counter == "size":
            return mapping.size
        if counter == "accessible":
            return mapping.accessible
        if counter not in self.origin.counters:
            return None
        return mapping.values.get(counter, 0)  # type: ignore[return-value]  # validated

    def attribute(self, mapping: Mapping, name: str) -> Scalar:
        """Return an attribute of a mapping; absent page sizes are the host's, other absent ones 0.

        Where one of `FILE_FACTS` is absent nobody asked: it is unknown.
        """
        if name not in self.origin.attributes or (name in FILE_FACTS and name not in mapping.values):
            return None
        default = self.host.page_size if name in PAGE_SIZES else 0
        return mapping.values.get(name, default)

    @cached_property
    def totals(self) -> abc.Mapping[str, int | None]:
        """Every counter added up over all mappings; None where one of them is unknown.

        Without any mappings the totals are what `rollup` states, where there is one.
        """
        if self.totals_only and self.rollup is not None:
            names = dict.fromkeys((*self.counters, *self.rollup))
            return {name: self.rollup.get(name) for name in names}
        return self.sums(self.mappings)

    def sums(self, mappings: abc.Sequence[Mapping]) -> dict[str, int | None]:
        """Add every counter up over some of this snapshot's mappings; None where one is unknown."""
        sums: dict[str, int | None] = dict.fromkeys(self.counters, 0)
        sums["size"] = _size(mappings)
        sums["accessible"] = _accessible(mappings, sums["size"])
        # Equal blocks of counters are mostly one object, so they are counted first, which is quick.
        values = list(map(attrgetter("values"), mappings))
        keys = list(map(id, values))
        blocks = dict(zip(keys, values, strict=True))
        for block, times in Counter(keys).items():
            for name, value in blocks[block].items():
                total = sums.get(name)
                if total is not None and name not in DERIVED:
                    sums[name] = None if value is None else total + value * times
        return sums

    def total(self, counter: str) -> int | None:
        """Return one counter's total; None where it is unknown."""
        return self.totals.get(counter)


def _size(mappings: abc.Sequence[Mapping]) -> int | None:
    """Add up the sizes; where all bounds are known, by adding up the bounds."""
    try:
        return int(sum(map(itemgetter(1), mappings)) - sum(map(itemgetter(0), mappings)))
    except TypeError:  # a bound is None
        return add(mapping.size for mapping in mappings)


def _accessible(mappings: abc.Sequence[Mapping], size: int | None) -> int | None:
    """Add up what is accessible: nearly all is, so what is not is taken off."""
    unreadable = {perms for perms in set(map(attrgetter("perms"), mappings)) if perms[0] != "r"}
    rare = [mapping for mapping in mappings if mapping.perms in unreadable] if unreadable else []
    if size is None or any(mapping.perms.startswith("???") for mapping in rare):
        return add(mapping.accessible for mapping in mappings)
    inaccessible = add(mapping.size for mapping in rare if mapping.perms.startswith("---"))
    return None if inaccessible is None else size - inaccessible


PAGE_SIZES = frozenset({"kernel_page_size", "mmu_page_size"})


def add(values: abc.Iterable[int | None]) -> int | None:
    """Add up; one unknown makes the sum unknown."""
    every = list(values)
    return None if None in every else sum(every)  # type: ignore[arg-type]  # none is None


def in_order(starts: abc.Sequence[int | None], ends: abc.Sequence[int | None]) -> bool:
    """Return whether all bounds are known, each mapping ends before the next, and none is beyond 64 bits.

    A third of a loop's time.
    """
    try:
        ordered = all(map(lt, starts, ends)) and all(map(le, ends, starts[1:]))  # type: ignore[arg-type]
        return ordered and (not ends or ends[-1] <= ADDRESS_LIMIT)  # type: ignore[operator]
    except TypeError:  # a bound is None
        return False


def _disorder(mappings: abc.Sequence[Mapping]) -> abc.Iterator[tuple[str, str]]:
    """Yield what contradicts the order and disjointness of the mappings that have both bounds."""
    if in_order(list(map(itemgetter(0), mappings)), list(map(itemgetter(1), mappings))):
        return
    reach = 0
    for index, mapping in enumerate(mappings):
        if not isinstance(mapping, PlacedMapping):
            continue
        start, end = mapping.range
        if not reach <= start < end <= ADDRESS_LIMIT:
            yield f"$.mappings[{index}].start", _what_is_wrong(start, end, reach)
        reach = max(reach, end)


def _what_is_wrong(start: int, end: int, reach: int) -> str:
    if end > ADDRESS_LIMIT:
        return f"{start:x}-{end:x} reaches beyond 64 bits"
    if start >= end:
        return f"{start:x}-{end:x} is empty or inverted"
    return f"{start:x}-{end:x} overlaps or precedes a mapping before it (one ends at {reach:x})"


def _stray_parts(mappings: abc.Sequence[Mapping]) -> abc.Iterator[tuple[str, str]]:
    """Yield the parts of mixed mappings that overlap, or reach beyond their mapping."""
    owners = list(map(attrgetter("owner"), mappings))
    for index, owner in enumerate(owners if any(owners) else ()):
        if owner is None or not (owner.parts or owner.rest):
            continue
        mapping = mappings[index]
        for field, stretches in (("parts", owner.parts), ("rest", owner.rest)):
            reach, limit = mapping.range if isinstance(mapping, PlacedMapping) else (0, ADDRESS_LIMIT)
            for number, part in enumerate(stretches):
                if not reach <= part.start < part.end <= limit:
                    path, found = f"$.mappings[{index}].owner.{field}[{number}].start", part.range
                    yield path, f"{found.start:x}-{found.end:x} is out of order or place"
                reach = max(reach, part.end)


def _strange_permissions(mappings: abc.Sequence[Mapping]) -> abc.Iterator[tuple[str, str]]:
    """Yield what is no set of permissions."""
    strange = [perms for perms in set(map(attrgetter("perms"), mappings)) if not re.match(PERMS, perms)]
    for index, mapping in enumerate(mappings if strange else ()):
        if mapping.perms in strange:
            yield f"$.mappings[{index}].perms", f"{mapping.perms!r} are no permissions such as rw-p"


def _strange_keys(origin: Origin, mappings: abc.Sequence[Mapping]) -> abc.Iterator[tuple[str, str]]:
    """Yield the keys that nobody announced, and announced ones whose value cannot be."""
    counters, attributes = set(origin.counters), set(origin.attributes)
    for name in counters & attributes:
        yield "$.origin.counters", f"{name!r} is named as an attribute too"
    for name in (counters | attributes) & (KNOWN_KEYS - set(KNOWN_COUNTERS)):
        yield "$.origin.counters", f"{name!r} is a key of its own, neither counter nor attribute"
    blocks = list(map(attrgetter("values"), mappings))
    # Neighbours mostly share theirs, so they are looked at where they change.
    firsts = list(compress(blocks, map(is_not, blocks, chain((None,), blocks))))
    distinct = dict(zip(map(id, firsts), firsts, strict=True))
    amounts = {block.amounts for block in distinct.values()}
    if None not in amounts and set().union(*amounts) <= counters - {"size"}:
        return  # as nearly always, and four times as fast
    for index, mapping in enumerate(mappings):
        for name, value in mapping.values.items():
            if problem := _problem(name, value, counters, attributes, mapping):
                yield f"$.mappings[{index}].{name}", problem


def _problem(name: str, value: Any, counters: set[str], attributes: set[str], mapping: Mapping) -> str | None:
    if name == "size":
        if isinstance(mapping, PlacedMapping):
            return "the bounds say the size already"
        counters = counters | {name}
    if name in counters:
        fits = value is None or (type(value) is int and 0 <= value <= ADDRESS_LIMIT)
        return None if fits else "a counter is a whole number of bytes or null"
    if name in attributes:
        fits = value is None or type(value) in (int, str)
        return None if fits else "an attribute is a whole number, a text or null"
    return "neither known nor named in origin.counters or origin.attributes"
