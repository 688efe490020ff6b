"""Comparing redacted snapshots equals comparing the originals, row by row, but for the names."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.redaction.worlds import changed, mappings, mixed, snapshot
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.model import Snapshot
from vmdiff.redaction import redact
from vmdiff.redaction.paths import Paths, base_name
from vmdiff.redaction.pseudonyms import Pseudonyms


def essence(comparison: Comparison) -> object:
    """Give all that a comparison says without its names and places."""
    return (
        comparison.match,
        [
            (
                change.change,
                change.kind,
                change.delta,
                change.moved_end,
                change.crowd,
                change.because is None,
                change.path is None,
                change.owner and change.owner.name,
                *map(_shape, change.mappings),
            )
            for change in comparison.changes
        ],
        dict(comparison.totals),
        comparison.unchanged,
        {
            by: sorted((tuple(group.totals.items()) for group in groups), key=repr)
            for by, groups in comparison.groups.items()
        },
        [change.path for change in comparison.process],
    )


def _shape(mapping):
    owner = mapping.owner
    parts = (
        [(part.name, part.start - mapping.start, part.end - mapping.start) for part in owner.parts]
        if owner
        else []
    )
    return (mapping.perms, mapping.kind, mapping.size, mapping.offset, dict(mapping.values).get("rss"), parts)


@given(st.data())
@settings(max_examples=times(120), deadline=None)
def test_redacting_changes_nothing_but_names(data):
    space = data.draw(mappings())
    before, after = snapshot(*space), snapshot(*data.draw(changed(space)))
    if space:
        before = snapshot(mixed(space[0]) if space[0].path is None else space[0], *space[1:])

    assert essence(compare(*redact([before, after]))) == essence(compare(before, after))


@given(mappings(), mappings())
@settings(max_examples=times(60), deadline=None)
def test_unrelated_processes_stay_as_comparable_as_they_were(before, after):
    originals = snapshot(*before), snapshot(*after)

    assert essence(compare(*redact(originals))) == essence(compare(*originals))


def _became_public(*snapshots: Snapshot) -> bool:
    """Say whether a file lies in a folder of the system in one snapshot and in somebody's in another.

    Its name is public in one of them only, which nobody can know who redacts the other by itself.
    """
    paths = Paths(Pseudonyms(b""))
    found = {(base_name(m.path), paths.is_system(m.path)) for s in snapshots for m in s.mappings if m.path}
    return len(found) > len({name for name, _ in found})


@given(st.data())
@settings(max_examples=times(60), deadline=None)
def test_a_key_redacts_alike_at_different_times(data):
    space = data.draw(mappings())
    before, after = snapshot(*space), snapshot(*data.draw(changed(space)))
    assume(not _became_public(before, after))
    (first,), (second,) = redact([before], key=b"k" * 32), redact([after], key=b"k" * 32)

    if first.origin.redaction == second.origin.redaction:
        assert essence(compare(first, second)) == essence(compare(before, after))
    else:
        doubts = (*first.origin.doubts, *second.origin.doubts)
        assert any("do not fit" in doubt for doubt in doubts)
