"""What is still told can be looked at before it is told."""

from tests.redaction.test_nothing_left import SECRET, planted
from tests.redaction.worlds import snapshot
from vmdiff.model import Host, Kind, Mapping, Process
from vmdiff.redaction import redact, visible

LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"


def test_what_stays_is_listed_once_with_its_place():
    taken = snapshot(
        Mapping(0x7F0000000000, 0x7F0000001000, "r--p", Kind.IMAGE, path=LIBC, device="fe:00", inode="9"),
        Mapping(0x7F0000001000, 0x7F0000002000, "r-xp", Kind.IMAGE, path=LIBC, device="fe:00", inode="9"),
        Mapping(0x7F0000003000, 0x7F0000004000, "rw-p", path="/home/alice/ledger.db"),
        host=Host(name="wintermute", memory_total=1 << 34),
        process=Process(pid=4711, user="alice"),
    )

    told = {(place, value): times for place, value, times in visible(redact([taken])[0])}

    assert told["mappings[].path", LIBC] == 2
    assert told["process.pid", "4711"] == 1
    assert told["host.memory_total", str(1 << 34)] == 1
    assert ("host.name", "wintermute") not in told
    assert not any(place.startswith(("host.name", "process.user")) for place, _ in told)
    assert not any("inode" in place or "device" in place or place.endswith("start") for place, _ in told)
    (partly,) = [value for place, value in told if place == "mappings[].path" and value != LIBC]
    assert partly.startswith("/home/dir-")
    assert partly.endswith(".db")


def test_an_original_is_redacted_before_it_is_looked_at():
    original = planted()
    unmarked = original.model_copy(update={"origin": original.origin.model_copy(update={"redaction": None})})

    assert SECRET not in str(visible(unmarked))


def test_what_is_listed_is_all_that_stays():
    original, redacted = planted(), redact([planted()])[0]
    texts = {item.value for item in visible(redacted)}

    assert original.process.pid is not None
    assert str(original.process.pid) in texts
    assert "unlimited" in texts
