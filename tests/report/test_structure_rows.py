"""What the rows of a comparison of different runs say."""

from tests.comparison.matching.runs import Piece, run
from vmdiff.comparison.compare import compare
from vmdiff.report.markdown import comparison as to_markdown
from vmdiff.report.options import ViewOptions


def rows(before: list[Piece], after: list[Piece]) -> str:
    return to_markdown(compare(run(before, 1), run(after, 2), match="structure"), (), ViewOptions())


def test_a_crowd_that_grew_is_one_row_with_its_count() -> None:
    text = rows([Piece(64, rss=n % 9) for n in range(60)], [Piece(64, rss=n % 7) for n in range(172)])

    assert "60 → 172 mappings, +112 × 256 KiB" in text


def test_memory_that_got_a_name_says_what_it_was() -> None:
    assert "was anonymous" in rows([Piece(2)], [Piece(2, path="[anon:mimalloc]")])
