"""What holds for every test."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.effort import times
from tests.machine import turn

# Machines that run tests are busy: how long an example takes says nothing. In CI the examples are the
# same each time, so that a change is blamed for what it breaks and not for what chance finds.
settings.register_profile(
    "vmdiff", max_examples=times(100), deadline=None, derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("vmdiff")

# What is collected lives until the end: a third of the time was spent on looking for garbage among it.
gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()


# mkswap, chroot and the like are for administrators: a user's PATH may lack their folders.
os.environ["PATH"] = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))

# A shell without job control has what it starts in the background ignore these, and so would whatever the
# tests start: those that are to be interrupted would run on for ever.
for number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test that changes the machine run alone, also beside other runs of the tests."""
    with turn(alone=request.node.get_closest_marker("changes_machine") is not None):
        yield
