"""The view says everything once, and its tables add up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.report.worlds import (
    HOSTILE,
    KIB,
    MIB,
    PAGE,
    compare,
    comparisons,
    example,
    hostile,
    mapping,
    snapshot,
)
from vmdiff import selector
from vmdiff.errors import ConditionError
from vmdiff.findings import find
from vmdiff.model import Origin
from vmdiff.model import owner as owned_by
from vmdiff.report import RENDERERS, By, Format, ViewOptions, wording
from vmdiff.report.terminal import table_layout
from vmdiff.report.view import compose, tables
from vmdiff.report.view.compose import Role

OPTIONS = st.builds(
    ViewOptions,
    by=st.sampled_from([None, *By]),
    sort=st.sampled_from([None, "virtual", "pss", "swap", "address"]),
    minimum=st.sampled_from([0, PAGE, 8 * PAGE]),
    only=st.sampled_from([None, selector.parse("kind:heap"), selector.parse("path:/a")]),
    show_all=st.booleans(),
    width=st.sampled_from([80, 120]),
)


def seen(comparison, **options):
    return compose.of_comparison(comparison, find(comparison), ViewOptions(**options))


def row(comparison, title, **options):
    return next(row for row in seen(comparison, **options).table.rows if title in row.title)


@settings(max_examples=times(60), deadline=None)
@given(comparisons(), OPTIONS)
def test_rows_and_folds_add_up_to_the_total_and_the_total_to_the_headline(comparison, options):
    shown = compose.of_comparison(comparison, (), options)

    for table in filter(None, (shown.groups, shown.table)):
        for at in range(len(table.columns)):
            values = [row.cells[at].value for row in (*table.rows, *table.folds)]
            assert sum(values) == table.total.cells[at].value
        for figure in shown.figures:
            columns = [column.name for column in table.columns]
            if figure.name in columns:
                assert table.total.cells[columns.index(figure.name)].value == figure.delta


@settings(max_examples=times(60), deadline=None)
@given(comparisons(), OPTIONS)
def test_the_rows_of_one_snapshot_add_up_too(comparison, options):
    shown = compose.of_snapshot(comparison.after, (), options)

    for table in filter(None, (shown.groups, shown.table)):
        for at in range(len(table.columns)):
            values = [row.cells[at].value for row in (*table.rows, *table.folds)]
            assert sum(values) == table.total.cells[at].value


@settings(max_examples=times(60), deadline=None)
@given(comparisons(), OPTIONS)
def test_every_change_is_in_exactly_one_row(comparison, options):
    table = compose.of_comparison(comparison, (), options).table
    if options.by not in (None, By.MAPPING):
        return

    rows = [*table.rows, *table.folds]
    shown = [change for row in rows for change in (row.members or (row.item,))]
    assert sorted(map(id, shown)) == sorted(map(id, comparison.changes))


@given(st.text())
def test_a_name_made_printable_is_one_harmless_line(text):
    shown = wording.printable(text)

    assert shown.isprintable()
    assert wording.printable(shown) == shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("[heap]", "[heap]"),
        ("/tmp/\x1b[31m", "/tmp/\\x1b[31m"),
        ("a\nb", "a\\x0ab"),
        ("\u202egpj", "\\u202egpj"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_steers_is_shown_as_an_escape(name, expected):
    assert wording.printable(name) == expected


def test_no_text_of_a_view_can_break_its_line():
    shown = seen(hostile(), show_all=True)
    texts = [shown.title, shown.when, shown.counts, *(fact.after for fact in shown.facts)]
    texts += [
        text for row in shown.table.rows for text in (row.title, row.note, row.path, row.owner, row.why)
    ]

    assert [text for text in texts if not text.isprintable()] == []
    assert len(shown.table.rows) == len(HOSTILE) + 1


def test_the_headline_counts_recounted_mappings_as_unchanged():
    assert seen(example()).counts == "2 new, 1 gone, 1 grown, 1 shrunk, 0 changed, 2 unchanged"


def test_the_headline_says_how_far_apart_and_how_many_faults():
    shown = seen(example())

    assert shown.when == "2026-11-22 12:00:00 UTC, and 8.2 s later"
    assert shown.faults == "page faults: 1,000 minor, 2 major"


def test_memory_that_moved_comes_first_and_a_reservation_last():
    heap = mapping(0x100, 8, "rw-p", "[heap]", rss=PAGE)
    grown = mapping(0x100, 8, "rw-p", "[heap]", rss=3 * PAGE)
    reserved = mapping(0x4000, 1 << 20, "---p")
    usable = mapping(0x2000, 512, "rw-p")
    comparison = compare(snapshot(heap), snapshot(grown, usable, reserved))

    titles = [row.title for row in seen(comparison).table.rows]
    assert titles == ["[heap]", "anonymous", "reserved"]


def test_a_mapping_that_is_hardly_touched_says_so():
    big = mapping(0x100, 954 * 256, "r--s", "/var/big", rss=4 * KIB)
    comparison = compare(snapshot(mapping(1, 1)), snapshot(mapping(1, 1), big))

    assert row(comparison, "/var/big").note == "4 KiB of 954 MiB resident"


def test_what_one_side_did_not_measure_is_not_shown_as_zero():
    before = snapshot(mapping(1, 4, rss=PAGE))
    blind = before.model_copy(update={"origin": Origin(source="maps")})
    shown = seen(compare(blind, snapshot(mapping(1, 8, rss=PAGE))))

    assert [column.name for column in shown.table.columns] == ["virtual"]
    assert [(f.name, f.before, f.delta) for f in shown.figures][1] == ("resident", None, None)


def test_a_total_that_only_the_listing_states_stands_beside():
    unknown = mapping(1, 4)._replace(start=None, end=None, values={"size": None})
    taken = snapshot(unknown).model_copy(update={"rollup": {"size": 4 * MIB}})
    figure = compose.of_snapshot(taken, (), ViewOptions()).figures[0]

    assert (figure.after, figure.note) == (None, "stated total: 4,096 KiB")


def test_a_recounted_mapping_gets_a_row_only_where_it_matters():
    folds = [row.word for row in seen(example()).table.folds]
    sorted_by_pss = [row.word for row in seen(example(), sort="pss").table.rows]

    assert folds == ["recounted"]
    assert "recounted" in sorted_by_pss


def test_a_counter_that_there_is_not_is_an_error_that_names_those_there_are():
    with pytest.raises(ConditionError, match=r"no counter 'rsss' to sort by; there are virtual, resident"):
        seen(example(), sort="rsss")


def test_what_is_not_selected_is_folded_and_counted():
    table = seen(example(), only=selector.parse("kind:heap")).table

    assert [row.title for row in table.rows] == ["[heap]"]
    assert [fold.role for fold in table.folds] == [Role.FOLD]
    assert table.folds[0].title.endswith("not selected")


def test_groups_count_what_is_selected_and_fold_the_rest():
    table = seen(example(), by=By.KIND, only=selector.parse("kind:heap")).table

    assert [row.title for row in table.rows] == ["heap"]
    assert [fold.title for fold in table.folds] == ["not selected"]
    assert [fold.cells[0].value + table.rows[0].cells[0].value for fold in table.folds] == [
        table.total.cells[0].value
    ]


def test_a_group_that_was_not_there_before_is_no_unknown():
    before = snapshot(mapping(1, 4, rss=PAGE))
    after = snapshot(mapping(1, 4, rss=PAGE), mapping(0x100, 8, "rw-p", "[heap]", rss=PAGE))
    table = seen(compare(before, after), by=By.KIND, only=selector.parse("kind:heap")).table

    assert [(row.title, row.cells[0].text) for row in table.rows] == [("heap", "+32 KiB")]


def test_segments_of_a_library_are_one_row_and_all_shows_them():
    library = [
        mapping(0x100 + at, 1, perms, "/lib/libx.so", rss=PAGE)
        for at, perms in enumerate(("r--p", "r-xp", "rw-p"))
    ]
    comparison = compare(snapshot(mapping(1, 1)), snapshot(mapping(1, 1), *library))

    assert [(row.role, row.title, row.count) for row in seen(comparison).table.rows] == [
        (Role.CROWD, "3 × /lib/libx.so", 3)
    ]
    assert [row.perms for row in seen(comparison, show_all=True).table.rows] == ["r--p", "r-xp", "rw-p"]


def test_a_crowd_stands_where_its_sum_belongs():
    small = [mapping(0x1000 * at, 4, rss=4 * PAGE) for at in range(1, 9)]
    large = mapping(0x20000, 32, "rw-p", "[heap]", rss=16 * PAGE)
    table = seen(compare(snapshot(mapping(1, 1)), snapshot(mapping(1, 1), *small, large))).table

    assert [row.title for row in table.rows] == ["8 × anonymous", "[heap]"]


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (owned_by("malloc arena", "record", "", label="arena 3"), "malloc arena 3"),
        (owned_by("malloc arena", "shape", "", label="arena 3"), "malloc arena 3 (likely)"),
        (owned_by("python arena", "shape", "", label="8 arenas"), "python arena (8 arenas, likely)"),
        (owned_by("thread stack", "register", "", label="worker"), "thread stack (worker)"),
        (owned_by("named", "name", "", label="a\x1bb"), "named (a\\x1bb)"),
    ],
)
def test_owners_are_named_with_their_labels(owner, expected):
    assert wording.owner_words(owner) == expected


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", 40, "/usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", 30, "…/x86_64-linux-gnu/libc.so.6"),
        ("5 × /usr/lib/x86_64-linux-gnu/libc.so.6", 20, "5 × …/libc.so.6"),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6: relro", 24, "…/libc.so.6: relro"),
        ("/x/_decimal.cpython-311-x86_64-linux-gnu.so", 20, "…/_decimal.…x-gnu.so"),
        ("python arena + malloc large block", 20, "python arena + …"),
        ("/漢字漢字漢字", 8, "…/漢…字"),
    ],
)
def test_a_name_that_is_too_long_keeps_what_tells_it_apart(text, columns, expected):
    assert table_layout.fit(text, columns) == expected
    assert table_layout.width(table_layout.fit(text, columns)) <= columns


@pytest.mark.parametrize(
    ("width", "sort", "expected"),
    [
        (80, None, ["virtual", "resident", "private", "swap"]),
        (60, None, ["resident", "swap"]),
        (80, "private", ["virtual", "resident", "private", "swap"]),
        (80, "pss", ["virtual", "resident", "pss", "swap"]),
        (120, "pss", ["virtual", "resident", "private", "pss", "swap"]),
    ],
)
def test_a_narrow_table_has_fewer_figures_and_what_is_sorted_by_is_one(width, sort, expected):
    comparison = compare(snapshot(mapping(1, 4, rss=PAGE)), snapshot(mapping(1, 4, rss=PAGE, swap=PAGE)))

    assert [column.name for column in seen(comparison, width=width, sort=sort).table.columns] == expected


def arena(committed, label, owner="malloc arena"):
    """Draw the 64 MiB of an arena's heap, of which it has committed some pages."""
    parts = (mapping(0x4000, committed, rss=PAGE), mapping(0x4000 + committed, 0x4000 - committed, "---p"))
    by = owned_by(owner, "record", "", label=label) if owner else None
    return [part._replace(owner=by) for part in parts]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (arena(33, "arena 1"), arena(65, "arena 1"), ("grown", "malloc arena 1", "+128 KiB usable")),
        (arena(33, "arena 6"), arena(65, "arena 1"), ("grown", "malloc arena 1", "+128 KiB usable")),
        (
            arena(33, None, owner=None),
            arena(65, "arena 1"),
            ("grown", "malloc arena 1", "+128 KiB usable"),
        ),
        (
            [mapping(0x4000, 4, "r--p", "/lib/a")],
            [mapping(0x4000, 4, "r-xp", "/lib/a")],
            ("reprotected", "/lib/a", "r--p → r-xp"),
        ),
        (
            [mapping(0x4000, 4, "r--p", "/lib/a")],
            [mapping(0x4000, 4, "r--p", "/lib/b")],
            ("replaced", "/lib/a → /lib/b", ""),
        ),
        (
            [mapping(0x4000, 4)],
            [mapping(0x4000, 2), mapping(0x4002, 2, "r--p")],
            ("split", "anonymous", "1 → 2 mappings"),
        ),
        ([mapping(0x4004, 4)], [mapping(0x4000, 8)], ("grown", "anonymous", "at its start")),
        (
            [mapping(0x4000, 4)],
            [mapping(0x4000, 4)._replace(deleted=True)],
            ("relabelled", "anonymous", "its file was deleted"),
        ),
    ],
)
def test_a_row_says_what_is_remarkable_and_not_in_its_figures(before, after, expected):
    (found,) = seen(compare(snapshot(*before), snapshot(*after))).table.rows

    assert (found.word, found.title, found.note) == expected


@pytest.mark.parametrize(
    ("after", "note"),
    [
        ({"flags": ("rd", "hg")}, "flags +hg -wr"),
        ({"deleted": True}, "its file was deleted"),
    ],
)
def test_what_was_relabelled_says_how(after, note):
    old = mapping(0x100, 4)._replace(flags=("rd", "wr"))
    (found,) = seen(compare(snapshot(old), snapshot(old._replace(**after)))).table.rows

    assert (found.word, found.note) == ("relabelled", note)


def test_knowing_the_owner_at_one_moment_only_is_no_change():
    old = mapping(0x100, 4, rss=PAGE)
    known = old._replace(owner=owned_by("bss", "elf", "seen"))
    for sides in ((old, known), (known, old)):
        found = compare(*map(snapshot, sides))
        assert not found.differs
        (group,) = [group for group in found.groups["owner"] if group.totals["rss"].after]
        assert (group.name, group.totals["rss"].before) == ("bss", PAGE)


def test_all_tells_where_and_why():
    owned = mapping(0x100, 4)._replace(owner=owned_by("bss", "elf", "a program header"))
    grown = owned._replace(end=owned.end + PAGE)
    (found,) = seen(compare(snapshot(owned), snapshot(grown)), show_all=True).table.rows

    assert (found.where, found.why) == ("100000-105000", "seen: a program header")


def test_what_is_known_of_some_rows_only_is_shown_of_those():
    blind = mapping(0x100, 2)._replace(values={"rss": None})
    table = compose.of_snapshot(snapshot(blind, mapping(0x200, 2, rss=PAGE)), (), ViewOptions()).table
    at = [column.name for column in table.columns].index("resident")

    assert [row.cells[at].text for row in table.rows] == ["4 KiB", "?"]
    assert table.total.cells[at].text == "?"


def test_a_tombstone_that_shows_one_thread_tells_of_no_thread_that_came_or_went():
    one, other = (
        snapshot(mapping(1, 1), threads=({"tid": tid, "name": "main"},)).noting(source="tombstone")
        for tid in (7, 8)
    )

    shown = compose.of_comparison(compare(one, other), (), ViewOptions())

    assert [fact for fact in shown.facts if "thread" in fact.name] == []


@settings(max_examples=times(60), deadline=None)
@given(comparisons(), st.integers(1, 6))
def test_a_table_that_is_cut_to_a_screen_still_adds_up(comparison, lines):
    table = tables.shortened(compose.of_comparison(comparison, (), ViewOptions()).table, lines)

    assert len(table.rows) <= lines
    assert len([fold for fold in table.folds if fold.members]) <= 1
    for at in range(len(table.columns)):
        values = [row.cells[at].value for row in (*table.rows, *table.folds)]
        assert sum(values) == table.total.cells[at].value


def test_rows_below_one_percent_are_one_row_and_all_shows_them():
    large = [mapping(0x100000, 0x8000, "rw-p", "[heap]", rss=100 * MIB)]
    small = [mapping(0x10 * at, 1, "r--p", f"/x{at}", rss=PAGE) for at in range(1, 6)]
    comparison = compare(snapshot(), snapshot(*large, *small))

    table = seen(comparison).table
    assert [row.title for row in table.rows] == ["[heap]"]
    assert [(fold.title, fold.count) for fold in table.folds] == [("5 changes below 1 %", 5)]
    assert len(seen(comparison, show_all=True).table.rows) == 6


def test_memory_copied_on_write_is_not_folded_with_what_is_shared_differently():
    before = mapping(0x1000, 0x1000, rss=16 * MIB, private_dirty=0)
    after = mapping(0x1000, 0x1000, rss=16 * MIB, private_dirty=16 * MIB)

    assert [row.word for row in seen(compare(snapshot(before), snapshot(after))).table.rows] == ["recounted"]


def test_regions_that_split_alike_are_one_row():
    def cut(at):
        return [mapping(at, 2), mapping(at + 2, 2, "r--p")]

    places = range(0x1000, 0x1800, 0x100)
    before = [mapping(at, 4) for at in places]
    shown = seen(compare(snapshot(*before), snapshot(*(one for at in places for one in cut(at))))).table

    assert [(row.word, row.title, row.count) for row in shown.rows] == [("split", "8 × anonymous", 8)]


def test_alike_mappings_of_one_snapshot_are_one_row():
    stacks = [mapping(0x1000 * at, 0x800, rss=PAGE) for at in range(1, 301)]
    looked = snapshot(*stacks)
    (row,) = compose.of_snapshot(looked, (), ViewOptions()).table.rows
    title = "300 × mapped by the program, 8,192 KiB each"
    assert (row.title, row.count, row.cells[1].value) == (title, 300, 300 * PAGE)

    listed = looked.model_copy(update={"origin": looked.origin.model_copy(update={"owners": False})})
    (row,) = compose.of_snapshot(listed, (), ViewOptions()).table.rows
    assert row.title == "300 × anonymous, 8,192 KiB each", "nobody looked for owners"


def many_kinds_of_changes():
    """A comparison with more of everything than a screen holds."""
    before, after = [], []
    for at in range(1, 60):
        owner = owned_by(f"owner {at:02}", "record", "seen")
        one = mapping(0x10000 * at, 0x100 * at, rss=0)._replace(owner=owner)
        before.append(one)
        after.append(one._replace(values={"rss": at * 64 * KIB}))
    threads = tuple({"tid": tid, "name": f"worker {tid}"} for tid in range(99))
    return compare(snapshot(*before, threads=threads[:1]), snapshot(*after, later=3, threads=threads))


@pytest.mark.parametrize("height", [24, 30, 50])
@pytest.mark.parametrize("width", [80, 120])
def test_a_comparison_fits_on_one_screen(height, width):
    comparison = many_kinds_of_changes()
    options = ViewOptions(width=width, height=height)
    text = RENDERERS[Format.TERMINAL].comparison(comparison, find(comparison), options)
    lines = text.splitlines()

    assert height - 4 <= len(lines) < height
    assert max(map(table_layout.width, lines)) <= width
    assert lines[1].startswith("resident +111 MiB, spread over 59 owners; the largest: owner 59 ")
    taken = RENDERERS[Format.TERMINAL].snapshot(comparison.after, (), options)
    assert len(taken.splitlines()) < height


def test_what_a_snapshot_holds_has_its_share_of_the_total():
    taken = snapshot(mapping(0x100, 3, "rw-p", "[heap]", rss=3 * PAGE), mapping(0x200, 1, rss=PAGE))
    text = RENDERERS[Format.TERMINAL].snapshot(taken, (), ViewOptions())

    assert [line.split()[-3:] for line in text.splitlines() if line.startswith("(heap)")] == [
        ["12", "KiB", "75%"]
    ]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.0404, "40 ms"), (0.9996, "1 s"), (1.0, "1 s"), (8.2, "8.2 s")]
)
def test_a_stretch_of_time(seconds, expected):
    assert wording.span(seconds) == expected


@pytest.mark.parametrize(
    ("options", "titles"),
    [
        ({}, ["(heap)", "malloc arena", "(file)", "(reserved)"]),
        ({"only": selector.parse("kind:heap")}, ["(heap)"]),
        ({"minimum": MIB}, ["(heap)", "(file)", "(reserved)"]),
        ({"sort": "virtual"}, ["(file)", "(heap)", "(reserved)", "malloc arena"]),
    ],
)
def test_what_a_reader_asks_for_holds_for_every_table_of_the_screen(options, titles):
    shown = seen(example(), **options)

    assert [row.title for row in shown.groups.rows] == titles
    for table in (shown.groups, shown.table):
        for at in range(len(table.columns)):
            values = [row.cells[at].value for row in (*table.rows, *table.folds)]
            assert sum(values) == table.total.cells[at].value
