"""`record --openmetrics`: the latest point for a collector, whole, readable, and gone when nothing is known."""

import stat

from prometheus_client.parser import text_string_to_metric_families

import vmdiff
from tests.recording.programs import Pace, obedient
from vmdiff.cli.gauge_file import GaugeFile


def resident(file):
    return [
        sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
        if sample.name == "vmdiff_process_bytes" and sample.labels["counter"] == "rss"
    ]


def test_each_point_is_in_the_file_when_it_is_passed_on(tmp_path):
    file = tmp_path / "server.prom"
    with obedient() as program:
        points = vmdiff.record(program.pid, count=3, pacer=Pace(at_15=lambda: program.grow(8)))
        for point in GaugeFile(file, str(program.pid), 5).kept(points):
            assert resident(file) == [point.snapshot.total("rss")]
            assert stat.S_IMODE(file.stat().st_mode) == 0o644
            assert [left.name for left in tmp_path.iterdir()] == [file.name]

    assert not file.exists()


def test_the_command_leaves_the_recording_and_no_stale_gauges(vmdiff, tmp_path):
    file = tmp_path / "server.prom"
    with obedient() as program:
        words = ["record", program.pid, "-o", tmp_path / "r", "--every", "1ms", "--count", 2]
        assert vmdiff(*words, "--openmetrics", file, "--top", 3) == (0, "", "")

    assert len(list((tmp_path / "r").iterdir())) == 2
    assert not file.exists()


def test_a_file_of_somebody_else_is_left_alone(vmdiff, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("to do\n")
    with obedient() as program:
        outcome = vmdiff("record", program.pid, "-o", tmp_path / "r", "--count", 1, "--openmetrics", file)

    assert outcome.code == 2
    assert "no file of vmdiff's gauges" in outcome.err
    assert file.read_text() == "to do\n"
