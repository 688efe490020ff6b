"""A recording of a real process, at a pace that the test sets."""

from itertools import pairwise
from pathlib import Path

import pytest

import vmdiff
from tests.owners.inside.looking import at_rest
from tests.recording.programs import Obedient, Pace, obedient
from tests.waiting import until
from vmdiff import sources
from vmdiff.capture import ProcessFolder, read
from vmdiff.errors import InputError, OutputError, ProcessError
from vmdiff.storage import series_folder

MIB = 1 << 20


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def recorded(target, to=None, pacer=None, **options):
    return list(vmdiff.record(target, to, pacer=pacer or Pace(), **options))


def owners(snapshot):
    return [m.owner and (m.owner.name, m.owner.label) for m in snapshot.mappings]


def test_points_come_at_the_beat_and_are_files(tmp_path):
    with obedient() as program:
        found = recorded(program.pid, tmp_path, every=10, duration=45)

    assert [point.number for point in found] == [0, 1, 2, 3, 4]
    assert [vmdiff.load(point.file) for point in found] == [point.snapshot for point in found]
    assert len(series_folder.points(tmp_path)) == 5


def test_it_ends_after_so_many_points_and_needs_no_folder():
    with obedient() as program:
        found = recorded(program.pid, count=3)

    assert [(point.number, point.file) for point in found] == [(0, None), (1, None), (2, None)]


def test_owners_are_looked_for_once_while_the_layout_stays():
    with obedient() as program:
        first, second, third = recorded(program.pid, count=3)

    assert (first.looked, second.looked, third.looked) == ("first point", None, None)
    assert [m.owner and m.owner.name for m in third.snapshot.mappings] == [
        m.owner and m.owner.name for m in first.snapshot.mappings
    ]


def test_what_is_kept_is_what_a_look_finds():
    with obedient() as program:
        *_, kept = recorded(program.pid, count=2)
        looked = vmdiff.snap(program.pid)

    assert kept.looked is None
    assert owners(kept.snapshot) == owners(looked)


def test_another_layout_is_looked_at():
    with obedient() as program:
        _, second = recorded(program.pid, count=2, pacer=Pace(at_10=lambda: program.grow(8)))

    assert second.looked == "another layout"


def in_use(point, owner="malloc heap"):
    return next(usage.in_use for usage in point.snapshot.usage if usage.owner == owner)


def one_thread_left(program: Obedient) -> None:
    program.order("join")
    until(lambda: len(list(Path(f"/proc/{program.pid}/task").iterdir())) == 1)
    at_rest(program.pid)


def test_a_thread_that_ends_is_looked_at_though_its_stack_stays_mapped():
    with obedient() as program:
        program.order("start")
        _, second = recorded(program.pid, count=2, pacer=Pace(at_10=lambda: one_thread_left(program)))

        assert second.looked == "other threads"
        assert owners(second.snapshot) == owners(vmdiff.snap(program.pid))


def test_a_heap_that_brk_moved_is_looked_at():
    with obedient() as program:
        _, second = recorded(program.pid, count=2, pacer=Pace(at_10=lambda: program.order("brk 1")))

    assert second.looked == "another layout"


def test_a_heap_that_brk_moved_before_its_owner_was_looked_for_has_one():
    with obedient() as program, ProcessFolder(program.pid) as folder:
        bare = read(folder)
        on_a_busy_machine = bare.origin.model_copy(update={"seconds": 2.0})
        bare = bare.model_copy(update={"origin": on_a_busy_machine})
        program.order("malloc 20000")  # 32 bytes each, which is more than there is room for
        at_rest(program.pid)
        owned = sources.with_owners(folder, bare)

    (heap,) = (mapping for mapping in owned.mappings if mapping.path == "[heap]")
    assert heap.size > next(m.size for m in bare.mappings if m.path == "[heap]")
    assert heap.owner.name == "malloc heap"


def test_a_program_that_takes_the_place_of_another_is_looked_at():
    becomes = "print('other', flush=True); import sys; sys.stdin.read()"
    with obedient() as program:
        pace = Pace(at_10=lambda: program.order(f"exec {becomes}", answer="other"))
        _, second = recorded(program.pid, count=2, pacer=pace)

    assert second.looked == "another program"


def test_what_is_in_use_is_read_again_where_owners_are_kept():
    def fill():
        program.order("malloc 100")
        at_rest(program.pid)

    with obedient() as program:
        at_rest(program.pid)
        first, second = recorded(program.pid, count=2, pacer=Pace(at_10=fill))
        now = vmdiff.snap(program.pid)

    assert second.looked is None
    assert second.snapshot.usage == now.usage
    assert in_use(second) >= in_use(first) + 100 * 32


def test_records_are_not_read_again_where_nothing_ran_and_nothing_moved():
    with obedient() as program:
        at_rest(program.pid)
        usages = [point.snapshot.usage for point in recorded(program.pid, count=6)]
        now = vmdiff.snap(program.pid)

    assert any(after is before for before, after in pairwise(usages))
    assert usages[-1] == now.usage


def test_the_end_of_the_process_ends_it_where_that_was_asked_for():
    said: list[str] = []
    with obedient() as program:
        found = recorded(program.pid, until_exit=True, pacer=Pace(at_20=program.end), notify=said.append)

    assert len(found) == 2
    assert said == [f"process {program.pid} (vmdiff-obeys) ended"]


def test_a_restarted_process_is_gone_on_with():
    started: list[Obedient] = []
    said: list[str] = []
    with obedient("vmdiff-again") as program:
        pace = Pace(at_10=program.end, at_15=lambda: started.append(Obedient("vmdiff-again")))
        try:
            found = recorded(program.pid, count=3, pacer=pace, notify=said.append)
        finally:
            for one in started:
                one.end()

    assert [point.snapshot.process.pid for point in found] == [program.pid, started[0].pid, started[0].pid]
    assert said[-1] == f"going on with process {started[0].pid} (vmdiff-again)"


def test_nobody_is_waited_for_beyond_the_end():
    with obedient("vmdiff-never") as program:
        assert len(recorded(program.pid, duration=60, pacer=Pace(at_10=program.end))) == 1


def test_only_points_of_which_the_condition_holds_are_kept(tmp_path):
    with obedient() as program:
        found = recorded(
            program.pid, tmp_path, duration=45, when="rss > +4MiB", pacer=Pace(at_30=lambda: program.grow(8))
        )

    assert [point.number for point in found] == [0, None, None, 1, None]


def test_a_point_is_taken_when_it_moved_before_the_beat():
    pace = Pace(at_3=lambda: None)
    with obedient() as program:
        pace = Pace(at_3=lambda: program.grow(16))
        points = vmdiff.record(program.pid, every=100, count=2, moved=8 * MIB, pacer=pace)
        next(points)
        second = next(points)

    assert pace.now() == 3
    assert second.snapshot.total("rss") > 16 * MIB


def test_a_process_is_found_by_its_name_if_it_is_the_only_one():
    with obedient("vmdiff-named") as program:
        assert recorded("name:vmdiff-named", count=1)[0].snapshot.process.pid == program.pid
        with (
            obedient("vmdiff-named"),
            pytest.raises(InputError, match="2 processes are called 'vmdiff-named'"),
        ):
            recorded("name:vmdiff-named", count=1)


@pytest.mark.parametrize("target", ["name:", "redis", "-1", "99999999999"])
def test_what_is_no_target_is_refused(target):
    with pytest.raises(InputError):
        vmdiff.record(target)


def test_a_process_that_is_not_there_is_named():
    with pytest.raises(ProcessError):
        vmdiff.record("name:vmdiff-nobody")


def test_a_point_that_cannot_be_written_leaves_those_before_whole(tmp_path):
    with obedient() as program:
        points = vmdiff.record(program.pid, tmp_path / "r", pacer=Pace())
        next(points)
        (tmp_path / "r").rename(tmp_path / "elsewhere")
        with pytest.raises(OutputError):
            next(points)

    assert len(list(series_folder.documents(tmp_path / "elsewhere"))) == 1


def test_a_recording_leaves_no_descriptor_open(tmp_path):
    with obedient() as program:
        points = vmdiff.record(program.pid, tmp_path, count=40, pacer=Pace())
        next(points)
        before = descriptors()
        for _ in points:
            pass
        assert descriptors() == before


def test_through_a_command_each_point_is_read_elsewhere(tmp_path):
    with obedient() as program:
        first, second = recorded(program.pid, tmp_path, via="env", count=2)

    assert (first.looked, second.looked) == ("through a command", "through a command")
    assert first.snapshot.process.start_ticks == second.snapshot.process.start_ticks
    assert vmdiff.load(second.file) == second.snapshot


def test_a_connection_that_fails_is_tried_again(tmp_path):
    broken = tmp_path / "broken"
    switch = tmp_path / "switch"
    switch.write_text(f'#!/bin/sh\nif [ -e {broken} ]; then rm {broken}; exit 255; fi\nexec "$@"\n')
    switch.chmod(0o700)
    told = []
    with obedient() as program:
        points = vmdiff.record(program.pid, via=str(switch), count=2, pacer=Pace(), notify=told.append)
        next(points)
        broken.touch()
        again = next(points)

    assert again.snapshot.process.pid == program.pid
    assert len(told) == 1
    assert "exit status 255" in told[0]


def test_a_connection_that_never_was_is_an_error():
    with pytest.raises(ProcessError):
        recorded(1, via="false")
    with pytest.raises(InputError, match="not with inside"):
        recorded(1, via="env", inside=True)
    with pytest.raises(InputError, match="is a number"):
        recorded("name:x", via="env")
