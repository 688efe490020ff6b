"""Accounts of memory within an allocator's: what grew is named, and nothing is said that is not known."""

import pytest

from vmdiff.comparison.compare import compare
from vmdiff.findings.inner_accounts import account_growth, clause
from vmdiff.model import Kind, Mapping, Origin, Owner, Snapshot, Usage

MIB = 1 << 20


def contexts(size: int | None, partial: str | None = None) -> Usage:
    return Usage(
        owner="postgres contexts", source="test", certainty="certain", in_use=size, free=0, partial=partial,
        types=(("CacheMemoryContext", 1, size or 0),),
    )  # fmt: skip


def snapshot(*usages: Usage, owner: str = "malloc heap") -> Snapshot:
    mapping = Mapping(
        0x10000, 0x10000 + 64 * MIB, "rw-p", Kind.ANONYMOUS, owner=Owner(owner, "certain", "name", "test"),
        values={"rss": 8 * MIB},
    )  # fmt: skip
    return Snapshot(origin=Origin(source="test", counters=("rss",)), usage=usages, mappings=(mapping,))


def test_what_grew_is_named_with_what_it_means() -> None:
    comparison = compare(snapshot(contexts(MIB)), snapshot(contexts(11 * MIB)))
    (finding,) = account_growth(comparison)

    assert finding.message.startswith(
        "postgres contexts: 10.0 MiB more is in use: CacheMemoryContext +10.0 MiB"
    )
    assert "until it ends" in finding.message
    assert clause(comparison) == "; postgres contexts +10.0 MiB (CacheMemoryContext +10.0 MiB)"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(snapshot(contexts(MIB)), snapshot(contexts(MIB + 4096)), id="little"),
        pytest.param(snapshot(contexts(11 * MIB)), snapshot(contexts(MIB)), id="shrunk"),
        pytest.param(snapshot(contexts(MIB)), snapshot(contexts(None, "moved")), id="unknown"),
        pytest.param(snapshot(contexts(MIB)), snapshot(contexts(11 * MIB, "moved")), id="partial"),
        pytest.param(
            snapshot(contexts(MIB), owner="postgres contexts"),
            snapshot(contexts(11 * MIB), owner="postgres contexts"),
            id="memory-of-its-own",
        ),
    ],
)
def test_nothing_is_said_of_what_is_not_known_to_have_grown(before: Snapshot, after: Snapshot) -> None:
    comparison = compare(before, after)

    assert list(account_growth(comparison)) == []
    assert clause(comparison) == ""
