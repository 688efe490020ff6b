"""The registries name every format, and say what their order means."""

import pytest

from tests.importers.test_line_law import LISTINGS
from vmdiff.importers.file_kinds import RECOGNISERS, FileKind, kind_of_file
from vmdiff.importers.format_registry import TEXTS
from vmdiff.importers.pasted.lines import cut_into_lines
from vmdiff.importers.pasted.prefixes import unquote

NAMES = [known.name for known in TEXTS]
HEADS = {
    FileKind.DELTA: b"vmdiff-delta 1 000000.json\n",
    FileKind.DOCUMENT: b'{"format": "vmdiff-snapshot", "version": 1}',
    FileKind.CORE: b"\x7fELF\x02\x01\x01",
    FileKind.TEXT: b"00400000-00401000 r-xp 00000000 08:01 7 /bin/x\n",
}


def test_no_two_formats_have_one_name():
    assert len(set(NAMES)) == len(NAMES)


def test_a_format_stands_before_those_whose_rows_it_embeds():
    for at, known in enumerate(TEXTS):
        assert set(known.embeds) <= set(NAMES[at + 1 :]), known.name


@pytest.mark.parametrize("name", LISTINGS)
def test_two_formats_find_one_listing_only_where_one_embeds_the_other(name):
    text = LISTINGS[name][0]
    lines = unquote(text, cut_into_lines(text, "x"))
    plain = "\n".join(line.text for line in lines)
    finders = {known.name for known in TEXTS if known.hint.search(plain) and known.sections(lines)}

    assert finders - {other for known in TEXTS if known.name in finders for other in known.embeds} == {
        next(known.name for known in TEXTS if known.name in finders)
    }


@pytest.mark.parametrize(("kind", "head"), HEADS.items())
def test_a_file_is_of_one_kind(kind, head):
    assert kind_of_file(head) is kind
    assert sum(accepts(head) for _, accepts in RECOGNISERS) == (kind is not FileKind.TEXT)


def test_a_log_in_json_is_text():
    line = b'{"log": "00400000-00401000 r-xp 00000000 08:01 7 /bin/x\\n", "stream": "stdout"}\n'

    assert kind_of_file(line * 2) is FileKind.TEXT
