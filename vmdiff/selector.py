"""Selectors: which mappings are meant, in a few words.

``kind:heap``, ``owner:'malloc arena'``, ``path:*/libc.so*``; several terms separated by blanks must
all hold. Values are shell patterns and compared with case.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from vmdiff.errors import ConditionError
from vmdiff.model import MIXED, Kind, Mapping
from vmdiff.model.piece import Piece

FIELDS = ("kind", "owner", "path")

_TERM = re.compile(r"""\s*(kind|owner|path):('[^']*'|"[^"]*"|\S+)(?:\s+|$)""")
_LOOSE = re.compile(r"\b(kind|owner|path):(.+?)(?=\s+(?:kind|owner|path):|\s*$)")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition on a mapping: the *field* matches the shell *pattern*."""

    field: str
    pattern: str

    def matches(self, memory: Mapping | Piece) -> bool:
        """Return whether any of what the memory has in this field fits; ``[heap]`` as written fits itself."""
        return any(map(self.matches_text, values_of(self.field, memory)))

    def matches_text(self, value: str) -> bool:
        """Return whether the pattern fits a value."""
        return self.pattern == value or fnmatchcase(value, self.pattern)


def values_of(field: str, memory: Mapping | Piece) -> Iterable[str]:
    """Return what a mapping or piece has in a field: an owner by its name, and by name and label.

    A mapping has the owners of all its pieces.
    """
    if field == "kind":
        return (str(memory.kind),)
    if field == "path":
        return () if memory.path is None else (memory.path,)
    owner = memory.owner
    if owner is None:
        return ()
    owners = owner.parts if owner.name == MIXED else (owner,)
    return [name for one in owners for name in (one.name, f"{one.name} {one.label or ''}".strip())]


@dataclass(frozen=True, slots=True)
class Selector:
    """Terms that must all hold; without terms it selects everything."""

    terms: tuple[Term, ...] = ()

    def matches(self, memory: Mapping | Piece) -> bool:
        """Return whether the memory is selected, a mapping if one of its pieces may be."""
        return all(term.matches(memory) for term in self.terms)

    def matches_owner(self, name: str, label: str | None) -> bool:
        """Return whether an owner is selected by its name, or by name and label."""
        names = [name, f"{name} {label}"] if label else [name]
        return all(
            term.field == "owner" and any(term.matches_text(one) for one in names) for term in self.terms
        )

    def matches_any(self, mappings: Iterable[Mapping]) -> bool:
        """Return whether one of the mappings is selected."""
        return any(self.matches(mapping) for mapping in mappings)

    def __str__(self) -> str:
        return " ".join(f"{term.field}:{_quoted(term.pattern)}" for term in self.terms)


def parse(text: str) -> Selector:
    """Read a selector.

    Raises:
        ConditionError: the text is no selector, or names a kind that there is not.
    """
    selector, rest = split(text)
    if rest:  # a shell has taken the quotes away: owner:malloc arena
        selector = Selector(tuple(_term(field, value) for field, value in _LOOSE.findall(text)))
    if not selector.terms or not text.lstrip().startswith(tuple(f"{field}:" for field in FIELDS)):
        raise ConditionError(
            f"{text!r} is no selector; write kind:heap, owner:'malloc arena' or path:*/libc.so*"
        )
    return selector


def split(text: str) -> tuple[Selector, str]:
    """Take the selector off the front of a text; give it (perhaps without terms) and the rest.

    Raises:
        ConditionError: it names a kind that there is not.
    """
    terms = []
    position = 0
    while found := _TERM.match(text, position):
        terms.append(_term(found[1], found[2]))
        position = found.end()
    return Selector(tuple(terms)), text[position:].strip()


def _term(field: str, value: str) -> Term:
    pattern = value[1:-1] if value[0] in "'\"" and value[-1] == value[0] and len(value) > 1 else value
    if field == "kind" and not any(fnmatchcase(kind, pattern) for kind in Kind):
        raise ConditionError(f"no kind {pattern!r}; there are {', '.join(Kind)}")
    return Term(field, pattern)


def _quoted(pattern: str) -> str:
    if re.fullmatch(r"[^\s'\"]+", pattern):
        return pattern
    return f'"{pattern}"' if "'" in pattern else f"'{pattern}'"
