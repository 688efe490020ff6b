"""Beats lie on a grid, and what was missed is left out."""

from hypothesis import given
from hypothesis import strategies as st

from vmdiff.recording.pacing import Beat


@given(st.integers(0, 1000), st.integers(1, 60), st.integers(0, 5000))
def test_the_next_beat_is_the_first_of_the_grid_after_now(start: int, every: int, late: int) -> None:
    now = start + late

    due = Beat(start, every).after(now)

    assert now < due <= now + every
    assert (due - start) % every == 0
