"""One command line, run as the installed script would run it, without a process of its own."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from vmdiff.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def vmdiff(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run(*argv: object) -> Outcome:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in argv])
        out, err = capfdbinary.readouterr()
        code = stop.value.code
        return Outcome(code if isinstance(code, int) else 0, out.decode(), err.decode())

    return run
