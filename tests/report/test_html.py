"""The report as a file: what is in it, what cannot be, how large it is and how it is read back."""

import base64
import hashlib
import json
import re
from itertools import product

import pytest
from hypothesis import given, settings
from markupsafe import escape

from tests.effort import times
from tests.report import pictures
from tests.report.worlds import comparisons
from vmdiff.answer import answer, summary
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.comparison.tally import GROUPINGS, tallied
from vmdiff.comparison.totals import held_groups
from vmdiff.findings import find, find_in
from vmdiff.model import Mapping, Owner, Part, Redaction, Snapshot, Usage
from vmdiff.model.piece import NOT_SPLIT
from vmdiff.report import RENDERERS, Format, ViewOptions, wording
from vmdiff.report.html import facts_table, usage_bars
from vmdiff.storage.html_embedding import carried, is_report


def report(shown: Comparison | Snapshot, **options: object) -> str:
    html = RENDERERS[Format.HTML]
    if isinstance(shown, Snapshot):
        return str(html.snapshot(shown, find_in(shown), ViewOptions(**options)))  # type: ignore[arg-type]
    return str(html.comparison(shown, find(shown), ViewOptions(**options)))  # type: ignore[arg-type]


def data(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found
    return json.loads(found[1])


GROWTH = compare(pictures.server(), pictures.server(grown=True))


def test_an_ordinary_report_is_small() -> None:
    assert len(report(GROWTH)) < 300_000
    assert len(report(GROWTH.after)) < 300_000


def test_both_snapshots_ride_inside() -> None:
    text = report(GROWTH).encode()

    assert is_report(text)
    assert carried(text, source="r") == (GROWTH.before, GROWTH.after)
    assert carried(report(GROWTH.after).encode(), source="r") == (GROWTH.after,)


def test_nothing_but_its_own_style_and_script_may_run() -> None:
    text = report(GROWTH)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy

    for tag, count in (("style", 1), ("script", 2)):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in inside]
        allowed = " ".join(f"&#39;sha256-{digest}&#39;" for digest in digests)
        assert len(inside) == count
        assert f"{tag}-src {allowed};" in policy[1]
    assert "default-src &#39;none&#39;" in policy[1]


@pytest.mark.parametrize("shown", [compare(pictures.snapshot(), pictures.hostile()), pictures.hostile()])
def test_no_name_becomes_markup(shown: Comparison | Snapshot) -> None:
    text = report(shown)

    assert text.count("<script") == text.count("</script>") == (5 if isinstance(shown, Comparison) else 4)
    assert "<img" not in text
    assert "<!--" not in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_it_names_no_other_place() -> None:
    text = report(GROWTH)

    assert not re.search("https?:", text)
    assert not re.search(r"\b(src|href)=\"[^#]", text)


def test_a_reader_without_scripts_sees_figures_that_add_up() -> None:
    text = report(GROWTH)

    for said in ("+44.5 MiB", "[heap]", "/srv/data/index.bin", "malloc heap", "6.18.0", "30 × thread stack"):
        assert said in text


@settings(max_examples=times(30), deadline=None)
@given(comparisons())
def test_the_rows_of_the_page_add_up_to_its_totals(comparison: Comparison) -> None:
    page = data(report(comparison))

    leaves = set(range(len(page["rows"]))) - {row[0] for row in page["rows"]}
    for column, name in enumerate(page["columns"]):
        counters = {"virtual": ("size",), "resident": ("rss",), "private": ("private_clean", "private_dirty")}
        total = sum(comparison.totals[counter].delta or 0 for counter in counters.get(name, (name,)))
        assert sum(page["rows"][at][3][column] for at in leaves) == total
        for groups in page["groups"].values():
            assert sum(group[1 + column][1] - group[1 + column][0] for group in groups) == total


def leaf_sums(page: dict, by: str | None, side: str, column: int) -> dict[str, int]:
    """Add the leaves up as the page's script does: what an owner's unknown figure hides is not split."""
    sums: dict[str, int] = {}
    groups = {group[0]: group[1 + column] for group in page["groups"]["owner"]}
    leaves, at = page["leaves"], -1 if side == "after" else 0
    for number in range(len(leaves["title"])):
        figures = leaves[side][number]
        figures = leaves["before"][number] if figures is None else figures
        name = "all" if by is None else page["texts"][leaves[by][number]]
        if by == "owner" and groups[name][at] is None:
            name = NOT_SPLIT
        sums[name] = sums.get(name, 0) + ((figures[column] or 0) if figures else 0)
    return {name: amount for name, amount in sums.items() if amount}


def groups_of(page: dict, by: str, side: str, column: int) -> dict[str, int]:
    at = -1 if side == "after" else 0
    return {group[0]: group[1 + column][at] for group in page["groups"][by] if group[1 + column][at]}


@settings(max_examples=times(60), deadline=None)
@given(comparisons())
def test_the_leaves_of_the_composition_add_up_to_every_group_and_total(comparison: Comparison) -> None:
    for shown, sides in ((comparison, ("before", "after")), (comparison.after, ("after",))):
        page = data(report(shown))
        for side, column in product(sides, range(len(page["columns"]))):
            total = page["totals"][column][-1 if side == "after" else 0]
            assert sum(leaf_sums(page, None, side, column).values()) == total
            for by in ("kind", "owner", "object"):
                assert leaf_sums(page, by, side, column) == groups_of(page, by, side, column)


def test_memory_of_several_owners_in_one_mapping_is_cut_where_they_end() -> None:
    start, parts = 0x7000_0000_0000, []
    for at, name in enumerate(("jemalloc", "python arena")):
        low = start + at * 16 * pictures.PAGE
        parts.append(
            Part(
                low, low + 8 * pictures.PAGE, name, "certain", "record", "seen", rss=(3 - at) * pictures.PAGE
            )
        )
    owner = Owner("mixed", "certain", "record", "seen", parts=tuple(parts))
    mapping = pictures.anonymous(start, 40 * pictures.PAGE, 7 * pictures.PAGE, owner=owner)
    text = report(pictures.snapshot(mapping))
    page = data(text)

    assert leaf_sums(page, "owner", "after", page["columns"].index("virtual")) == {
        "jemalloc": 8 * pictures.PAGE,
        "python arena": 8 * pictures.PAGE,
        "(anonymous)": 24 * pictures.PAGE,
    }
    assert leaf_sums(page, "owner", "after", page["columns"].index("resident")) == {
        "jemalloc": 3 * pictures.PAGE,
        "python arena": 2 * pictures.PAGE,
        "(anonymous)": 2 * pictures.PAGE,
    }
    assert [page["texts"][group] for _, group, _, _ in page["sides"][0]["owners"]].count("(anonymous)") == 2
    assert "mixed" not in text


@settings(max_examples=times(30), deadline=None)
@given(comparisons())
def test_every_figure_of_the_page_is_that_of_the_json_document(comparison: Comparison) -> None:
    page = data(report(comparison))
    written = json.loads(RENDERERS[Format.JSON].comparison(comparison, find(comparison), ViewOptions()))
    counters = {"virtual": "size", "resident": "rss", "swap": "swap", "pss": "pss"}

    for column, name in enumerate(page["columns"]):
        if name not in counters:  # private is a sum of two, which the law of the rows checks
            continue
        counter = counters[name]
        total = written["totals"][counter]
        assert page["totals"][column] == [total["before"], total["after"]]
        for by, groups in page["groups"].items():
            assert {group[0]: group[1 + column] for group in groups} == {
                wording.name(group["name"]): [group["before"][counter], group["after"][counter]]
                for group in written["groups"][by]
            }
        leaves = set(range(len(page["rows"]))) - {row[0] for row in page["rows"]}
        assert sorted(page["rows"][at][3][column] for at in leaves) == sorted(
            change["delta"][counter] for change in written["changes"]
        )


@settings(max_examples=times(20), deadline=None)
@given(comparisons())
def test_every_changed_mapping_has_its_row(comparison: Comparison) -> None:
    page = data(report(comparison))
    for side, field in ((comparison.before, 4), (comparison.after, 5)):
        found = sorted(at for row in page["rows"] if len(row) > field for at in row[field])
        changed = {id(mapping) for change in comparison.changes for mapping in change.mappings}
        assert found == [at for at, mapping in enumerate(side.mappings) if id(mapping) in changed]


def test_what_the_reader_left_out_is_folded_not_lost() -> None:
    page = data(report(GROWTH, minimum=1 << 20))
    texts = page["texts"]

    assert any("below 1,024 KiB" in texts[row[1][1]] for row in page["rows"])
    assert len(page["rows"]) > 60


def test_the_page_without_any_mapping_says_what_is_known() -> None:
    nothing = pictures.snapshot(counters=())

    assert "server (pid 4242)" in report(nothing)
    assert "server (pid 4242)" in report(compare(nothing, nothing))


def test_what_is_the_same_in_both_snapshots_stands_once() -> None:
    before, after = GROWTH.before, GROWTH.after
    later = after.model_copy(update={"process": after.process.model_copy(update={"minor_faults": 1234567})})
    facts = {fact.name: fact for _, group in facts_table.of(before, later) for fact in group}

    assert facts["kernel"].values == ("6.18.0",)
    assert facts["minor faults"] == ("minor faults", ("", "1,234,567"), True)
    assert facts["pid"].values == ("4242",)
    assert not facts["taken at"].differs  # no two snapshots are taken at the same time


def test_what_a_reader_must_know_of_a_snapshot_is_told() -> None:
    taken = GROWTH.after
    origin = taken.origin.model_copy(
        update={
            "consistent": False,
            "doubts": ("it moved",),
            "redaction": Redaction(run="r1"),
            "frozen_seconds": 0.01,
        }
    )
    process = taken.process.model_copy(
        update={"arguments": ("server", "--port", "1"), "limits": {"stack": 8 << 20, "data": "unlimited"}}
    )
    told = report(taken.model_copy(update={"label": "at noon", "origin": origin, "process": process}))

    for said in (
        "at noon", "it moved", "layout while it was read", "run r1", "10 ms", "server --port 1",
        "stack 8,192 KiB, 1 other unlimited",
    ):  # fmt: skip
        assert said in told


def test_of_very_many_groups_the_smallest_are_one_and_add_up() -> None:
    taken = pictures.snapshot(
        *(pictures.file(0x1000 + (n << 20), 4096, f"/data/{n}", 4096) for n in range(300))
    )
    objects = data(report(taken))["groups"]["object"]

    assert (len(objects), objects[-1][0]) == (201, "100 others")
    assert sum(group[1][0] for group in objects) == 300 * 4096


@pytest.mark.parametrize("shown", [GROWTH, GROWTH.after])
def test_the_page_opens_with_the_answer_and_the_cause_comes_before_the_addresses(
    shown: Comparison | Snapshot,
) -> None:
    said = answer(shown) if isinstance(shown, Comparison) else summary(shown)
    text = report(shown)
    places = [
        text.index(part)
        for part in (
            f'<p class="answer">{escape(said.sentence)}</p>',
            'id="growth"',
            'id="changes"',
            'id="map"',
        )
    ]

    assert places == sorted(places)


def headline(text: str) -> dict[str, tuple[str, str]]:
    found = re.findall(r'<div class="figure (\w+)">\s*<h2>(\w+)</h2>\s*<p class="big \w*">([^<]*)<', text)
    return {name: (weight, big) for weight, name, big in found}


def test_a_figure_of_the_headline_is_as_loud_as_it_weighs() -> None:
    base = pictures.anonymous(0x1000_0000, 400 * pictures.MIB, 10 * pictures.MIB)
    filled = pictures.anonymous(0x1000_0000, 400 * pictures.MIB, 351 * pictures.MIB)
    mapped = pictures.anonymous(0x7000_0000, pictures.MIB)
    reserved = pictures.anonymous(0x7000_0000, 900 * pictures.MIB)
    page = pictures.anonymous(0x1000_0000, 400 * pictures.MIB, 10 * pictures.MIB + pictures.PAGE)

    def loudness(*after: Mapping) -> dict[str, str]:
        text = report(compare(pictures.snapshot(base), pictures.snapshot(*after)))
        return {name: weight for name, (weight, _) in headline(text).items()}

    assert list(loudness(filled)) == ["resident", "private", "swap", "virtual"]
    assert loudness(filled, mapped) == {
        "resident": "main",
        "private": "large",
        "swap": "small",
        "virtual": "small",
    }
    assert loudness(base, reserved)["virtual"] == "medium"  # addresses are never the loudest
    assert loudness(page)["resident"] == "medium"  # 4 of 10,240 KiB are nothing to shout about


def used(**figures: int | None) -> Usage:
    return Usage(owner="malloc heap", source="glibc", certainty="certain", **figures)


def test_bars_of_what_is_in_use_are_the_json_documents_figures_at_one_scale() -> None:
    before, after = (
        pictures.server(grown=grown).model_copy(update={"usage": (usage,)})
        for grown, usage in (
            (False, used(in_use=6 * pictures.MIB, free=2 * pictures.MIB)),
            (True, used(in_use=30 * pictures.MIB, free=10 * pictures.MIB)),
        )
    )
    comparison = compare(before, after)
    (row,) = usage_bars.of_comparison(comparison).rows
    (written,) = json.loads(RENDERERS[Format.JSON].comparison(comparison, (), ViewOptions()))["usage"]

    assert row.cells == (("+24.0 MiB", "6,144 KiB → 30.0 MiB"), ("+8,192 KiB", "2,048 KiB → 10.0 MiB"))
    assert written["delta"]["in_use"] == 24 * pictures.MIB
    assert row.bars == (
        (("in_use", 0, 150), ("free", 150, 50)),
        (("in_use", 0, 750), ("free", 750, 250)),
    )
    (alone,) = usage_bars.of_snapshot(after).rows
    assert alone.cells == (("30.0 MiB", ""), ("10.0 MiB", ""))
    assert "In use, or freed and kept" in report(comparison)


def test_what_is_in_use_has_no_bar_where_it_is_not_known_for_certain() -> None:
    shown = pictures.server().model_copy(
        update={"usage": (used(in_use=6 * pictures.MIB, free=0, partial="it moved"), used(free=pictures.MIB))}
    )
    assert usage_bars.of_snapshot(shown).rows == ()
    assert "In use, or freed" not in report(shown)


def test_one_snapshot_has_no_before_and_its_groups_are_those_beside_itself() -> None:
    after = GROWTH.after
    page = data(report(after))
    beside = compare(after, after)

    assert all(len(total) == 1 for total in page["totals"])
    for by in GROUPINGS:
        held = held_groups(after, tallied(after), by)
        assert [group.name for group in held] == [group.name for group in beside.grouped(by)]
        for group, pair in zip(held, beside.grouped(by), strict=True):
            assert group.counts == {name: total.after for name, total in pair.totals.items()}
