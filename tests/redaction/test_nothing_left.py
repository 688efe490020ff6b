"""A search of the redacted bytes for every removed text finds none, in any encoding."""

import base64
import gzip
import types
import typing
import urllib.parse
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from tests.redaction.worlds import snapshot
from vmdiff.model import Host, Kind, Mapping, Origin, Owner, Part, Process, Redaction, Snapshot, Thread, Usage
from vmdiff.model.mapping import MappingRecord
from vmdiff.redaction import redact
from vmdiff.redaction.policies import POLICIES
from vmdiff.storage import json_document

SECRET = "Zqxjwvkqh"  # noqa: S105  # in every planted text, and in nothing that the project writes


def planted() -> Snapshot:
    """A snapshot with a secret in every place that takes text, each with another number."""
    numbers = iter(range(100, 1000))

    def secret(form: str = "{}") -> str:
        return form.format(f"{SECRET}{next(numbers)}")

    part = Part(
        0x7F0000003000, 0x7F0000004000, secret(), "certain", "record",
        evidence=secret("record of {} at 7f0000003123"), label=secret(), tid=5, rss=4096,
    )  # fmt: skip
    owner = Owner(secret(), None, None, secret("found by {}"), secret("arena {}"), 5, (part,))
    counter, attribute = secret("{}_rss"), secret("name_{}")
    exact = f"/home/{SECRET}/b\udcffd".encode("utf-8", "surrogateescape").hex()
    return Snapshot(
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        label=secret(),
        tags={secret(): secret()},
        origin=Origin(
            source=secret(), tool=secret(), detail="smaps", doubts=(secret("read by {} on a Sunday"),),
            counters=("rss", counter), attributes=(attribute, "thp_eligible"), owners=True,
            redaction=Redaction(run=secret()),
        ),
        host=Host(
            name=secret(), system=secret(), kernel=secret("6.18.44-{}"), machine=secret(), page_size=4096,
            boot_id=secret(), transparent_hugepages=secret(),
        ),
        process=Process(
            pid=1, pid_namespace=secret(), name=secret(), executable=secret("/opt/{}/bin/x"), role=secret(),
            arguments=(secret("--password={}"), secret()), user=secret(), threads=(Thread(tid=1, name=secret()),),
            limits={secret(): "unlimited", "stack": 8 << 20}, cgroup=secret("/docker/{}"),
        ),
        rollup={"rss": 4096, secret(): 1},
        usage=(
            Usage(
                owner=secret(), label=secret("arena of {}"), source=secret("glibc of {}"), certainty="certain",
                types=((secret(), 1, 2),), partial=secret("{} moved"),
            ),
        ),
        mappings=(
            Mapping(0x7F0000000000, 0x7F0000001000, "r--p", Kind.FILE, 0, secret(), "86420975318", secret("/home/{}/x.db"),
                    True, exact, "abcdef0123456789", (secret(),), None, {counter: 1, attribute: secret()}),
            Mapping(0x7F0000003000, 0x7F0000005000, "rw-p", owner=owner, path=secret("[anon:{}]")),
            *(
                Mapping(0x7F0000010000 + 0x1000 * at, 0x7F0000011000 + 0x1000 * at, "rw-s", Kind.FILE, path=secret(path))
                for at, path in enumerate(PATHS)
            ),
        ),
    )  # fmt: skip


PATHS = (
    "/memfd:{}",
    "/dev/shm/{}",
    "/dmabuf:{}",
    "anon_inode:{}",
    "[{}]",
    "[anon_shmem:{}]",
    "[anon: glibc: .bss /home/{}/lib/libx.so]",
    "[anon:dalvik-/data/app/{}/base.apk]",
    "/usr/lib/{}\u202e/x.so",
    "/usr/lib/../../home/{}/libc.so.6",
    "/home/{}/libc.so.6",
    "/root/{}.so",
    "/Users/{}/Library/a.dylib",
    "C:\\Users\\{}\\AppData\\Local\\Temp\\x.dll",
    "D:\\{}\\a.exe",
    "//server/{}/x",
    "relative/{}.so",
    "{}",
    "/a b/{} (deleted)",
    "/opt/x.{}",
    "/opt/\n{}\n.so",
    "/var/lib/docker/overlay2/{}/merged/usr/lib/libc.so.6",
    "/nix/store/{}-glibc-2.40/lib/libc.so.6",
)


def encodings(text: str) -> Iterator[bytes]:
    plain = text.encode()
    for form in (text, text.lower(), text.upper(), text[::-1]):
        yield form.encode()
        yield form.encode("utf-16-le")
        yield form.encode("utf-16-be")
        yield form.encode().hex().encode()
        yield urllib.parse.quote("".join(f"%{byte:02X}" for byte in form.encode())).encode()
    for lead in range(3):  # base64 of the text at each place in a group of three bytes
        whole = base64.b64encode(b"\0" * lead + plain)
        yield whole[4:-4]
        yield base64.urlsafe_b64encode(b"\0" * lead + plain)[4:-4]
    yield "".join(f"\\u{ord(letter):04x}" for letter in text).encode()
    yield "".join(f"&#{ord(letter)};" for letter in text).encode()
    yield text.translate(
        str.maketrans({letter: chr(ord("a") + (ord(letter) - 84) % 26) for letter in text})
    ).encode()


def test_no_planted_secret_survives_in_any_encoding():
    whole = b"".join(json_document.dump(redact([planted()])[0]))

    assert SECRET.casefold() not in whole.decode().casefold()
    for form in encodings(SECRET):
        assert len(form) >= 3
        assert form not in whole, form
    for number in ("86420975318", "abcdef0123456789", "7f0000003123"):
        assert number.encode() not in whole


def test_what_was_redacted_is_a_document_that_loads():
    redacted = redact([planted()])[0]

    packed = b"".join(json_document.compressed(json_document.dump(redacted)))
    assert json_document.load(gzip.decompress(packed), source="x") == redacted


def test_the_plant_leaves_no_place_out():
    """Every field of text is planted: a new one fails here until somebody says what becomes of it."""
    bare = {"kind", "perms", "start", "end"}  # limited to a few values, or addresses
    whole = b"".join(json_document.dump(planted())).decode()
    models = (Snapshot, Origin, Host, Process, Thread, Redaction, Usage)
    for model in models:
        for name, field in model.model_fields.items():
            if _takes_text(field.annotation):
                assert f'"{name}"' in whole
                assert _leaf(planted(), model, name) is not None, f"{model.__name__}.{name} is not planted"
    for thing in (Owner, Part):
        example = planted().mappings[1].owner
        assert example
        example = example if thing is Owner else example.parts[0]
        for field in fields(thing):
            if _takes_text(field.type):
                assert SECRET in str(getattr(example, field.name)), (
                    f"{thing.__name__}.{field.name} is not planted"
                )
    keys = set().union(*(mapping.record() for mapping in planted().mappings))
    for name, type_ in MappingRecord.__annotations__.items():
        if name not in bare and _takes_text(type_):
            assert name in keys, f"{name} of a mapping is not planted"


def _takes_text(type_: object) -> bool:
    if type_ is str:
        return True
    if typing.get_origin(type_) is typing.Literal or type_ is Kind:
        return False
    return any(map(_takes_text, typing.get_args(type_)))


def _leaf(value: object, model: type, name: str) -> object:
    """Find a planted value of ``model.name`` anywhere in a document."""
    if isinstance(value, model) and getattr(value, name):
        return getattr(value, name)
    if isinstance(value, BaseModel):
        value = [getattr(value, field) for field in type(value).model_fields]
    if isinstance(value, list | tuple):
        return next((found for item in value if (found := _leaf(item, model, name)) is not None), None)
    return None


def test_every_text_of_the_facts_has_a_policy():
    assert set(_places(Snapshot, "")) == set(POLICIES)


def _places(type_: object, place: str) -> Iterator[str]:
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        for name, field in type_.model_fields.items():
            if place or name not in {"mappings", "pages"}:  # done elsewhere, and left out
                yield from _places(field.annotation, f"{place}.{name}".removeprefix("."))
        return
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if type_ is str or (origin is typing.Literal and any(isinstance(value, str) for value in arguments)):
        yield place
    elif origin is tuple:
        yield from _places(arguments[0], f"{place}[]")
    elif origin is dict:
        yield from _places(arguments[0], f"{place}{{}}")
        yield from _places(arguments[1], f"{place}{{}}.")
    elif origin in {typing.Annotated, typing.Union, types.UnionType}:
        for argument in arguments if origin is not typing.Annotated else arguments[:1]:
            yield from _places(argument, place)


def test_a_place_without_a_policy_fails_instead_of_leaking():
    class Other(Process):
        nickname: str = "x"

    strange = snapshot().model_copy(update={"process": Other(nickname="alice")})

    with pytest.raises(KeyError, match="nickname"):
        redact([strange])


def test_names_of_people_and_machines_are_found_in_names_that_would_stay():
    named = snapshot(
        Mapping(0x1000, 0x2000, "r-xp", Kind.IMAGE, path="/usr/lib/acme/libalice-2.so"),
        Mapping(0x3000, 0x4000, "r-xp", Kind.IMAGE, path="/usr/lib/plugin-of-wintermute.so"),
        Mapping(0x5000, 0x6000, "r-xp", Kind.IMAGE, path="/usr/lib/Bob/x.so"),
        Mapping(0x7000, 0x8000, "r-xp", Kind.IMAGE, path="/usr/lib/bobcat.so"),
        Mapping(0x9000, 0xA000, "rw-p", path="[anon: malloc by bob]"),
        Mapping(0xB000, 0xC000, "rw-p", path="/home/carol7/x"),
        process=Process(user="alice"),
        host=Host(name="wintermute.example.org"),
        rollup={"bob_rss": 1},
    )
    named = named.model_copy(
        update={"mappings": (*named.mappings, Mapping(0xD000, 0xE000, "r-xp", path="/Users/Bob/x"))}
    )

    whole = b"".join(json_document.dump(redact([named])[0])).decode()

    assert "bobcat" in whole
    for word in ("alice", "wintermute", "example.org", "Bob/", "by bob", "bob_rss", "carol7"):
        assert word not in whole, word


def test_everything_differs_from_one_run_to_the_next():
    first, second = redact([planted()])[0], redact([planted()])[0]

    assert first.origin.redaction != second.origin.redaction
    assert first.host.boot_id != second.host.boot_id
    for one, other in zip(first.mappings, second.mappings, strict=True):
        assert one.start != other.start
        assert one.path != other.path


def test_the_same_key_gives_the_same_names_at_any_time():
    one, other = redact([planted()], key=b"k")[0], redact([planted(), planted()], key=b"k")[1]
    third = redact([planted()], key=b"K")[0]

    assert one == other
    assert one.origin.redaction != third.origin.redaction
    assert not {m.path for m in one.mappings} & {m.path for m in third.mappings}


def test_a_redacted_snapshot_can_be_redacted_again():
    once = redact([planted()])[0]
    twice = redact([once])[0]

    assert twice.origin.redaction != once.origin.redaction
    assert [m.size for m in twice.mappings] == [m.size for m in once.mappings]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 65_000 + "x", id="nearly-a-hash"),
        pytest.param("1" * 65_000 + "x", id="nearly-a-version"),
        pytest.param("1a" * 32_000, id="all-numbers"),
        pytest.param("-1" * 32_000, id="all-versions"),
        pytest.param("/a" * 32_000, id="deep"),
        pytest.param("/home/" * 10_000, id="homes"),
        pytest.param(".so" * 21_000, id="all-extensions"),
        pytest.param("[" * 65_000, id="brackets"),
        pytest.param("… " * 32_000, id="holes"),
    ],
)
@pytest.mark.timeout(20)
def test_hostile_texts_cost_no_more_than_others(text):
    prefixes = ("", "/", "/tmp/", "/usr/lib/", "/memfd:", "[anon:", "anon_inode:", "C:\\Windows\\System32\\")
    taken = snapshot(
        *(Mapping(n << 12, n + 1 << 12, "rw-p", path=(p + text)[:65_536]) for n, p in enumerate(prefixes, 16)),
        Mapping(1 << 20, 2 << 20, "rw-p", owner=Owner(text, "certain", "name", text, text)),
        label=text, tags={"version": text}, host=Host(name=text, kernel=text),
        process=Process(name=text, user=text, cgroup=text, executable=text, arguments=(text,)),
        origin=Origin(source="maps", doubts=(text,)),
    )  # fmt: skip

    redacted = redact([taken])[0]

    assert json_document.load(b"".join(json_document.dump(redacted)), source="x") == redacted
