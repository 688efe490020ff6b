"""What is everybody's stays; other names become pseudonyms that keep relations and extensions."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from vmdiff.redaction.paths import Paths
from vmdiff.redaction.pseudonyms import Pseudonyms
from vmdiff.redaction.texts import cgroup, device, inode, kernel, sentence

NAMES = Pseudonyms(b"key")
TAG = re.compile(r"-[ghjklmnpqrstvwxz]{12,}")
NUMBER = re.compile(r"(?<![a-z0-9])[0-9]{9}(?![0-9])|[0-9a-f]{12}")


def shape(text: str) -> str:
    """Replace what identifies a pseudonym, and its numbers: ``dir-kqzvhtmwxgjn`` is ``dir-*``."""
    return NUMBER.sub("#", TAG.sub("-*", text))


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/usr/bin/redis-server",
        "/lib64/ld-linux-x86-64.so.2",
        "/usr/lib/locale/C.utf8/LC_CTYPE",
        "/usr/share/fonts/truetype/dejavu/DejaVuSans Bold.ttf",
        "/system/lib64/libandroid_runtime.so",
        "/apex/com.android.art/lib64/libart.so",
        "/System/Library/Frameworks/AppKit.framework/Versions/C/AppKit",
        "C:\\Windows\\System32\\ntdll.dll",
        "[heap]",
        "[stack:4711]",
        "[anon: glibc: malloc arena]",
        "[anon: Go: heap reservation]",
        "[anon:dalvik-main space]",
        "[anon:scudo:primary]",
        "[anon: glibc: .bss /usr/lib/libz.so.1]",
        "/dev/zero",
        "/dev/nvidia0",
        "/dev/dri/renderD128",
        "anon_inode:[io_uring]",
        "/SYSV00000000",
        "/anon_hugepage",
    ],
)
def test_what_everybody_has_stays(path):
    assert Paths(NAMES)(path) == path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/alice/lib/libacme.so.1.2", "/home/dir-*/lib/file-*.so.1.2"),
        ("/home/alice/libc.so.6", "/home/dir-*/libc.so.6"),
        ("/home/lib/x.db", "/home/dir-*/file-*.db"),
        ("/root/x", "/dir-*/file-*"),
        ("/Users/alice/Library/a b.dylib", "/Users/dir-*/Library/file-*.dylib"),
        ("C:\\Users\\alice\\AppData\\x.dll", "C:\\Users\\dir-*\\AppData\\file-*.dll"),
        ("/opt/acme/python3.11/site-packages/m.cpython-311-x86_64-linux-gnu.so",
         "/opt/dir-*/python3.11/site-packages/file-*.cpython-311-x86_64-linux-gnu.so"),
        ("/opt/data.acmecorp", "/opt/file-*"),
        ("/usr/lib/../../home/alice/x.so", "/usr/lib/dir-*/dir-*/home/dir-*/file-*.so"),
        ("/usr/local/lib/libacme.so", "/usr/local/lib/file-*.so"),
        ("/usr/lib/\x1b[31mx", "/usr/lib/file-*37k"),
        ("/usr/lib/debug/.build-id/ab/cdef0123456789abcdef0123", "/usr/lib/debug/.build-id/ab/file-*#"),
        ("/memfd:frames", "/memfd:memfd-*"),
        ("/dev/shm/alice.1", "/dev/shm/file-*.1"),
        ("/tmp/alice-4711-20240115", "/tmp/file-*-#-#"),
        ("/opt/lib2acme3-1.24.333.so.5", "/opt/file-*9k8-1.24.333.so.5"),
        ("/opt/acme-1.0-beta", "/opt/file-*-1.0-#"),
        ("/dmabuf:alice", "/dmabuf:name-*"),
        ("[anon:alice's cache]", "[anon:name-*]"),
        ("[anon: glibc: .bss /home/alice/x.so]", "[anon: glibc: .bss /home/dir-*/file-*.so]"),
        ("[alice]", "[name-*]"),
        ("libacme.so", "file-*.so"),
        ("libpthread-2.31.so", "libpthread-2.31.so"),
        ("", ""),
        ("/", "/"),
        ("//", "//"),
    ],
)  # fmt: skip
def test_other_names_become_pseudonyms(path, expected):
    assert shape(Paths(NAMES)(path)) == expected


def test_the_same_name_is_the_same_pseudonym_in_every_directory():
    paths = Paths(NAMES)
    one, other = paths("/home/alice/v1/libacme.so.1"), paths("/opt/alice/libacme.so.2")

    assert one.split("/")[2] == other.split("/")[2]
    assert one.rpartition("/")[2][:-1] == other.rpartition("/")[2][:-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arena 3", "arena 3"),
        ("main thread", "main thread"),
        ("libacme.so.1", "name-*.so.1"),
        ("libc.so.6", "libc.so.6"),
        (".bss /home/alice/x.so", ".bss /home/dir-*/file-*.so"),
        ("worker of alice", "name-*"),
        ("DefaultMallocZone_0x104c98000", "name-*7k#"),
        ("zebra/b", "name-*"),
        ("rwx/rwx", "rwx/rwx"),
        ("rwxp", "rwxp"),
    ],
)
def test_a_label_is_told_if_all_of_it_is_public(text, expected):
    assert shape(Paths(NAMES).label(text)) == expected


def test_a_listing_of_base_names_keeps_those_that_a_system_directory_holds():
    paths = Paths(NAMES, ["libacme.so"], everywhere=True)

    assert paths("libacme.so") == "libacme.so"
    assert paths("/opt/libacme.so") == "/opt/libacme.so"
    assert Paths(NAMES, ["libacme.so"])("libacme.so") == "libacme.so"
    assert shape(Paths(NAMES, ["libacme.so"])("/opt/libacme.so")) == "/opt/file-*.so"


@given(st.sets(st.text("a/.\\so1-2_[]", max_size=10), max_size=60))
@settings(max_examples=times(300))
def test_different_paths_stay_different(originals):
    paths = Paths(NAMES, ["libacme.so"], everywhere=True)

    assert len({paths(path) for path in originals}) == len(originals)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the rows' rss adds up to 1,234 bytes, the listing says 5", "the rows' rss adds up to 1,234 bytes, the listing says 5"),
        ("lines 3 and 7: cut off in the middle of a row: 'acme 1234567'", "lines 3 and 7: cut off in the middle of a row: '…'"),
        ("/home/alice/x may have been deleted", "… may have been deleted"),
        ("read by alice", "read by …"),
        ("at 7f1234567000", "at …"),
        ("inode 2146353 of libacme", "inode … of …"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_doubt_keeps_its_own_words(text, expected):
    assert sentence(NAMES, text) == expected


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("6.18.44", "6.18.44"),
        ("6.1.0-18-amd64", "6.1.0-18-amd64"),
        ("5.15.153.1-microsoft-standard-WSL2", "5.15.153.1-microsoft-standard-WSL2"),
        ("4.18.0-553.el8_10.x86_64", "4.18.0-553.el8_10.x86_64"),
        ("6.8.0-acme.prod", "6.8.0-kernel-*"),
        ("acme", "kernel-*"),
    ],
)
def test_a_kernel_keeps_its_numbers(release, expected):
    assert shape(kernel(NAMES, release)) == expected


def test_numbers_of_files_are_pseudonyms_and_none_stays_none():
    assert inode(NAMES, "0") == "0"
    assert device(NAMES, "00:00") == "00:00"
    assert re.fullmatch("[1-9][0-9]{0,19}", inode(NAMES, "2146353"))
    assert re.fullmatch("[0-9a-f]{2,3}:[0-9a-f]{2,5}", device(NAMES, "fe:00"))
    assert len({inode(NAMES, str(number)) for number in range(1000)}) == 1000


def test_a_control_group_keeps_the_names_of_the_machinery():
    path = "/system.slice/docker/0123456789abcdef/init.scope"

    assert shape(cgroup(NAMES, path)) == "/system.slice/docker/cgroup-*/init.scope"
