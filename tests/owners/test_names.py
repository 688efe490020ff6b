"""Names that runtimes and the kernel give say whose the memory is.

This kernel may lack CONFIG_ANON_VMA_NAME, so the lines are written as others print them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmdiff.model import Mapping, Origin, Snapshot, kind_of
from vmdiff.owners import RULES, Scene, assign


def named(path: str, perms: str = "rw-p", *, placed: bool = True) -> Mapping:
    bounds = (0x7F0000000000, 0x7F0000100000) if placed else (None, None)
    mapping = Mapping(*bounds, perms, kind_of(path, perms), path=path)
    seen = assign(Scene(Snapshot(origin=Origin(source="test"), mappings=(mapping,))), RULES)
    return seen.mappings[0]


@pytest.mark.parametrize(
    ("path", "name", "label", "tid"),
    [
        ("[anon: glibc: malloc arena]", "malloc arena", None, None),
        ("[anon: glibc: malloc]", "malloc large block", None, None),
        ("[anon: glibc: loader malloc]", "loader", None, None),
        ("[anon: glibc: pthread stack: 4711]", "thread stack", None, 4711),
        ("[anon: glibc: pthread user stack: 4711]", "thread stack", None, 4711),
        ("[anon: glibc: unused stack]", "thread stack", "unused", None),
        ("[anon: .bss /usr/lib/libz.so.1]", "bss", "/usr/lib/libz.so.1", None),
        ("[anon:.bss]", "bss", None, None),
        ("[anon: glibc: getrandom states]", "named", "glibc: getrandom states", None),
        ("[anon: Go: heap]", "go heap", "heap", None),
        ("[anon: Go: heap reservation]", "go heap", "heap reservation", None),
        ("[anon: Go: allspans array]", "go runtime", "allspans array", None),
        ("[anon:mimalloc]", "mimalloc", None, None),
        ("[anon:jemalloc_pg_overcommit]", "jemalloc", "jemalloc_pg_overcommit", None),
        ("[anon:tcmalloc_region_NORMAL]", "tcmalloc", "NORMAL", None),
        ("[anon:cpython:jit]", "jit code", "jit", None),
        ("[anon:cpython:pymalloc]", "python arena", "pymalloc", None),
        ("[anon:cpython:other]", "named", "cpython:other", None),
        ("[anon:OCaml: major heap]", "ocaml heap", "major heap", None),
        ("[anon:v8]", "v8 heap", None, None),
        ("[anon:partition_alloc]", "partition alloc", "partition_alloc", None),
        ("[anon:scudo:primary]", "scudo", "primary", None),
        ("[anon:libc_malloc]", "malloc heap", "libc_malloc", None),
        ("[anon:GWP-ASan Guard Page]", "gwp-asan", "GWP-ASan Guard Page", None),
        ("[anon:stack_and_tls:812]", "thread stack", None, 812),
        ("[anon:stack_and_tls:main]", "main stack", "main", None),
        ("[anon:linker_alloc_small_objects]", "loader", "linker_alloc_small_objects", None),
        ("[anon:dalvik-main space (region space)]", "art heap", "main space (region space)", None),
        ("[anon:dalvik-jit-code-cache]", "jit code", "jit-code-cache", None),
        ("[anon:dalvik-indirect ref table]", "art runtime", "indirect ref table", None),
        ("[anon:my cache]", "named", "my cache", None),
        ("[anon:with ] bracket]", "named", "with ] bracket", None),
        ("[stack]", "main stack", None, None),
        ("[stack:1234]", "thread stack", None, 1234),
        ("[heap]", "malloc heap", None, None),
        ("[vdso]", "kernel", "vdso", None),
        ("/SYSV0052e2c1", "sysv shared memory", "0052e2c1", None),
        ("/dev/shm/PostgreSQL.1", "posix shared memory", "PostgreSQL.1", None),
        ("/memfd:wayland cursor", "memfd", "wayland cursor", None),
        ("/memfd:doublemapper", "jit code", "doublemapper", None),
        ("anon_inode:[io_uring]", "io_uring", "rings", None),
        ("anon_inode:bpf-map", "bpf", "bpf-map", None),
        ("/[aio]", "asynchronous io", "aio", None),
        ("/dev/nvidia0", "gpu", "nvidia0", None),
        ("/dev/dri/renderD128", "gpu", "dri/renderD128", None),
        ("/drm mm object", "gpu", "drm mm object", None),
    ],
)
@pytest.mark.parametrize("placed", [True, False], ids=["placed", "without addresses"])
def test_a_name_gives_the_owner_away(
    path: str, name: str, label: str | None, tid: int | None, placed: bool
) -> None:
    owner = named(path, placed=placed).owner

    assert owner is not None
    assert (owner.name, owner.label, owner.tid) == (name, label, tid)
    assert (owner.basis, owner.certainty) == ("name", "certain")


def test_shared_memory_without_a_file_is_named_by_the_kernel() -> None:
    owner = named("/dev/zero", "rw-s").owner

    assert owner is not None
    assert owner.name == "shared anonymous"
    assert named("/dev/zero", "rw-p").owner is None, "a private mapping of it is plain memory"


@pytest.mark.parametrize(
    "path", ["/usr/lib/libc.so.6", "/var/lib/data.mdb", "/tmp/[heap]", "/home/x/[anon: glibc: malloc]"]
)
def test_files_have_no_owner_whatever_they_are_called(path: str) -> None:
    assert named(path).owner is None


@given(st.text(max_size=80))
def test_any_name_is_a_label_or_known(text: str) -> None:
    owner = named(f"[anon:{text}]").owner

    assert owner is not None
    assert owner.certainty == "certain"
