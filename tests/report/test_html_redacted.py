"""A report for strangers: redacted, written, read back, it still says what changed, and nothing else."""

import base64
import re

import pytest

from tests.redaction.test_nothing_left import SECRET, planted
from tests.report import pictures
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.findings import find
from vmdiff.redaction import redact
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.storage import unpacking
from vmdiff.storage.html_embedding import carried


def written(form: Format, comparison: Comparison) -> bytes:
    result = RENDERERS[form].comparison(comparison, find(comparison), ViewOptions())
    return result.encode() if isinstance(result, str) else result


def unpacked(report: bytes) -> bytes:
    """Give a report together with all that is packed into it."""
    packed = re.findall(rb"data-vmdiff-snapshot>([^<]*)<", report)
    return b"\n".join(
        [report, *(unpacking.unpack(base64.b64decode(text), source="r").data for text in packed)]
    )


@pytest.mark.parametrize("form", [Format.HTML, Format.MARKDOWN, Format.FOLDED, Format.OPENMETRICS])
def test_nothing_that_was_removed_is_left_in_a_report(form: Format) -> None:
    before, after = redact([planted(), planted()])
    report = unpacked(written(form, compare(before, after))).lower()

    for spelling in (SECRET.encode(), SECRET.encode().hex().encode(), base64.b64encode(SECRET.encode())):
        assert spelling.lower() not in report


def test_that_search_would_find_it() -> None:
    report = unpacked(written(Format.HTML, compare(planted(), planted())))

    assert SECRET.encode() in report


def test_the_redacted_report_still_says_what_changed() -> None:
    originals = compare(pictures.server(), pictures.server(grown=True))
    redacted = redact([originals.before, originals.after])
    again = compare(*carried(written(Format.HTML, compare(*redacted)), source="r"))

    def told(comparison: Comparison) -> list[object]:
        return [(c.change, c.kind, c.delta, len(c.before), len(c.after)) for c in comparison.changes]

    assert told(again) == told(originals)
    assert again.totals == originals.totals
    assert again.unchanged == originals.unchanged
