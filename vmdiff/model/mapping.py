"""One mapping: a half-open range of addresses with one set of permissions and one backing."""

from collections import abc
from collections.abc import Iterable, Iterator
from itertools import repeat
from operator import concat, itemgetter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn, NotRequired, Self

from pydantic import ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from vmdiff.model.address_range import AddressRange
from vmdiff.model.core_checks import CoreChecks
from vmdiff.model.kind import Kind
from vmdiff.model.owner import Owner, Part, Unclaimed

ADDRESS_LIMIT = 1 << 64
LONGEST_STRING = 65_536  # characters that a document may hold; the kernel's paths end at 4,096 bytes

PERMS = r"^[r?-][w?-][x?-][sp?]$"
Address = Annotated[str, Field(pattern=r"^[0-9a-f]{1,17}$")]
Bytes = Annotated[int, CoreChecks(core_schema.int_schema(ge=0, le=ADDRESS_LIMIT, strict=True))]
Text = Annotated[str, CoreChecks(core_schema.str_schema(strict=True, max_length=LONGEST_STRING))]

Offset = Annotated[int, Field(ge=0, lt=ADDRESS_LIMIT, strict=True)]
Counter = Bytes | None

Scalar = int | str | None


class Values(dict[str, Scalar]):
    """Counters and attributes that cannot be changed: thousands of mappings share one such object.

    A dictionary and not `types.MappingProxyType`: reading is as fast as from any other dictionary, and
    it can be pickled and copied.
    """

    __slots__ = ("_amounts",)
    _amounts: tuple[str, ...] | None

    @property
    def amounts(self) -> tuple[str, ...] | None:
        """The names, where every value is a number of bytes as counters are; else None. Worked out once."""
        try:
            return self._amounts
        except AttributeError:
            values: list[Any] = list(self.values())
            fit = set(map(type, values)) <= {int} and 0 <= min(values, default=0) <= max(values, default=0)
            self._amounts = tuple(self) if fit and max(values, default=0) <= ADDRESS_LIMIT else None
            return self._amounts

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            "the values of a mapping cannot be changed; Mapping.with_values makes another mapping"
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


NOTHING = Values()

# Attributes of the large mappings of files, in bytes: how much of the file there is (mappings may reach
# beyond its end), and how much of that the page cache has.
FILE_SIZE, PAGE_CACHE = "file_size", "page_cache"
FILE_FACTS = frozenset({FILE_SIZE, PAGE_CACHE})

DERIVED = ("size", "accessible")  # counters that follow from the bounds and the permissions


class MappingRecord(TypedDict):
    """The JSON object of a mapping; keys beyond these must be named in the snapshot's origin."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    start: Address | None
    end: Address | None
    perms: Annotated[str, Field(pattern=PERMS)]
    kind: Kind
    offset: NotRequired[Offset | None]
    device: NotRequired[Text | None]
    inode: NotRequired[Annotated[str, Field(pattern=r"^[0-9]{1,20}$")] | None]
    path: NotRequired[Text]
    deleted: NotRequired[Annotated[bool, Field(strict=True)]]
    path_hex: NotRequired[Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]]
    build_id: NotRequired[Annotated[str, Field(pattern=r"^[0-9a-f]{2,128}$")]]
    flags: NotRequired[list[Annotated[str, Field(max_length=64)]]]
    owner: NotRequired[Owner]
    size: NotRequired[Counter]
    rss: NotRequired[Counter]
    pss: NotRequired[Counter]
    pss_dirty: NotRequired[Counter]
    shared_clean: NotRequired[Counter]
    shared_dirty: NotRequired[Counter]
    private_clean: NotRequired[Counter]
    private_dirty: NotRequired[Counter]
    referenced: NotRequired[Counter]
    anonymous: NotRequired[Counter]
    ksm: NotRequired[Counter]
    lazy_free: NotRequired[Counter]
    anon_huge_pages: NotRequired[Counter]
    shmem_pmd_mapped: NotRequired[Counter]
    file_pmd_mapped: NotRequired[Counter]
    shared_hugetlb: NotRequired[Counter]
    private_hugetlb: NotRequired[Counter]
    swap: NotRequired[Counter]
    swap_pss: NotRequired[Counter]
    locked: NotRequired[Counter]


# The counters of smaps (Documentation/filesystems/proc.rst) in the kernel's order.
KNOWN_COUNTERS: tuple[str, ...] = tuple(
    key for key, type_ in MappingRecord.__annotations__.items() if type_ == NotRequired[Counter]
)
KNOWN_KEYS: frozenset[str] = frozenset(MappingRecord.__annotations__)


class Mapping(NamedTuple):
    """One entry of ``/proc/PID/maps``.

    A named tuple and not a model: a process has up to 65,530 of them (``vm.max_map_count``), and
    building a frozen dataclass for each costs four times as much. `Snapshot` checks what must hold.

    *start* and *end* are None where a listing does not tell; a ``?`` in *perms* is a letter that it
    does not tell. *offset*, *device* and *inode* are None where they are unknown; the kernel's
    own zeros (``00:00``, ``0``) say that nothing is behind the mapping. *flags* are the two-letter
    codes of VmFlags, None where they were not read. *values* holds all counters (bytes) and
    attributes by their kernel name in snake_case; what absence means there is `Snapshot.value`'s to say.
    """

    start: int | None
    end: int | None
    perms: str
    kind: Kind = Kind.ANONYMOUS
    offset: int | None = 0
    device: str | None = "00:00"
    inode: str | None = "0"
    path: str | None = None
    deleted: bool = False
    path_hex: str | None = None
    build_id: str | None = None
    flags: tuple[str, ...] | None = None
    owner: Owner | None = None
    values: abc.Mapping[str, Scalar] = NOTHING

    @property
    def size(self) -> int | None:
        """The length in bytes, or None where the listing does not tell."""
        if self.start is None or self.end is None:
            size = self.values.get("size")
            return size if isinstance(size, int) else None
        return self.end - self.start

    @property
    def accessible(self) -> int | None:
        """The length in bytes, or 0 for a mapping that can be neither read, written nor run."""
        if self.perms.startswith("---"):
            return 0
        return None if self.perms.startswith("???") else self.size

    @property
    def private(self) -> bool | None:
        """Whether writes stay in this process; None where the listing does not tell."""
        return None if self.perms[3] == "?" else self.perms[3] != "s"

    def owned_by(self, owner: Owner | None) -> Self:
        """Return the mapping with another owner; `_replace` takes five times as long."""
        return type(self)._make((*self[:_OWNER], owner, *self[_OWNER + 1 :]))

    def with_values(self, values: abc.Mapping[str, Scalar]) -> Self:
        """Return the mapping with other counters and attributes."""
        kept = values if type(values) is Values else Values(values)
        return type(self)._make((*self[:_VALUES], kept, *self[_VALUES + 1 :]))

    def record(self) -> dict[str, Any]:
        """Return the JSON object of this mapping, without what is absent by default."""
        record: dict[str, Any] = {
            "start": None if self.start is None else f"{self.start:x}",
            "end": None if self.end is None else f"{self.end:x}",
            "perms": self.perms,
        }
        if self.offset != 0 or self.path is not None:
            record["offset"] = self.offset
        if self.device != "00:00":
            record["device"] = self.device
        if self.inode != "0":
            record["inode"] = self.inode
        if self.path is not None:
            record["path"] = self.path
        if self.deleted:
            record["deleted"] = True
        if self.path_hex is not None:
            record["path_hex"] = self.path_hex
        if self.build_id is not None:
            record["build_id"] = self.build_id
        record["kind"] = str(self.kind)
        if self.owner is not None:
            record["owner"] = owner_record(self.owner)
        if self.flags is not None:
            record["flags"] = list(self.flags)
        record.update(self.values)
        return record

    @classmethod
    def from_record(cls, record: "MappingRecord") -> "Mapping":
        """Build a mapping from its validated JSON object, which is taken apart for it."""
        rest: dict[str, Any] = record  # type: ignore[assignment]  # its other keys are the values
        take = rest.pop
        start, end = take("start"), take("end")
        flags = take("flags", None)
        placed = start is not None and end is not None
        return (PlacedMapping if placed else cls)(
            None if start is None else int(start, 16),
            None if end is None else int(end, 16),
            take("perms"),
            take("kind"),
            take("offset", 0),
            take("device", "00:00"),
            take("inode", "0"),
            take("path", None),
            take("deleted", False),
            take("path_hex", None),
            take("build_id", None),
            None if flags is None else tuple(flags),
            take("owner", None),
            Values(rest),
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        record = core_schema.no_info_after_validator_function(
            cls.from_record, handler.generate_schema(MappingRecord)
        )
        return core_schema.json_or_python_schema(
            json_schema=record,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(cls), record], mode="left_to_right"
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(cls.record),
        )


_OFFSET, _PATH, _OWNER, _VALUES = map(Mapping._fields.index, ("offset", "path", "owner", "values"))
_TRAITS = itemgetter(*map(Mapping._fields.index, ("perms", "kind", "path")))

Content = tuple[Any, ...]  # the fields of a mapping besides its bounds, in their order


class PlacedMapping(Mapping):
    """A mapping whose bounds are both known: *start* and *end* are never None, nor is *size*.

    `Snapshot.placed` has those of a snapshot. A snapshot's mapping is one if and only if both bounds
    are known, so ``isinstance`` tells them apart.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        start: int
        end: int

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self.end - self.start

    @property
    def range(self) -> AddressRange:
        """The addresses from *start* up to *end*."""
        return AddressRange(self.start, self.end)

    def holds(self, address: int) -> bool:
        """Return whether *address* lies inside."""
        return self.start <= address < self.end


def content(mapping: Mapping) -> Content:
    """Return everything but the bounds, for `place`."""
    return mapping[2:]


def at_offset(alike: Content, offset: int) -> Content:
    """Return the same but for the offset in the file."""
    return (*alike[: _OFFSET - 2], offset, *alike[_OFFSET - 1 :])


def place(starts: Iterable[int], ends: Iterable[int], contents: Iterable[Content]) -> list[Mapping]:
    """Build placed mappings from their columns: as many as there are mappings of a large process."""
    rows = map(concat, zip(starts, ends, strict=True), contents)
    # Same as PlacedMapping(...), but skips NamedTuple.__new__ (hot path).
    return list(map(tuple.__new__, repeat(PlacedMapping), rows))


def looks(mappings: Iterable[Mapping]) -> Iterator[abc.Hashable]:
    """Yield everything but the bounds of each mapping as a key, owner and values by identity: quick to make.

    The offset of what has a path is left out, since pieces of one file differ in it. A mapping that differs
    from the one before it in nothing but the bounds has the very same key: in a large process most do.
    """
    at_offset, at_path, at_owner, at_values = _OFFSET, _PATH, _OWNER, _VALUES
    look, fields, owner, values = None, None, None, None
    for mapping in mappings:
        if (
            mapping[at_values] is not values
            or mapping[at_owner] is not owner
            or mapping[2:at_owner] != fields
        ):
            fields, owner, values = mapping[2:at_owner], mapping[at_owner], mapping[at_values]
            key = fields
            if mapping[at_path] is not None and mapping[at_offset] is not None:
                key = mapping[2:at_offset] + mapping[at_offset + 1 : at_owner]
            look = key, id(owner), id(values)
        yield look


def traits(mappings: Iterable[Mapping]) -> Iterator[tuple[str, Kind, str | None]]:
    """Yield the permissions, the kind and the path of each mapping."""
    return map(_TRAITS, mappings)


def bounds(mappings: Iterable[Mapping]) -> list[tuple[int | None, int | None]]:
    """Return (start, end) of each mapping."""
    return list(map(itemgetter(0, 1), mappings))


def sealed(mappings: tuple[Mapping, ...]) -> tuple[Mapping, ...]:
    """Return the mappings with unchangeable values, and as `PlacedMapping` where both bounds are known."""
    kinds = set(map(type, mappings))
    if kinds <= {PlacedMapping} and set(map(type, map(itemgetter(_VALUES), mappings))) <= {Values}:
        return mappings  # as nearly always: looked at in a tenth of the time
    blocks: dict[int, Values] = {}  # what is shared stays shared
    return tuple([_sealed(mapping, blocks) for mapping in mappings])


def _sealed(mapping: Mapping, blocks: dict[int, Values]) -> Mapping:
    values = mapping.values
    if type(values) is not Values:
        shared = blocks.get(id(values))
        if shared is None:
            shared = blocks[id(values)] = Values(values)
        mapping = mapping.with_values(shared)
    placed = mapping.start is not None and mapping.end is not None
    fitting = PlacedMapping if placed else Mapping
    return mapping if type(mapping) is fitting else fitting._make(mapping)


def owner_record(owner: Owner) -> dict[str, Any]:
    """Return the JSON object of an owner, without what is absent."""
    record = _present(owner, ("name", "certainty", "basis", "label", "tid"))
    if owner.evidence:
        record["evidence"] = owner.evidence
    if owner.parts:
        record["parts"] = [_part_record(part) for part in owner.parts]
    if owner.rest:
        record["rest"] = [_part_record(gap) for gap in owner.rest]
    return record


def _part_record(part: Part | Unclaimed) -> dict[str, Any]:
    bounds = {"start": f"{part.start:x}", "end": f"{part.end:x}"}
    fields = ("name", "certainty", "basis", "label", "tid", "evidence", "rss", "swap", "private")
    return bounds | _present(part, (*fields, "zero_filled", "duplicate", "huge_zero"))


def _present(thing: Owner | Part | Unclaimed, fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: value for field in fields if (value := getattr(thing, field, None)) is not None}
