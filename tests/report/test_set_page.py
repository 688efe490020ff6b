"""The HTML page of sets: its figures are those of the JSON documents, and the sets ride inside."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from typer.testing import CliRunner

from tests.effort import times
from tests.report.browser import Browser, Page
from tests.report.pictures import HOSTILE
from tests.report.test_html import data, groups_of, leaf_sums
from tests.sets.made import made, member
from tests.sets.test_set_totals import sets
from vmdiff import sources
from vmdiff.cli.app import app_for
from vmdiff.model import Mapping
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.report import wording
from vmdiff.report.html import set_page
from vmdiff.report.json.set_record import set_json, sets_json
from vmdiff.sets.set_comparison import compare_sets

MIB = 1 << 20
GROUPINGS = ("process", "role", "owner", "kind", "object")


@settings(max_examples=times(40), deadline=None)
@given(sets(), sets())
def test_leaves_add_up_to_every_group_and_total(before: SnapshotSet, after: SnapshotSet) -> None:
    pages = (
        (set_page.snapshots(after), ("after",)),
        (set_page.comparison(compare_sets(before, after)), ("before", "after")),
    )
    for text, sides in pages:
        page = data(text)
        for side, column in product(sides, range(len(page["columns"]))):
            total = page["totals"][column][-1 if side == "after" else 0]
            if total is None:
                continue
            assert sum(leaf_sums(page, None, side, column).values()) == total
            for by in GROUPINGS:
                assert leaf_sums(page, by, side, column) == groups_of(page, by, side, column)


@settings(max_examples=times(40), deadline=None)
@given(sets(), sets())
def test_every_figure_is_that_of_the_json_document(before: SnapshotSet, after: SnapshotSet) -> None:
    page, written = data(set_page.snapshots(after)), json.loads(set_json(after))
    columns = {"pss": "pss", "private": "private", "resident": "rss", "swap": "swap"}
    for at, name in enumerate(page["columns"]):
        assert page["totals"][at] == [written["totals"][columns[name]]]
    for by in ("owner", "kind", "object"):
        assert {group[0]: group[1][0] for group in page["groups"][by] if group[1][0]} == {
            wording.name(group["name"]): group["known_pss"]
            for group in written["groups"][by]
            if group["known_pss"]
        }
    unsure = {row["name"] for row in written["groups"]["owner"] if row["pss"] is None}
    assert {name for name, column in page["least"] if column == 0} == unsure
    compared = compare_sets(before, after)
    page, written = data(set_page.comparison(compared)), json.loads(sets_json(compared))
    for at, name in enumerate(page["columns"]):
        total = written["totals"][columns[name]]
        assert page["totals"][at] == [total["before"], total["after"]]
    moved = sum(one["delta"] or 0 for one in written["processes"])
    assert (
        sum(group[1][1] - group[1][0] for group in page["groups"]["process"] if None not in group[1]) == moved
    )


def server_sets() -> tuple[SnapshotSet, SnapshotSet]:
    before = made(
        member(1, heap=4 * MIB, shared=8 * MIB, sharers=2), member(2, "worker", shared=8 * MIB, sharers=2)
    )
    after = made(
        member(1, heap=4 * MIB, shared=8 * MIB, sharers=3),
        member(2, "worker", heap=20 * MIB, shared=8 * MIB, sharers=3),
        member(3, "worker", shared=8 * MIB, sharers=3),
    )
    return before, after


def test_the_sets_ride_inside_and_are_read_back(tmp_path: Path) -> None:
    before, after = server_sets()
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    for one, file in zip((before, after), files, strict=True):
        sources.save(one, file)
    shown, compared = tmp_path / "set.html", tmp_path / "sets.html"
    run, app = CliRunner().invoke, app_for([])

    assert run(app, ["show", str(files[1]), "--format", "html", "-o", str(shown)]).exit_code == 0
    assert run(app, ["compare", *map(str, files), "--format", "html", "-o", str(compared)]).exit_code == 0
    assert sources.load_set(shown) == after
    assert sources.load_set(f"{compared}#1") == before
    assert sources.load_set(f"{compared}#2") == sources.load_set(compared) == after
    assert sources.resolve_sets(str(compared), None) == [before, after]
    assert run(app, ["compare", str(compared)]).exit_code == 0


def test_no_name_of_a_set_becomes_markup() -> None:
    file = Mapping(
        0x1000,
        0x2000,
        "r--s",
        "file",
        device="1:1",
        inode="7",
        path=HOSTILE[0],
        values={"rss": 4096, "pss": 4096},
    )
    hostile = [member(number, role, start=number) for number, role in enumerate(HOSTILE[:4], start=1)]
    hostile = [one.model_copy(update={"mappings": (file, *one.mappings)}) for one in hostile]
    text = set_page.snapshots(made(*hostile))

    assert text.count("<script") == text.count("</script>") == 4
    assert "<img" not in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Callable:
    @contextmanager
    def open_(text: str, **look: object) -> Iterator[Page]:
        file = tmp_path / "set.html"
        file.write_text(text, encoding="utf-8")
        with chromium.page(file, **look) as page:  # type: ignore[arg-type]
            yield page
            assert page.complaints == []
            assert page.requests == [file.as_uri()]

    return open_


@pytest.mark.xdist_group("chromium")
class TestInChromium:
    def test_a_set_is_drawn_process_by_process_and_entered(self, opened: Callable) -> None:
        with opened(set_page.snapshots(server_sets()[1])) as page:
            cells = page(
                "[...document.querySelectorAll('#panels .cell')].map(e => e.getAttribute('aria-label'))"
            )
            assert any(
                label.startswith("worker (2) 22.7 MiB; 22.7 MiB pss, 68.7 % of all; 2 pieces")
                for label in cells
            )
            page("document.querySelector('#panels .cell').click()")
            assert page.texts("#crumbs")[0] == "all of it › worker (2)"
            page.click("#chart .line:nth-child(2)")
            assert page.texts("#crumbs")[0] == "all of it › server (1)"

    def test_two_sets_have_a_line_for_each_process_that_moved(self, opened: Callable) -> None:
        with opened(set_page.comparison(compare_sets(*server_sets()))) as page:
            assert page.texts("#chart .line")[0].split("\n") == [
                "worker (2)",
                "+17.7 MiB",
                "5,120 KiB → 22.7 MiB",
            ]
            assert page.texts("#chart .sum .n")[0] == "+20.0 MiB"
            assert page.texts(".figure.main .big") == ["+20.0 MiB"]

    @pytest.mark.parametrize("width", [400, 800, 1280])
    def test_nothing_is_wider_than_the_window(self, opened: Callable, width: int) -> None:
        with opened(set_page.comparison(compare_sets(*server_sets())), width=width) as page:
            assert page("document.documentElement.scrollWidth") == width

    def test_without_scripts_the_tables_are_there(self, opened: Callable) -> None:
        with opened(set_page.snapshots(server_sets()[1]), scripts=False) as page:
            assert "worker" in page.texts("#table-1")[0]
            assert "/dev/zero" in page.texts("#table-2")[0]
