"""What becomes of every text and address of a mapping and its owner.

Every field is named where the new value is built: one that is added to the model and forgotten here
is missing in redacted files; it does not leak.
"""

from collections import abc
from dataclasses import replace
from functools import lru_cache

from vmdiff.model import KNOWN_COUNTERS, NOTHING, PAGE_SIZES, Mapping, Owner, Part, Scalar, Unclaimed
from vmdiff.model.owner import Basis
from vmdiff.redaction import texts
from vmdiff.redaction.addresses import AddressMap, Span
from vmdiff.redaction.paths import Paths
from vmdiff.redaction.pseudonyms import Pseudonyms

_FIXED = frozenset({"[vsyscall]", "[vectors]"})
_NUMBERS = frozenset(KNOWN_COUNTERS) | PAGE_SIZES
_LARGEST_PLAIN = 1 << 16  # keys, orders and yes or no; anything larger could be an address or an id

_EVIDENCE: abc.Mapping[Basis | None, str] = {
    "name": "its name says so",
    "record": "a record in its memory says so",
    "register": "a thread's stack pointer lies in it",
    "elf": "an object's program headers say so",
    "shape": "its shape and place suggest it",
    None: "",
}


def spans(mappings: abc.Iterable[Mapping]) -> abc.Iterator[Span]:
    """Yield where the mappings are; of what has only one bound, that point."""
    for mapping in mappings:
        start = mapping.end if mapping.start is None else mapping.start
        if start is not None:
            yield Span(start, mapping.end or start, mapping.path in _FIXED)


class Mappings:
    """Gives the redacted form of mappings."""

    def __init__(self, names: Pseudonyms, paths: Paths, addresses: AddressMap) -> None:
        self._names, self._paths, self._addresses = names, paths, addresses
        self._device = lru_cache(maxsize=None)(lambda text: texts.device(names, text))
        self._inode = lru_cache(maxsize=None)(lambda text: texts.inode(names, text))
        self._key = lru_cache(maxsize=None)(lambda text: texts.key(names, text))
        self._flags = lru_cache(maxsize=None)(lambda flags: tuple(map(self._flag, flags)))

    def __call__(self, mapping: Mapping, attributes: frozenset[str] = frozenset()) -> Mapping:
        """Return the mapping as a stranger may see it; *attributes* are the values that are no counters."""
        start, end = self._bounds(mapping.start, mapping.end)
        path = exact_path(mapping)
        return Mapping(
            start=start,
            end=end,
            perms=mapping.perms,
            kind=mapping.kind,
            offset=mapping.offset,
            device=mapping.device and self._device(mapping.device),
            inode=mapping.inode and self._inode(mapping.inode),
            path=None if path is None else self._paths(path),
            deleted=mapping.deleted,
            build_id=mapping.build_id and self._build_id(mapping.build_id, path),
            flags=mapping.flags and self._flags(mapping.flags),
            owner=mapping.owner and self._owner(mapping.owner, mapping),
            values=self._values(mapping.values, attributes) if mapping.values else NOTHING,
        )

    def _bounds(self, start: int | None, end: int | None) -> tuple[int | None, int | None]:
        if start is not None and end is not None:
            return self._addresses.span(start, end)
        return (
            None if start is None else self._addresses(start),
            None if end is None else self._addresses(end),
        )

    def _build_id(self, text: str, path: str | None) -> str:
        """Keep the build id of what comes with the system: it names a package that all can have."""
        if path is not None and self._paths.is_system(path) and self._paths(path) == path:
            return text
        return self._names.hexadecimal(f"build {text}", len(text))

    def _flag(self, flag: str) -> str:
        known = len(flag) == 2 and ((flag.isascii() and flag.islower()) or flag == "??")
        return flag if known else self._names.name("flag", flag)

    def _values(
        self, values: abc.Mapping[str, Scalar], attributes: frozenset[str]
    ) -> abc.Mapping[str, Scalar]:
        if values.keys() <= _NUMBERS:
            return values
        return {
            self._key(name): self._attribute(value) if name in attributes - PAGE_SIZES else value
            for name, value in values.items()
        }

    def _attribute(self, value: Scalar) -> Scalar:
        if isinstance(value, str):
            return self._paths.label(value)
        if value is None or abs(value) < _LARGEST_PLAIN:
            return value
        return self._names.number(f"attribute {value}", 48)

    def _owner(self, owner: Owner, mapping: Mapping) -> Owner:
        return Owner(
            name=texts.owner(self._names, owner.name),
            certainty=owner.certainty,
            basis=owner.basis,
            evidence=self._evidence(owner.basis, owner.evidence),
            label=None if owner.label is None else self._paths.label(owner.label),
            tid=owner.tid,
            parts=tuple(self._parts(owner.parts, mapping)),
            rest=tuple(self._rest(owner.rest, mapping)),
        )

    def _parts(self, parts: abc.Iterable[Part], mapping: Mapping) -> abc.Iterator[Part]:
        """Redact the parts, which lie in their mapping; without its bounds they have no place."""
        if mapping.start is None or mapping.end is None:
            return
        for part in parts:
            start, end = self._addresses.span(part.start, part.end)
            yield Part(
                start=start,
                end=end,
                name=texts.owner(self._names, part.name),
                certainty=part.certainty,
                basis=part.basis,
                evidence=self._evidence(part.basis, part.evidence),
                label=None if part.label is None else self._paths.label(part.label),
                tid=part.tid,
                rss=part.rss,
                swap=part.swap,
                private=part.private,
                zero_filled=part.zero_filled,
                duplicate=part.duplicate,
                huge_zero=part.huge_zero,
            )

    def _rest(self, rest: abc.Iterable[Unclaimed], mapping: Mapping) -> abc.Iterator[Unclaimed]:
        """Redact where the stretches lie that no part claims."""
        if mapping.start is None or mapping.end is None:
            return
        for gap in rest:
            start, end = self._addresses.span(gap.start, gap.end)
            yield replace(gap, start=start, end=end)

    def _evidence(self, basis: Basis | None, evidence: str) -> str:
        """Return what kind of evidence there was; the tag tells only where it was the same."""
        if not evidence:
            return ""
        return f"{_EVIDENCE[basis]} (redacted {self._names.tag(evidence)})".lstrip()


def exact_path(mapping: Mapping) -> str | None:
    """Return the path with bytes that are no UTF-8 as Python's escapes, so that different names differ."""
    if mapping.path is None or mapping.path_hex is None:
        return mapping.path
    return bytes.fromhex(mapping.path_hex).decode("utf-8", "surrogateescape")
