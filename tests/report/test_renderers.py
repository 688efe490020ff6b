"""What is true of every renderer: it is there, it is a function of its input, and names cannot harm it."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.effort import times
from tests.report.worlds import HOSTILE, compare, comparisons, example, hostile, mapping, snapshot
from vmdiff import selector
from vmdiff.comparison.compare import compare as compare_snapshots
from vmdiff.findings import find, find_in
from vmdiff.model import owner as owned_by
from vmdiff.report import RENDERERS, Format, ViewOptions, markdown, wording
from vmdiff.report.json import comparison_document as json_renderer
from vmdiff.report.json.schema import adapter
from vmdiff.report.terminal import table_layout

PLAIN = (Format.TERMINAL, Format.TEXT)
TEXTS = [target for target in Format if target is not Format.PPROF]


def shown(target, comparison, **options):
    return RENDERERS[target].comparison(comparison, find(comparison), ViewOptions(**options))


def shown_alone(target, taken, **options):
    return RENDERERS[target].snapshot(taken, find_in(taken), ViewOptions(**options))


def test_every_format_has_a_renderer():
    assert set(RENDERERS) == set(Format)


@pytest.mark.parametrize("target", Format)
def test_the_same_comparison_gives_the_same_text(target):
    assert shown(target, example()) == shown(target, example())
    assert shown_alone(target, example().after) == shown_alone(target, example().after)


@pytest.mark.parametrize("target", TEXTS)
@pytest.mark.parametrize("options", [{}, {"show_all": True}, {"colour": True}, {"width": 140}])
def test_no_name_reaches_a_reader_raw(target, options):
    comparison = hostile()
    for text in (shown(target, comparison, **options), shown_alone(target, comparison.after, **options)):
        harmless = re.sub(r"\x1b\[[0-9;]*m", "", text) if options.get("colour") else text
        assert [letter for letter in set(harmless) - {"\n", "\u200b"} if not letter.isprintable()] == []


@pytest.mark.parametrize("target", PLAIN)
def test_the_kernels_names_survive_markup(target):
    comparison = hostile()
    for colour in (True, False):
        text = shown(target, comparison, colour=colour, show_all=True, width=200)
        assert "[heap]" in text
        assert "/tmp/[/foo] [bold red]x" in text


@pytest.mark.parametrize("target", PLAIN)
@settings(max_examples=times(30), deadline=None)
@given(comparison=comparisons())
def test_no_line_is_wider_than_asked_for_or_ends_in_blanks(target, comparison):
    for width in (80, 100, 132):
        text = shown(target, comparison, width=width) + shown_alone(target, comparison.after, width=width)
        lines = text.split("\n")
        assert [line for line in lines if table_layout.width(line) > width] == []
        assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("width", range(60, 141, 4))
def test_a_number_and_its_unit_stay_on_one_line(width):
    grown = mapping(1, 4, "rw-p", rss=4096)._replace(owner=owned_by("jemalloc", "record", ""))
    many = [
        mapping(0x1000 * at, 0x900, "rw-p", rss=0x800000 + at)._replace(
            owner=owned_by(f"owner {at}", "record", "")
        )
        for at in range(1, 9)
    ]
    found = compare_snapshots(snapshot(grown), snapshot(grown, *many), match="address")
    text = str(RENDERERS[Format.TEXT].comparison(found, find(found), ViewOptions(width=width)))

    assert not re.search(r"\d\n *(?:[KMGT]i)?B\b", text), text


@pytest.mark.parametrize("target", Format)
@pytest.mark.parametrize("options", [{}, {"by": "owner"}, {"show_all": True, "width": 140}])
def test_totals_without_mappings_are_shown_by_everyone(target, options):
    stated = snapshot().model_copy(update={"rollup": {"rss": 4096, "swap": None}})

    texts = [
        shown_alone(target, stated, **options),
        shown(target, compare_snapshots(stated, stated), **options),
        shown(target, compare_snapshots(stated, snapshot(mapping(1, 2, rss=4096))), **options),
    ]

    if target in (*PLAIN, Format.MARKDOWN):
        assert all("no mappings, only the totals that the listing states" in text for text in texts)


def test_wide_letters_keep_their_columns():
    text = shown(Format.TERMINAL, hostile(), show_all=True)

    assert [line for line in text.split("\n") if table_layout.width(line) > 80] == []


def test_colour_changes_nothing_but_the_colour():
    coloured = shown(Format.TERMINAL, example(), colour=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)

    assert "\x1b[" in coloured
    assert [line.rstrip() for line in plain.split("\n")] == shown(Format.TERMINAL, example()).split("\n")
    assert not re.search(r"\x1b\[[0-9;]*(38|48);", coloured), "16 colours are what every terminal has"


# ---- JSON


@settings(max_examples=times(30), deadline=None)
@given(comparisons())
def test_json_adds_up(comparison):
    document = json.loads(shown(Format.JSON, comparison))

    for counter, total in document["totals"].items():
        assert sum(change["delta"][counter] for change in document["changes"]) == total["delta"]
        for groups in document["groups"].values():
            assert sum(group["after"][counter] for group in groups) == total["after"]


def test_json_has_one_change_a_line_and_names_exactly():
    text = shown(Format.JSON, hostile())
    lines = [line for line in text.split("\n") if line.startswith('    {"change"')]

    assert text.isascii()
    assert len(lines) == len(hostile().changes)
    assert {change["path"] for change in json.loads(text)["changes"]} >= {HOSTILE[1], HOSTILE[2], HOSTILE[4]}


def test_a_counter_that_is_unknown_is_null_in_json():
    before = snapshot(mapping(1, 4)._replace(values={"rss": None}))
    document = json.loads(shown(Format.JSON, compare(before, snapshot(mapping(1, 8)))))

    assert document["totals"]["rss"] == {"before": None, "after": 0, "delta": None}
    assert document["changes"][0]["delta"]["rss"] is None


@settings(max_examples=times(20), deadline=None)
@given(comparisons())
def test_json_is_what_its_schema_says(comparison):
    adapter().validate_json(shown(Format.JSON, comparison), strict=True)


def test_json_of_what_is_hostile_is_what_its_schema_says():
    adapter().validate_json(shown(Format.JSON, hostile()), strict=True)
    adapter().validate_json(shown(Format.JSON, example()), strict=True)


def test_json_of_nothing_is_json():
    nothing = compare(snapshot(), snapshot())

    assert json.loads(shown(Format.JSON, nothing))["changes"] == []
    assert json.loads(shown_alone(Format.JSON, snapshot()))["mappings"] == []
    assert json_renderer.VERSION == 1


# ---- Markdown


def test_markdown_reads_as_it_was_meant():
    """A Markdown reader of its own finds our tables and tags, every name as it is, and nothing else."""
    text = shown(Format.MARKDOWN, hostile(), show_all=True)
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = [token for block in reader.parse(text) for token in (block, *(block.children or ()))]

    assert {token.type.removesuffix("_open").removesuffix("_close") for token in tokens} <= _OURS
    tags = re.findall(r"</?([a-z]+)", "".join(t.content for t in tokens if t.type.startswith("html")))
    assert set(tags) <= {"details", "summary", "br", "code"}
    assert text.count("<details>\n") == text.count("\n</details>") > 0
    plain = "".join(token.content for token in tokens if token.type == "text")
    code = {token.content for token in tokens if token.type == "code_inline"}
    for name in HOSTILE[:8]:
        assert wording.name(name) in code or wording.name(name) in plain
    assert not re.search(r"(?<![\w/])[@#]\w", plain.replace("/tmp/ | --- |", ""))


_OURS = {
    *("paragraph", "inline", "text", "strong", "softbreak", "code_inline", "html_inline", "html_block"),
    *("table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item"),
}


def anything(name):
    """A process, a label, a thread, an owner and a large file, all of the same name."""
    base = mapping(1, 1)
    file = mapping(0x1000, 65536, "r--s", f"/{name}", rss=4096, private_clean=4096)
    stack = mapping(0x90000, 2)._replace(owner=owned_by("thread stack", "record", name, label=name))
    before = snapshot(base, name=name, threads=({"tid": 1, "name": "a"},))
    after = snapshot(base, file, stack, name=name, label=name, threads=({"tid": 2, "name": name},))
    return compare(before, after)


@settings(max_examples=times(150), deadline=None)
@given(
    st.text(st.sampled_from("ab/|`*_~$[]()<>&@#\\\"'!-:.w\n\x1b\u202e\u200b é漢"), min_size=1, max_size=40)
)
def test_no_name_is_markup_in_markdown(name):
    text = shown(Format.MARKDOWN, anything(name), show_all=True)
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = [token for block in reader.parse(text) for token in (block, *(block.children or ()))]

    assert {token.type.removesuffix("_open").removesuffix("_close") for token in tokens} <= _OURS
    tags = re.findall(r"</?([a-z]+)", "".join(t.content for t in tokens if t.type.startswith("html")))
    assert set(tags) <= {"details", "summary", "br", "code"}
    assert sum(token.type == "tr_open" for token in tokens) == _MARKDOWN_ROWS


_MARKDOWN_ROWS = sum(
    token.type == "tr_open"
    for token in MarkdownIt("commonmark")
    .enable("table")
    .parse(shown(Format.MARKDOWN, anything("x"), show_all=True))
)


@settings(max_examples=times(60), deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_no_name_adds_a_row_or_steers_a_terminal(name):
    text = shown(Format.TERMINAL, anything(name))
    table = text.partition("\nchanges")[2].partition("\n\n")[0].split("\n")

    assert [line.split()[0] for line in table[1:] if not line.startswith("      ")] == ["new", "new", "total"]
    assert [letter for letter in set(text) - {"\n"} if not letter.isprintable()] == []


def test_every_row_of_a_markdown_table_has_the_same_number_of_cells():
    tokens = MarkdownIt("commonmark").enable("table").parse(shown(Format.MARKDOWN, hostile(), show_all=True))
    cells: list[int] = []
    for token in tokens:
        if token.type == "tr_open":
            cells.append(0)
        elif token.type in ("th_open", "td_open"):
            cells[-1] += 1
        elif token.type == "table_close":
            assert len(set(cells)) == 1
            cells = []


def test_markdown_fits_a_comment_and_says_that_it_was_cut():
    many = [mapping(16 * at, 2, path=f"/srv/data/shard-{at:05}", rss=4096) for at in range(1, 3000)]
    comparison = compare(snapshot(), snapshot(*many))
    text = shown(Format.MARKDOWN, comparison)

    assert 50_000 < len(text) <= markdown.LIMIT
    assert "Cut to the 65,536 characters" in text
    assert text.count("<details>") == text.count("</details>")
    assert "Cut to" not in shown(Format.MARKDOWN, example())


def test_json_of_a_selection_keeps_the_totals():
    only = selector.parse("kind:heap")
    document = json.loads(shown(Format.JSON, example(), only=only))
    summary = json.loads(shown_alone(Format.JSON, example().after, only=only))

    assert [change["kind"] for change in document["changes"]] == ["heap"]
    assert document["totals"]["rss"]["delta"] == example().totals["rss"].delta
    assert [one["kind"] for one in summary["mappings"]] == ["heap"]
    assert summary["totals"]["rss"] == example().after.total("rss")


def test_json_of_half_a_character_is_json():
    broken = mapping(0x100, 2, path="/tmp/half \udc80 \x7f 漢 \U0001f600")
    text = shown(Format.JSON, compare(snapshot(mapping(1, 1)), snapshot(mapping(1, 1), broken)))

    assert text.isascii()
    assert json.loads(text)["changes"][0]["path"] == "/tmp/half \udc80 \x7f 漢 \U0001f600"


@pytest.mark.parametrize("shown", [example, hostile])
def test_plain_text_is_ascii_and_fits_a_mail(shown):
    found = shown()
    texts = [
        RENDERERS[Format.TEXT].comparison(found, find(found), ViewOptions(show_all=True)),
        RENDERERS[Format.TEXT].snapshot(found.after, (), ViewOptions(show_all=True)),
    ]

    assert [text for text in texts if not text.isascii()] == []
    assert [line for text in texts for line in text.splitlines() if len(line) > 78] == []


def test_markdown_shows_whose_memory_it_was_before_what_is_folded():
    found = example()
    text = RENDERERS[Format.MARKDOWN].comparison(found, find(found), ViewOptions())

    assert text.index("by owner") < text.index("changes") < text.index("<details>")
