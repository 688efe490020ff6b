"""The snapshot document: a `Snapshot` as JSON, one mapping a line, and back.

``docs/format.md`` describes it for its readers. Version 1 is the only one so far; a reader accepts
every version that was ever released and refuses anything else with every problem and its path.
"""

import json
import zlib
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from vmdiff.errors import DocumentError, InputError
from vmdiff.model import InvariantError, Mapping, Snapshot
from vmdiff.model.snapshot import FORMAT, VERSION

GZIP = b"\x1f\x8b"
LARGEST = 1 << 30  # bytes of JSON; 60,000 mappings make 12 MB


def dump(snapshot: Snapshot) -> Iterator[bytes]:
    """Write a snapshot as UTF-8 JSON, in pieces: a key a line, a mapping a line."""
    head = snapshot.model_dump(mode="json", exclude={"mappings"})
    lines = [f"  {json.dumps(key)}: {json.dumps(head[key], ensure_ascii=False)}" for key in head]
    yield ("{\n" + ",\n".join(lines) + ',\n  "mappings": [').encode(errors="replace")
    separator = b"\n    "
    for mapping in snapshot.mappings:
        yield separator + _line(mapping)
        separator = b",\n    "
    yield b"\n  ]\n}\n" if snapshot.mappings else b"]\n}\n"


def _line(mapping: Mapping) -> bytes:
    try:
        return to_json(mapping.record())
    except ValueError:  # half a character: `path` is to be printable, `path_hex` is what is exact
        return json.dumps(mapping.record(), ensure_ascii=False).encode(errors="replace")


def compressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Compress a document with gzip; the same document gives the same bytes."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()


def is_document(data: bytes) -> bool:
    """Say whether this looks like a snapshot document (JSON), however broken."""
    return data.lstrip()[:1] in {b"{", b"["}


def load(data: bytes, *, source: str) -> Snapshot:
    """Read a snapshot document; *source* only names the place in errors.

    Raises:
        DocumentError: it is no snapshot of a version that this vmdiff knows, with every problem.
    """
    try:
        return Snapshot.model_validate_json(data)
    except ValidationError as error:
        raise DocumentError(source, _problems(error, data)) from error


def decompress(data: bytes, *, source: str, largest: int = LARGEST) -> bytes:
    """Unpack gzip data, refusing what unpacks to more than *largest* bytes.

    Raises:
        InputError: it is damaged, cut short or too large.
    """
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(data, largest)
    except zlib.error as error:
        raise InputError(f"{source}: damaged gzip data ({error})") from error
    if unpacker.unconsumed_tail:
        raise InputError(f"{source}: unpacks to more than {largest >> 20} MiB; this is no snapshot")
    if not unpacker.eof:
        raise InputError(f"{source}: gzip data cut short")
    return plain


def _problems(error: ValidationError, data: bytes) -> list[tuple[str, str]]:
    found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return [("$", f"not JSON: {found[0]['ctx']['error']}")]
    if newer := _version_problem(data):
        return [newer]
    return [problem for one in found for problem in _problem(one)]


def _problem(one: Any) -> Iterator[tuple[str, str]]:
    cause = one.get("ctx", {}).get("error")
    if isinstance(cause, InvariantError):
        yield from cause.problems
    else:
        yield path_of(one["loc"]), one["msg"]


def _version_problem(data: bytes) -> tuple[str, str] | None:
    """Tell documents of other tools and of later versions from broken ones."""
    document = from_json(data)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return ("$.format", f"not {FORMAT!r}: this is another tool's JSON")
    version = document.get("version")
    if type(version) is int and version > VERSION:
        return ("$.version", f"{version} comes from a newer vmdiff; this one reads up to version {VERSION}")
    return None


def path_of(location: tuple[int | str, ...]) -> str:
    """Write a place in a document as ``$.mappings[3].start``."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
