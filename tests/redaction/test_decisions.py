"""What becomes of every field of the model when it is redacted is decided here, one by one.

A field that is added to the model fails these tests until somebody has decided.
"""

import dataclasses
from typing import Any

import pytest
from pydantic import BaseModel

from vmdiff.model import Kind, Mapping, Origin, Owner, Part, Process, Redaction, Snapshot, Thread, Usage
from vmdiff.model.held_memory import CachedFile
from vmdiff.model.owner import Unclaimed
from vmdiff.model.page_map import PAGE_COUNTERS
from vmdiff.model.snapshot import Host, UnmappedFile
from vmdiff.model.snapshot_set import ControlGroup, Missing, SnapshotSet
from vmdiff.redaction import redact

KEPT = "kept"  # numbers, times and words of which the model allows only a few
PUBLIC = "public words stay, the rest becomes a pseudonym"
GONE = "left out"
OTHER = "a pseudonym, or a number or address that stands for it"
INSIDE = "a model of its own"

_COUNTED = ("rss", "swap", "private", *PAGE_COUNTERS)

DECISIONS: dict[type, dict[str, str]] = {
    Snapshot: {
        **dict.fromkeys(("format", "version", "taken_at"), KEPT),
        **dict.fromkeys(("label",), OTHER),
        **dict.fromkeys(("tags", "rollup"), PUBLIC),
        **dict.fromkeys(("origin", "host", "process", "usage", "mappings"), INSIDE),
        "pages": GONE,  # fingerprints are of contents, and their key is another one
    },
    Origin: {
        **dict.fromkeys(("detail", "seconds", "frozen_seconds", "attempts", "consistent", "owners"), KEPT),
        **dict.fromkeys(("source", "tool", "doubts", "counters", "attributes"), PUBLIC),
        "redaction": INSIDE,
    },
    Redaction: {"run": OTHER},
    Host: {
        **dict.fromkeys(
            ("page_size", "memory_total", "swap_total", "overcommit_memory", "max_map_count"), KEPT
        ),
        **dict.fromkeys(("system", "kernel", "machine", "transparent_hugepages"), PUBLIC),
        **dict.fromkeys(("name", "boot_id"), OTHER),
    },
    Process: {
        **dict.fromkeys(
            ("pid", "own_pid", "parent", "start_ticks", "started_at", "minor_faults", "major_faults"), KEPT
        ),
        **dict.fromkeys(("page_tables", "peak_size", "peak_rss"), KEPT),
        **dict.fromkeys(("name", "executable", "role", "limits", "cgroup"), PUBLIC),
        **dict.fromkeys(("pid_namespace", "arguments", "user"), OTHER),
        **dict.fromkeys(("threads", "unmapped_files"), INSIDE),
    },
    SnapshotSet: {
        **dict.fromkeys(("format", "version", "taken_at"), KEPT),
        "label": OTHER,
        "tags": PUBLIC,
        **dict.fromkeys(("members", "cgroup", "missing"), INSIDE),
    },
    ControlGroup: {
        **dict.fromkeys(("version", "current", "max", "high", "peak"), KEPT),
        **dict.fromkeys(("path", "events", "stat"), PUBLIC),
        "files": INSIDE,
    },
    CachedFile: {
        **dict.fromkeys(("size", "cached", "dirty", "mapped", "in_memory"), KEPT),
        "path": PUBLIC,
    },
    Missing: {"pid": KEPT, "name": OTHER, "reason": PUBLIC},
    Thread: {"tid": KEPT, "name": OTHER},
    UnmappedFile: {**dict.fromkeys(("memfd", "size", "held"), KEPT), "path": PUBLIC},
    Usage: {
        **dict.fromkeys(("tid", "certainty", "in_use", "free", "cached", "overhead", "releasable"), KEPT),
        **dict.fromkeys(("reserved", "blocks", "sizes", "types_certainty"), KEPT),
        **dict.fromkeys(("owner", "label", "source", "types", "partial"), PUBLIC),
    },
    Mapping: {
        **dict.fromkeys(("perms", "kind", "offset", "deleted"), KEPT),
        **dict.fromkeys(("path", "build_id", "flags", "values"), PUBLIC),
        **dict.fromkeys(("start", "end", "device", "inode"), OTHER),
        "path_hex": GONE,  # the pseudonym is all there is of a path
        "owner": INSIDE,
    },
    Owner: {
        **dict.fromkeys(("certainty", "basis", "tid"), KEPT),
        **dict.fromkeys(("name", "label"), PUBLIC),
        "evidence": OTHER,
        **dict.fromkeys(("parts", "rest"), INSIDE),
    },
    Unclaimed: {**dict.fromkeys(_COUNTED, KEPT), **dict.fromkeys(("start", "end"), OTHER)},
    Part: {
        **dict.fromkeys(("certainty", "basis", "tid", *_COUNTED), KEPT),
        **dict.fromkeys(("name", "label"), PUBLIC),
        **dict.fromkeys(("start", "end", "evidence"), OTHER),
    },
}


def fields(model: type) -> set[str]:
    if issubclass(model, BaseModel):
        return set(model.model_fields)
    if dataclasses.is_dataclass(model):
        return {field.name for field in dataclasses.fields(model)}
    return set(model._fields)  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", DECISIONS, ids=lambda model: model.__name__)
def test_every_field_is_decided(model: type) -> None:
    assert fields(model) == set(DECISIONS[model])


SECRET = "hunter22"  # noqa: S105
PART = Part(
    0x400000, 0x401000, SECRET, "certain", "record", SECRET, SECRET, 4711, 4096, 8192, 4096, 4096, 4096, 4096
)
REST = Unclaimed(0x401000, 0x402000, 4096, 8192, 4096, 4096, 4096, 4096)
MAPPING = Mapping(
    0x400000,
    0x402000,
    "rw-p",
    Kind.ANONYMOUS,
    4096,
    "fe:00",
    "77",
    f"/home/{SECRET}/\udcff",
    deleted=True,
    path_hex=f"/home/{SECRET}/".encode().hex() + "ff",
    build_id="c0ffee" * 6,
    flags=("rd", SECRET),
    owner=Owner("mixed", "certain", "record", SECRET, SECRET, 4711, (PART,), (REST,)),
    values={"rss": 8192, SECRET: 4096},
)


def test_what_is_decided_is_what_happens() -> None:
    taken = Snapshot(origin=Origin(source="x", counters=("rss", SECRET)), mappings=(MAPPING,))
    (redacted,) = redact([taken])
    (mapping,) = redacted.mappings
    assert mapping.owner
    (part,) = mapping.owner.parts
    (rest,) = mapping.owner.rest

    assert SECRET not in redacted.model_dump_json()
    assert MAPPING.owner
    pairs: list[tuple[type, Any, Any]] = [
        (Mapping, MAPPING, mapping),
        (Owner, MAPPING.owner, mapping.owner),
        (Part, PART, part),
        (Unclaimed, REST, rest),
    ]
    for model, before, after in pairs:
        for field, decision in DECISIONS[model].items():
            one, other = getattr(before, field), getattr(after, field)
            assert one, f"{model.__name__}.{field} has a value here"
            assert (one == other) == (decision == KEPT or (field, one) == ("name", "mixed")), field
            assert bool(other) == (decision != GONE), field


@pytest.mark.parametrize("name", ["filer", "file", "fil", "f", "dir", "d", "program", "path", "lib", "name"])
def test_a_process_whose_program_is_not_public_has_a_pseudonym(name: str) -> None:
    path = f"/home/bob/secret/{name}"
    taken = Snapshot(
        origin=Origin(source="x"),
        process=Process(name=name, executable=path),
        mappings=(Mapping(0x10000, 0x20000, "r-xp", Kind.IMAGE, 0, "1:1", "5", path),),
    )
    for key in (None, b"key"):
        (redacted,) = redact([taken], key=key)
        assert redacted.process.name
        assert redacted.process.name.startswith("program-")
        assert redacted.process.executable
        assert not redacted.process.executable.endswith(f"/{name}")


@pytest.mark.parametrize(
    ("name", "path"),
    [("redis-server", "/usr/bin/redis-server"), ("systemd-resolve", "/usr/lib/systemd/systemd-resolved")],
)
def test_a_process_of_a_public_program_keeps_its_name(name: str, path: str) -> None:
    taken = Snapshot(
        origin=Origin(source="x"),
        process=Process(name=name, executable=path),
        mappings=(Mapping(0x10000, 0x20000, "r-xp", Kind.IMAGE, 0, "1:1", "5", path),),
    )
    (redacted,) = redact([taken])

    assert (redacted.process.name, redacted.process.executable) == (name, path)
