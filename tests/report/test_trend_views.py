"""A trend as its readers see it: the answer first, harmless names, and it fits."""

import pytest
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.series.moments import moments
from vmdiff.findings import find_over_time
from vmdiff.report import TREND_RENDERERS, By, Format, ViewOptions
from vmdiff.report.options import USUAL
from vmdiff.report.terminal.table_layout import width
from vmdiff.series.trends import trend

HOSTILE = "a|b\x1b[31m`<script>\n@me #1"


def written(form, options=USUAL, **owners):
    found = trend(moments(**owners or {"pool": range(60), "cache": [9] * 60}))
    return TREND_RENDERERS[form].trend(found, find_over_time(found), options)


def test_the_first_sentence_is_the_answer():
    assert written(Format.TERMINAL).startswith("server: pool grows steadily by 60.0 MiB/h")


def test_without_growth_it_says_so():
    assert written(Format.TERMINAL, pool=[5] * 20).startswith("server: no steady growth: resident 0, flat")


def test_what_stayed_as_it_was_is_counted_and_shown_on_request():
    assert "1 more group" in written(Format.TERMINAL)
    assert "cache" not in written(Format.TERMINAL)
    assert "cache" in written(Format.TERMINAL, ViewOptions(show_all=True))


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(columns):
    text = written(
        Format.TERMINAL, ViewOptions(width=columns), **{"pool " * 30: range(40), HOSTILE: range(40)}
    )

    assert max(map(width, text.splitlines())) <= columns


@pytest.mark.parametrize("form", [Format.TERMINAL, Format.MARKDOWN, Format.OPENMETRICS, Format.JSON])
def test_names_cannot_steer_a_terminal(form):
    text = written(form, **{HOSTILE: range(40)})

    assert "\x1b" not in text
    assert "<script>" not in text or form is not Format.MARKDOWN


def test_colour_only_where_it_is_wanted():
    assert "\x1b" in written(Format.TERMINAL, ViewOptions(colour=True))


def test_markdown_is_a_table_with_a_row_a_group():
    tokens = MarkdownIt("commonmark").enable("table").parse(written(Format.MARKDOWN, **{HOSTILE: range(40)}))

    assert sum(token.type == "tr_open" for token in tokens) == 3
    assert not any(token.type == "html_block" for token in tokens)


def test_openmetrics_parses_and_has_every_known_point():
    families = list(text_string_to_metric_families(written(Format.OPENMETRICS)))
    samples = [
        sample
        for family in families
        for sample in family.samples
        if sample.labels.get("group") == "pool" and sample.labels.get("counter") == "rss"
    ]

    assert [sample.value for sample in samples] == [at << 20 for at in range(60)]


@pytest.mark.parametrize("by", [By.KIND, By.OBJECT])
def test_rows_are_what_was_asked_for(by):
    assert f"by {by}" in written(Format.TERMINAL, ViewOptions(by=by))
