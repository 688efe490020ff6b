"""A snapshot is written whole, read back exactly, and refused with every problem."""

import gzip
import json
import re
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import vmdiff
from tests.draw import PAGE, mappings, snapshot
from tests.spaces import snapshots
from vmdiff.errors import DocumentError, InputError, OutputError
from vmdiff.model import Kind, Mapping, Owner, Part, Snapshot
from vmdiff.storage import json_document, unpacking


def dumped(taken: Snapshot) -> bytes:
    return b"".join(json_document.dump(taken))


def loaded(**changes: Any) -> Snapshot:
    return json_document.load(json.dumps(minimal(**changes)).encode(), source="x.json")


def by_columns(data: bytes, *, source: str) -> Snapshot:
    return json_document.DocumentReader(remembers=False).columns(data, source=source).whole()


READERS = (json_document.load, by_columns)


def minimal(**changes: Any) -> dict[str, Any]:
    return {"format": "vmdiff-snapshot", "version": 1, "origin": {"source": "test"}} | changes


def mapping(**changes: Any) -> dict[str, Any]:
    return {"start": "1000", "end": "2000", "perms": "rw-p", "kind": "anonymous"} | changes


PARTS = "$.mappings[0].owner.parts"


def owned(**owner: Any) -> dict[str, Any]:
    return {"mappings": [mapping(owner=owner)]}


def parted(*bounds: tuple[str, str]) -> dict[str, Any]:
    rest = {"name": "malloc arena", "certainty": "certain", "basis": "record", "evidence": "seen"}
    return owned(name="mixed", parts=[{"start": start, "end": end} | rest for start, end in bounds])


@given(snapshots(unknowns=True))
def test_what_is_written_is_read_back_exactly(taken: Snapshot) -> None:
    assert json_document.load(dumped(taken), source="x") == taken


@given(snapshots(unknowns=True))
def test_the_quick_way_to_read_gives_what_the_usual_way_gives(taken: Snapshot) -> None:
    rewritten = json.dumps(json.loads(dumped(taken))).encode()  # not as we write it

    assert json_document.load(rewritten, source="x") == json_document.load(dumped(taken), source="x")


@pytest.mark.parametrize(
    "trick",
    [
        pytest.param('"start":"9000"', id="bounds-twice"),
        pytest.param('"label":"},{"start":"0","end":"1"', id="string-left-open"),
        pytest.param('"x":1},{"start":"5000","end":"6000","perms":"rw-p","kind":"heap"', id="two-on-a-line"),
        pytest.param('"x":', id="cut"),
    ],
)
def test_a_line_that_is_no_mapping_is_refused_however_it_looks(trick: str) -> None:
    lines = dumped(snapshot(*mappings("ab"))).decode().split("\n")
    at = next(index for index, line in enumerate(lines) if line.startswith('{"start"'))
    lines[at] = lines[at].replace("},", "," + trick + "},")

    for read in READERS:
        with pytest.raises(DocumentError):
            read("\n".join(lines).encode(), source="x")


PAIR = re.compile(rb'"[a-z_]+": ?(?:"[^"\\]*"|[0-9]+|null|true|false|\[\])(?=[,}])')


@given(snapshots(unknowns=True), st.data())
def test_a_key_that_is_there_twice_is_read_alike_by_both_readers(
    taken: Snapshot, data: st.DataObject
) -> None:
    text = dumped(taken)
    for _ in range(data.draw(st.integers(1, 3))):
        pairs = list(PAIR.finditer(text))
        at = data.draw(st.sampled_from(pairs))
        other = data.draw(
            st.sampled_from([*(found[0] for found in pairs), b'"start":"0"', b'"end":"1"', b'"mappings": []'])
        )
        text = text[: at.start()] + other + b"," + text[at.start() :]

    usual = outcome(lambda: Snapshot.model_validate_json(text))
    assert [outcome(partial(read, text, source="x")) for read in READERS] == [usual] * len(READERS)


def outcome(read: Callable[[], Snapshot]) -> Snapshot | None:
    try:
        return read()
    except (DocumentError, ValidationError):
        return None


@pytest.mark.parametrize("twice", [b'"start":"0"', b'"end":"1"', b'"start":"0","end":"1"', b'"perms":"r--p"'])
def test_bounds_that_are_named_twice_are_those_named_last(twice: bytes) -> None:
    text = dumped(snapshot(*mappings("a"))).replace(b',"perms"', b"," + twice + b',"perms"')

    usual = outcome(lambda: Snapshot.model_validate_json(text))
    assert [outcome(partial(read, text, source="x")) for read in READERS] == [usual] * len(READERS)


@given(snapshots(unknowns=True), snapshots(unknowns=True), st.sampled_from([0, 3, 1000]))
def test_a_reader_that_remembers_reads_the_same(one: Snapshot, other: Snapshot, most: int) -> None:
    reader = json_document.DocumentReader(most=most)

    for taken in (one, other, one):
        assert reader.load(dumped(taken), source="x") == taken
        assert reader.columns(dumped(taken), source="x").whole() == taken


@given(st.lists(snapshots(unknowns=True), min_size=1, max_size=3), st.data())
def test_what_one_origin_announced_another_must_announce_too(
    several: list[Snapshot], data: st.DataObject
) -> None:
    reader = json_document.DocumentReader(remembers=False)
    for taken in several:
        reader.columns(dumped(taken), source="x")
        other = data.draw(st.sampled_from(several)).origin
        text = dumped(taken.model_copy(update={"origin": other}))
        usual = outcome(lambda text=text: Snapshot.model_validate_json(text))
        assert outcome(lambda text=text: reader.columns(text, source="x").whole()) == usual


@pytest.mark.parametrize(
    ("bounds", "part"),
    [
        pytest.param([(1, 3), (2, 4)], (1, 2), id="overlapping"),
        pytest.param([(2, 3), (1, 2)], (2, 3), id="not-in-order"),
        pytest.param([(2, 2)], (1, 2), id="empty"),
        pytest.param([(1, 3), (4, 1 << 53)], (1, 2), id="beyond-64-bits"),
        pytest.param([(1, 3), (4, 6)], (1, 2), id="parts-of-another-mapping"),
    ],
)
def test_what_was_read_before_excuses_no_bounds(bounds: list[tuple[int, int]], part: tuple[int, int]) -> None:
    low, high = part[0] * PAGE, part[1] * PAGE
    owner = Owner("mixed", parts=(Part(low, high, "bss", "certain", "elf", "seen"),))
    plain = Mapping(PAGE, 3 * PAGE, "rw-p")
    reader = json_document.DocumentReader(remembers=False)
    for first in (plain, plain.owned_by(owner)):
        reader.columns(dumped(snapshot(first._replace(start=0, end=9 * PAGE))), source="x")
        moved = [first._replace(start=start * PAGE, end=end * PAGE) for start, end in bounds]
        text = dumped(snapshot().model_copy(update={"mappings": tuple(moved)}))
        usual = outcome(lambda text=text: Snapshot.model_validate_json(text))
        assert outcome(lambda text=text: reader.columns(text, source="x").whole()) == usual


@given(snapshots(unknowns=True))
def test_a_document_has_a_mapping_a_line(taken: Snapshot) -> None:
    lines = [line for line in dumped(taken).splitlines() if line.startswith(b'{"start"')]

    assert len(lines) == len(taken.mappings)


def test_owners_with_parts_survive() -> None:
    part = Part(PAGE, 2 * PAGE, "thread stack", "certain", "register", "its stack pointer", "worker", 7, 4096)
    owned = Mapping(PAGE, 4 * PAGE, "rw-p", owner=Owner("mixed", parts=(part,)))

    assert json_document.load(dumped(snapshot(owned)), source="x").mappings[0] == owned


def test_names_that_are_not_utf8_keep_their_bytes() -> None:
    odd = Mapping(PAGE, 2 * PAGE, "r--s", Kind.FILE, 0, "08:01", "7", "/a\\xff", path_hex="2f61ff")

    assert json_document.load(dumped(snapshot(odd)), source="x").mappings[0] == odd


def test_keys_of_kernels_to_come_are_kept() -> None:
    origin = {"source": "test", "counters": ["rss", "future_huge"], "attributes": ["future_state"]}
    taken = loaded(origin=origin, mappings=[mapping(future_huge=4096, future_state="odd")])

    assert taken.totals["future_huge"] == 4096
    assert json_document.load(dumped(taken), source="x") == taken


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        pytest.param({"mappings": [mapping(nam="x")]}, "$.mappings[0].nam", id="key-nobody-announced"),
        pytest.param({"mappings": [mapping(start=4096)]}, "$.mappings[0].start", id="address-as-number"),
        pytest.param({"mappings": [mapping(start="0x1000")]}, "$.mappings[0].start", id="address-with-0x"),
        pytest.param({"mappings": [mapping(start="3000")]}, "$.mappings[0].start", id="inverted"),
        pytest.param({"mappings": [mapping(), mapping()]}, "$.mappings[1].start", id="overlapping"),
        pytest.param({"mappings": [mapping(perms="rwzp")]}, "$.mappings[0].perms", id="permissions"),
        pytest.param({"mappings": [mapping(kind="toast")]}, "$.mappings[0].kind", id="kind"),
        pytest.param({"mappings": [mapping(rss=-1)]}, "$.mappings[0].rss", id="negative"),
        pytest.param({"mappings": [mapping(rss=1.5)]}, "$.mappings[0].rss", id="fraction"),
        pytest.param({"mappings": [mapping(rss=10**30)]}, "$.mappings[0].rss", id="beyond-64-bits"),
        pytest.param(owned(name="x", nam="y"), "$.mappings[0].owner.nam", id="key-of-an-owner"),
        pytest.param(parted(("1000", "2000"), ("1800", "2000")), PARTS + "[1].start", id="parts-overlapping"),
        pytest.param(parted(("1800", "2000"), ("1000", "1800")), PARTS + "[1].start", id="parts-unordered"),
        pytest.param(parted(("1000", "3000")), PARTS + "[0].start", id="part-beyond-its-mapping"),
        pytest.param({"extra": 1}, "$.extra", id="key-at-the-top"),
        pytest.param({"version": 2}, "$.version", id="newer"),
        pytest.param({"version": True}, "$.version", id="version-that-only-equals-1"),
        pytest.param({"format": "other"}, "$.format", id="foreign"),
        pytest.param({"taken_at": "yesterday"}, "$.taken_at", id="time"),
        pytest.param({"process": {"pid": "12"}}, "$.process.pid", id="pid-as-text"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as refused:
        loaded(**changes)

    assert path in [place for place, _ in refused.value.problems]


def test_every_problem_is_named() -> None:
    with pytest.raises(DocumentError) as refused:
        loaded(label=5, mappings=[mapping(perms="?"), mapping(kind="x", rss="4")])

    assert len(refused.value.problems) == 4


@pytest.mark.parametrize("spoilt", [{}, {"origin": {"source": "test", "counters": [5]}}])
def test_contradictions_are_named_beside_what_is_wrong_by_itself(spoilt: dict[str, Any]) -> None:
    far = {"start": "5000", "end": "7000"}
    mappings = [
        mapping(perms="?"),
        mapping(),
        mapping(),
        mapping(**far, nam=1),
        mapping(end="4000", start="5"),
    ]
    with pytest.raises(DocumentError) as refused:
        loaded(label=5, mappings=mappings, **spoilt)

    paths = {path for path, _ in refused.value.problems}
    assert paths >= {"$.label", "$.mappings[0].perms", "$.mappings[2].start", "$.mappings[4].start"}
    assert ("$.mappings[3].nam" in paths) != bool(spoilt)  # nobody knows then what was announced


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"version": 1e400}',
        b'{"version": ' + b"9" * 100_000 + b"}",
        b'{"format": "vmdiff-snapshot", "version": 1, "' + b"x" * 100_000 + b'": 1}',
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_what_is_no_document_is_refused_in_a_line_or_two(text: bytes) -> None:
    with pytest.raises(DocumentError) as refused:
        json_document.load(text, source="x.json")

    assert all(len(line) < 700 for line in str(refused.value).splitlines())


def test_every_cut_of_a_document_is_refused() -> None:
    whole = dumped(snapshot(*mappings("ab1")))

    for cut in range(0, len(whole) - 2, 7):
        with pytest.raises(DocumentError):
            json_document.load(whole[:cut], source="x.json")


def test_files_are_private_compressed_by_name_and_never_overwritten(tmp_path: Path) -> None:
    taken = snapshot(*mappings("ab1"))
    for name in ("x.json", "x.json.gz"):
        vmdiff.save(taken, tmp_path / name)
        assert vmdiff.load(tmp_path / name) == taken
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        with pytest.raises(OutputError, match="--force"):
            vmdiff.save(taken, tmp_path / name)
        vmdiff.save(taken, tmp_path / name, force=True)
    assert gzip.decompress((tmp_path / "x.json.gz").read_bytes()) == (tmp_path / "x.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "x.json.gz"]


def test_a_gzip_bomb_is_refused_in_bounded_memory() -> None:
    bomb = gzip.compress(b" " * (1 << 24))

    with pytest.raises(InputError, match="unpacks to more"):
        unpacking.unpack(bomb, source="x.gz", largest=1 << 20)


@pytest.mark.parametrize("cut", [5, 20, -4])
def test_damaged_gzip_is_refused(cut: int, tmp_path: Path) -> None:
    (tmp_path / "x.json.gz").write_bytes(gzip.compress(dumped(snapshot(*mappings("ab1"))))[:cut])

    with pytest.raises(InputError, match="gzip"):
        vmdiff.load(tmp_path / "x.json.gz")


def test_the_documents_of_every_version_still_open() -> None:
    kept = sorted((Path(__file__).parent.parent / "fixtures" / "documents").glob("*.json*"))

    assert kept
    for path in kept:
        assert vmdiff.load(path).mappings


def test_half_a_character_is_written_as_a_question_mark() -> None:
    broken = snapshot(Mapping(PAGE, 2 * PAGE, "r--p", Kind.FILE, path="/tmp/\udc80", path_hex="2f746d702f80"))

    read = json_document.load(dumped(broken), source="x").mappings[0]
    assert (read.path, read.path_hex) == ("/tmp/?", "2f746d702f80")


BEGIN = b'{"format":"vmdiff-snapshot","version":1,"origin":{"source":"x"}'
MANY = 450_000
BREAKS = [
    (b'"start"', b'"strat"'),
    (b'"perms"', b'"prems"'),
    (b'"kind"', b'"knid"'),
    (b'"source"', b'"suorce"'),
]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            BEGIN + b',"mappings":[%b]}' % b",".join([b"0"] * MANY), "$.mappings[0]", id="no-mappings"
        ),
        pytest.param(
            BEGIN + b',"process":{"threads":[%b]}}' % b",".join([b"0"] * MANY), "$", id="no-threads"
        ),
        pytest.param(BEGIN + b"".join(b',"k%d":0' % n for n in range(MANY)) + b"}", "$", id="keys"),
        pytest.param(
            BEGIN + b',"mappings":[{"flags":[%b]}]}' % b",".join([b"0"] * MANY), "$.mappings[0]", id="flags"
        ),
        pytest.param(
            BEGIN + b',"mappings":[\n%b\n  ]\n}\n' % b",\n".join([b'{"start":"1","end":"2","x":0}'] * MANY),
            "$.mappings[0].perms",
            id="as-dump-writes-them",
        ),
        pytest.param(
            BEGIN + b',"mappings":[%b]}' % b",".join([b'{"perms":0}'] * 1_000_001),
            "$.mappings",
            id="too-many",
        ),
    ],
)
def test_however_many_problems_there_are_some_are_enough(text: bytes, problem: str) -> None:
    """Gathered all at once they take gigabytes."""
    with pytest.raises(DocumentError) as caught:
        json_document.load(text, source="x")

    assert len(caught.value.problems) <= 1000
    assert caught.value.problems[0][0] == problem
    assert len(str(caught.value)) < 10_000


def test_a_large_document_that_others_wrote_is_read_like_a_small_one() -> None:
    taken = snapshot(*mappings("ab" * 40_000))
    written = b"".join(json_document.dump(taken))
    pretty = written.replace(b",", b" ,\n ")

    assert pretty.count(b",") > 400_000
    assert json_document.load(pretty, source="x") == json_document.load(written, source="x") == taken


def test_a_large_document_with_one_problem_is_refused_with_its_place() -> None:
    written = b"".join(json_document.dump(snapshot(*mappings("ab" * 40_000))))
    pretty = written.replace(b",", b" ,\n ")
    at = pretty.rindex(b'"kind"')
    broken = pretty[:at] + b'"knid"' + pretty[at + 6 :]

    with pytest.raises(DocumentError) as caught:
        json_document.load(broken, source="x")
    assert [path for path, _ in caught.value.problems] == ["$.mappings[79999].kind"]


@given(snapshots(), st.lists(st.tuples(st.sampled_from(BREAKS), st.integers(0, 9)), max_size=4))
def test_problems_found_in_pieces_are_those_found_at_once(
    taken: Snapshot, breaks: list[tuple[tuple[bytes, bytes], int]]
) -> None:
    data = b"".join(json_document.dump(taken))
    for (right, wrong), which in breaks:
        before, *pieces = data.split(right)
        names = [wrong if at == which else right for at in range(len(pieces))]
        data = before + b"".join(name + piece for name, piece in zip(names, pieces, strict=True))
    try:
        json_document.load(data, source="x")
        together = set()
    except DocumentError as error:
        together = set(error.problems)

    apart = set(json_document._piecemeal(data))
    assert apart <= together
    assert bool(apart) == bool(together)  # what was written and then broken contradicts nothing


def test_a_large_document_of_another_tool_is_called_that_and_no_more() -> None:
    text = BEGIN.replace(b"vmdiff-snapshot", b"other") + b',"mappings":[%b]}' % b",".join([b"0"] * MANY)
    with pytest.raises(DocumentError) as caught:
        json_document.load(text, source="x")

    assert [path for path, _ in caught.value.problems] == ["$.format"]


def test_in_pieces_contradictions_are_found_beside_what_is_wrong_by_itself() -> None:
    data = b"".join(json_document.dump(snapshot(*mappings("a.b.c"))))
    data = data.replace(b'"perms":"rw-p"', b'"perms":"rw"', 1).replace(b'"start":"4000"', b'"start":"9000"')
    with pytest.raises(DocumentError) as caught:
        json_document.load(data, source="x")

    assert set(json_document._piecemeal(data)) == set(caught.value.problems)


def test_a_line_is_the_same_whatever_stands_before_it() -> None:
    one = Mapping(1 << 12, 2 << 12, "rw-p", values={"rss": 4096, "pss": 4096})
    other = Mapping(2 << 12, 3 << 12, "rw-p", values={"pss": 4096, "rss": 4096})
    lines = json_document.Lines(json_document._json)

    assert lines([one, other])[1] == json_document.Lines(json_document._json)([other])[0]
