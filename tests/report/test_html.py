"""The report as a file: what is in it, what cannot be, how large it is and how it is read back."""

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given, settings
from markupsafe import escape

from tests.report import pictures
from tests.report.worlds import comparisons
from vmdiff.answer import answer, summary
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.findings import find, find_in
from vmdiff.model import Redaction, Snapshot
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.report.html import facts_table
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

    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy[1]
    assert "default-src &#39;none&#39;" in policy[1]


@pytest.mark.parametrize("shown", [compare(pictures.snapshot(), pictures.hostile()), pictures.hostile()])
def test_no_name_becomes_markup(shown: Comparison | Snapshot) -> None:
    text = report(shown)

    assert text.count("<script") == text.count("</script>") == (4 if isinstance(shown, Comparison) else 3)
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


@settings(max_examples=30, deadline=None)
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


@settings(max_examples=20, deadline=None)
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
    assert sum(group[1][1] for group in objects) == 300 * 4096


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
