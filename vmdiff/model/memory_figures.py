"""The figures that people ask for: sums of the kernel's counters, under the names of the columns.

Pages of hugetlbfs are memory, but the kernel counts them in neither Rss nor Private_Dirty
(Documentation/filesystems/proc.rst, "Private_Hugetlb"), so they are added here. A source that does not
report them is taken to have none, as for every listing of a machine without such pages. One that reports
them but not of this memory (a piece of a mapping whose pages could not be split) leaves the figure unknown.
"""

from collections import abc

Counts = abc.Mapping[str, int | None]

_PARTS: abc.Mapping[str, tuple[str, ...]] = {
    "virtual": ("size",),
    "resident": ("rss",),
    "private": ("private_clean", "private_dirty"),
    "shared": ("shared_clean", "shared_dirty"),
}
_HUGETLB: abc.Mapping[str, tuple[str, ...]] = {
    "resident": ("private_hugetlb", "shared_hugetlb"),
    "private": ("private_hugetlb",),
    "shared": ("shared_hugetlb",),
}

FIGURE_NAMES = tuple(_PARTS)


def figure(counts: Counts, name: str) -> int | None:
    """Return a figure in bytes, or the counter of that name; None where it is unknown.

    *counts* has what one source reports: what is None there is unknown.
    """
    if name in counts:  # pieces know what of them is private, though not how much of that is dirty
        return counts[name]
    values = [counts.get(part) for part in _PARTS.get(name, (name,))]
    values += [counts[part] for part in _HUGETLB.get(name, ()) if part in counts]
    return None if None in values else sum(filter(None, values))


def figure_of_two(counts: Counts, name: str, unsplit: abc.Set[str] = frozenset()) -> int | None:
    """Return a figure of *counts* that two sources made, such as differences; None where it is unknown.

    Huge pages that are None there are taken for none: one of the sources does not report them. Not so the
    counters that are *unsplit*: both sources report them, and how much of them is meant here is unknown.
    """
    if not unsplit.isdisjoint(parts_of(name)):
        return None
    if name in counts:
        return counts[name]
    values = [counts.get(part) for part in _PARTS.get(name, (name,))]
    return None if None in values else sum(counts.get(part) or 0 for part in parts_of(name))


def needed_for(name: str) -> tuple[str, ...]:
    """Return the counters without which a figure is unknown."""
    return _PARTS.get(name, (name,))


def parts_of(name: str) -> tuple[str, ...]:
    """Return the counters that a figure is the sum of."""
    return (*_PARTS.get(name, (name,)), *_HUGETLB.get(name, ()))
