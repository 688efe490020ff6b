"""A pprof profile (gzip-compressed profile.proto): stacks of kind > owner > object, a value a counter.

`snapshot` of each side gives the two files of ``go tool pprof -diff_base before.pb.gz
after.pb.gz``; `comparison` is what pprof itself makes of them, in one file: the samples of the
base negated and labelled ``pprof::base``.

The message is small and frozen (github.com/google/pprof, proto/profile.proto), so it is encoded here
and no dependency is needed. Only two wire types occur: varints and length-delimited.
"""

import gzip
from collections.abc import Iterable, Sequence

from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.tally import Key, Sums
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.profiles.stacks import stacks

# Field numbers of the messages in profile.proto.
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRING_TABLE = 1, 2, 4, 5, 6
_TIME_NANOS, _COMMENT, _DEFAULT_SAMPLE_TYPE = 9, 13, 14

_INT64 = (1 << 63) - 1


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> bytes:  # noqa: ARG001
    """Write one snapshot; counters that it does not know throughout have no column."""
    profile = _Profile([name for name in taken.counters if taken.total(name) is not None])
    profile.add(stacks(taken))
    return profile.packed(taken)


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> bytes:  # noqa: ARG001
    """Write the difference; counters that one side does not know throughout have no column."""
    totals = found.totals
    profile = _Profile([name for name, total in totals.items() if total.delta is not None])
    profile.add(stacks(found.before), base=True)
    profile.add(stacks(found.after))
    return profile.packed(found.after)


class _Profile:
    """The tables of a profile under construction; what is said twice is stored once."""

    def __init__(self, counters: list[str]) -> None:
        self._counters = counters
        self._strings = {"": 0}
        self._frames: dict[str, int] = {}
        self._samples: list[bytes] = []

    def add(self, sums: dict[Key, Sums], *, base: bool = False) -> None:
        """Add a sample for every stack that has any bytes; those of the *base* are taken away."""
        sign = -1 if base else 1
        label = b"".join((_number(1, self._text("pprof::base")), _number(2, self._text("true"))))
        for key, share in sorted(sums.items()):
            values = [sign * min(share.get(name) or 0, _INT64) for name in self._counters]
            if not any(values):
                continue
            # The leaf comes first in a sample.
            stack = _numbers(1, [self._frame(name) for name in reversed(key)])
            self._samples.append(stack + _numbers(2, values) + (_bytes(3, label) if base else b""))

    def packed(self, snapshot: Snapshot) -> bytes:
        """Return the gzip-compressed message; the same profile gives the same bytes."""
        fields = [_bytes(_SAMPLE_TYPE, self._type(counter)) for counter in self._counters]
        fields += [_bytes(_SAMPLE, sample) for sample in self._samples]
        fields += [_bytes(_LOCATION, _location(frame)) for frame in self._frames.values()]
        fields += [_bytes(_FUNCTION, self._function(name, frame)) for name, frame in self._frames.items()]
        if snapshot.taken_at is not None:
            fields.append(_number(_TIME_NANOS, int(snapshot.taken_at.timestamp() * 1_000_000_000)))
        fields.append(_number(_COMMENT, self._text(_title(snapshot))))
        usual = "rss" if "rss" in self._counters else "size"
        fields.append(_number(_DEFAULT_SAMPLE_TYPE, self._text(usual)))
        fields += [_bytes(_STRING_TABLE, text.encode()) for text in self._strings]
        return gzip.compress(b"".join(fields), mtime=0)

    def _type(self, counter: str) -> bytes:
        return _number(1, self._text(counter)) + _number(2, self._text("bytes"))

    def _function(self, name: str, frame: int) -> bytes:
        return _number(1, frame) + _number(2, self._text(name))

    def _frame(self, name: str) -> int:
        return self._frames.setdefault(wording.name(name), len(self._frames) + 1)

    def _text(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))


def _title(snapshot: Snapshot) -> str:
    process = snapshot.process
    return wording.name(f"memory mappings of {process.name or 'a process'} {process.pid or ''}".rstrip())


def _location(frame: int) -> bytes:
    return _number(1, frame) + _bytes(4, _number(1, frame))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _numbers(field: int, values: Iterable[int]) -> bytes:
    return _bytes(field, b"".join(map(_varint, values)))


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Encode a number, seven bits a byte; a negative one as its 64-bit two's complement."""
    value &= (1 << 64) - 1
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
