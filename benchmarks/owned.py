"""How much of a process's resident anonymous memory has an owner: ``python benchmarks/owned.py PID...``.

Counts the anonymous bytes of mappings that have no file behind them; of mixed mappings those that
were counted page by page.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator

from vmdiff import snap
from vmdiff.model import Kind, Mapping, Snapshot

ANONYMOUS = {Kind.ANONYMOUS, Kind.HEAP, Kind.STACK}


def shares(seen: Snapshot) -> Iterator[tuple[str, str, int]]:
    """Yield owner, certainty and resident anonymous bytes, piece by piece."""
    for mapping in seen.mappings:
        if mapping.kind in ANONYMOUS:
            yield from _shares(mapping, seen.value(mapping, "anonymous") or 0)


def _shares(mapping: Mapping, resident: int) -> Iterator[tuple[str, str, int]]:
    owner = mapping.owner
    if owner is None:
        yield "", "none", resident
    elif not owner.parts:
        yield owner.name, owner.certainty or "", resident
    else:
        known = [(part.name, part.certainty, part.rss or 0) for part in owner.parts]
        yield from known
        yield "", "none", max(resident - sum(size for _, _, size in known), 0)


def main() -> None:
    for word in sys.argv[1:]:
        began = time.process_time()
        snap(int(word), owners=False)
        plain = time.process_time() - began
        began = time.process_time()
        seen = snap(int(word))
        took = time.process_time() - began - plain
        sizes: Counter[str] = Counter()
        names: Counter[str] = Counter()
        for name, certainty, size in shares(seen):
            sizes[certainty] += size
            names[name or "no owner"] += size
        total = sum(sizes.values()) or 1
        owned = total - sizes["none"]
        print(
            f"{seen.process.name}: {total / 1048576:.1f} MiB resident anonymous, {owned / total:.1%} owned, "
            f"{sizes['certain'] / total:.1%} certain; rules {took * 1000:.1f} ms, rest {plain * 1000:.1f} ms"
        )
        for name, size in names.most_common(8):
            print(f"  {name:20} {size / 1048576:10.2f} MiB")


if __name__ == "__main__":
    main()
