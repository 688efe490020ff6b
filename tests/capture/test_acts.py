"""What a real process does to its memory is what the comparison says it did."""

import os
from pathlib import Path

import pytest

import vmdiff
from tests.acts import Actor, actor
from vmdiff.comparison.change import Change
from vmdiff.model import Kind, Snapshot

KIB, MIB = 1 << 10, 1 << 20


def snap(process: Actor) -> Snapshot:
    return vmdiff.snap(process.pid, owners=False)


def changes(process: Actor, *acts: tuple[str, object]) -> list[Change]:
    """Have the acts done, and give what differs after them but for the few pages that doing them touched."""
    before = snap(process)
    for word, argument in acts:
        process.act(word, argument)
    found = vmdiff.compare(before, snap(process)).changes
    return [
        change
        for change in found
        if change.change not in {"recounted", "relabelled"}
        and not (change.change == "resident" and change.kind in {Kind.IMAGE, Kind.STACK})
        and not (change.change == "resident" and abs(change.delta["rss"] or 0) < 64 * KIB)
    ]


def test_an_int_in_mallocs_memory_makes_the_heap_appear() -> None:
    with actor() as process:
        [change] = changes(process, ("heap", None))

    assert (change.change, change.kind, change.path) == ("new", Kind.HEAP, "[heap]")
    assert (change.delta["size"], change.delta["rss"]) == (132 * KIB, 4 * KIB)


def test_a_mapped_file_is_new_and_hardly_resident_until_it_is_read(tmp_path: Path) -> None:
    size = 976_564 * KIB  # the article's
    data = tmp_path / "data"
    with data.open("wb") as file:
        file.truncate(size)
    with actor() as process:
        start = snap(process)
        process.act("map", data)
        process.act("peek")
        peeked = snap(process)
        process.act("read")
        whole = snap(process)
    data.unlink()

    [mapped] = [change for change in vmdiff.compare(start, peeked).changes if change.path == str(data)]
    assert (mapped.change, mapped.after[0].perms) == ("new", "r--s")
    assert mapped.delta["size"] == size
    assert mapped.delta["rss"] == 4 * KIB
    reading = vmdiff.compare(peeked, whole)
    [read] = [change for change in reading.changes if change.change not in {"recounted", "relabelled"}]
    assert (read.change, read.path) == ("resident", str(data))
    assert read.delta["rss"] == reading.totals["rss"].delta == size - 4 * KIB


@pytest.mark.parametrize(
    ("prepare", "act", "expected"),
    [
        pytest.param((), "block", ["new"], id="anonymous-block"),
        pytest.param(("block",), "touch", ["resident"], id="block-touched"),
        pytest.param(("block",), "split", ["split"], id="mprotect-in-the-middle"),
        pytest.param(("block", "split"), "join", ["merged"], id="mprotect-undone"),
        pytest.param(("block",), "protect", ["reprotected"], id="mprotect-of-all"),
        pytest.param(("block",), "unmap", ["removed"], id="munmap"),
        pytest.param((), "shared", ["new"], id="shared-anonymous"),
    ],
)
def test_acts_have_their_names(prepare: tuple[str, ...], act: str, expected: list[str]) -> None:
    with actor() as process:
        for word in prepare:
            process.act(word)
        found = [str(change.change) for change in changes(process, (act, None))]

    # An anonymous block may join the one below it: then the neighbour has grown.
    assert found in (expected, [{"new": "grown", "removed": "shrunk"}.get(expected[0], "")])


def test_mremap_is_removed_and_new_or_joined_with_a_neighbour_and_adds_up() -> None:
    with actor() as process:
        process.act("block")
        found = changes(process, ("move", None))

    assert sum(change.delta["size"] or 0 for change in found) == 48 * MIB


def test_a_thread_brings_a_stack_and_its_guard() -> None:
    with actor() as process:
        found = changes(process, ("thread", None))

    stacks = [c for c in found if c.change == "new" and c.after[0].size == 8 * MIB]
    assert len(stacks) == 1
    assert any(c.kind is Kind.RESERVED and c.delta["size"] == 4 * KIB for c in found)


@pytest.mark.parametrize("name", ["plain", "with blank", "a\\012b", "esc\x1b[31m", "ünïcode", "x (deleted)"])
def test_memfds_are_shared_memory_under_their_own_name(name: str) -> None:
    with actor() as process:
        [change] = changes(process, ("memfd", name))

    assert change.kind is Kind.SHARED_MEMORY
    assert change.after[0].deleted
    assert change.path == f"/memfd:{name}"


@pytest.mark.parametrize("name", ["plain", "x (deleted)", "lit\\012eral", "new\nline", "tab\tand\\", "end "])
def test_names_of_files_are_exact_and_deleted_is_settled(name: str, tmp_path: Path) -> None:
    data = tmp_path / name
    data.write_bytes(bytes(8 * KIB))
    if "\n" in name:  # the protocol of the actor has no newlines: reach the file by a link
        (tmp_path / "link").symlink_to(data)
    with actor() as process:
        process.act("map", tmp_path / "link" if "\n" in name else data)
        mapped = snap(process)
        data.unlink()
        unlinked = snap(process)

    def found(taken: Snapshot) -> tuple[str | None, bool]:
        [one] = [m for m in taken.mappings if (m.path or "").startswith(str(tmp_path))]
        return one.path, one.deleted

    assert found(mapped) == (str(data), False)
    assert found(unlinked) == (str(data), True)
    assert mapped.origin.doubts == ()
    # That no link is left is seen through map_files, which only root may follow (proc_pid_map_files(5)).
    assert bool(unlinked.origin.doubts) == (os.geteuid() != 0)


def test_names_that_are_not_utf8_are_kept_in_hex(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe"
    Path(os.fsdecode(raw)).write_bytes(bytes(8 * KIB))
    (tmp_path / "link").symlink_to(os.fsdecode(raw))
    with actor() as process:
        process.act("map", tmp_path / "link")
        taken = snap(process)

    [one] = [m for m in taken.mappings if m.path_hex]
    assert bytes.fromhex(one.path_hex or "") == raw
    assert one.path == f"{tmp_path}/\\xff\\xfe"


def test_exec_is_another_address_space() -> None:
    with actor() as process:
        before = snap(process)
        process.tell("exec /bin/cat")
        while (after := snap(process)).process.name != "cat":
            pass

    assert after.process.start_ticks == before.process.start_ticks
    assert after.process.executable != before.process.executable
