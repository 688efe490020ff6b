"""Reports made of redacted snapshots hold no trace of what was removed, and carry all that is left."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.redaction.test_comparison import essence
from tests.redaction.test_nothing_left import SECRET, encodings, planted
from tests.redaction.worlds import changed, mappings, snapshot
from vmdiff import findings
from vmdiff.comparison.compare import compare
from vmdiff.model import Kind, Mapping, Snapshot
from vmdiff.redaction import redact
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.storage.html_embedding import carried


def pair() -> tuple[Snapshot, Snapshot]:
    """A process before and after it mapped another file, with a secret in every text."""
    before = planted()
    new = Mapping(
        0x7F1000000000,
        0x7F1000100000,
        "rw-s",
        Kind.FILE,
        path=f"/srv/{SECRET}/new.db",
        inode="86420975318",
        values={"rss": 4096},
    )
    return before, before.model_copy(update={"mappings": (*before.mappings, new)})


def written(form: Format, snapshots: tuple[Snapshot, ...]) -> bytes:
    comparison = compare(*snapshots)
    report = RENDERERS[form].comparison(comparison, findings.find(comparison), ViewOptions(show_all=True))
    if isinstance(report, bytes):
        return gzip.decompress(report) if report.startswith(b"\x1f\x8b") else report
    return report.encode(errors="backslashreplace")


@pytest.mark.parametrize("form", list(Format))
def test_no_report_betrays_what_was_removed(form: Format) -> None:
    assert SECRET.encode() in written(form, pair())
    report = written(form, redact(pair()))

    assert SECRET.casefold().encode() not in report.lower()
    for trace in (*encodings(SECRET), b"86420975318", b"abcdef0123456789", b"7f0000003123"):
        assert trace not in report, trace


@given(st.data())
@settings(max_examples=times(10), deadline=None)
def test_a_redacted_html_report_gives_back_what_can_be_compared(data: st.DataObject) -> None:
    space = data.draw(mappings())
    originals = snapshot(*space), snapshot(*data.draw(changed(space)))

    page = written(Format.HTML, redact(originals))

    assert essence(compare(*carried(page, source="x"))) == essence(compare(*originals))
