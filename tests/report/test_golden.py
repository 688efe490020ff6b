"""What a person has looked at and found good; a change of it is for a person to look at again.

``python -m tests.report.test_golden`` writes what the renderers give now.
"""

from pathlib import Path

import pytest

from tests.report.worlds import example, hostile
from vmdiff.findings import find, find_in
from vmdiff.report import RENDERERS, Format, ViewOptions

GOLDEN = Path(__file__).parents[2] / "fixtures" / "golden"


def _comparison(target: Format, **options: object) -> str:
    shown = RENDERERS[target].comparison(example(), find(example()), ViewOptions(**options))
    assert isinstance(shown, str)
    return shown


def _snapshot(target: Format, **options: object) -> str:
    taken = example().after
    shown = RENDERERS[target].snapshot(taken, find_in(taken), ViewOptions(**options))
    assert isinstance(shown, str)
    return shown


def _hostile(target: Format) -> str:
    shown = RENDERERS[target].comparison(hostile(), find(hostile()), ViewOptions(show_all=True))
    assert isinstance(shown, str)
    return shown


LOOKED_AT = {
    "comparison.txt": lambda: _comparison(Format.TERMINAL),
    "comparison-wide.txt": lambda: _comparison(Format.TERMINAL, width=132),
    "comparison-colour.txt": lambda: _comparison(Format.TERMINAL, colour=True, width=120),
    "comparison-all.txt": lambda: _comparison(Format.TERMINAL, show_all=True),
    "comparison-mail.txt": lambda: _comparison(Format.TEXT),
    "comparison.md": lambda: _comparison(Format.MARKDOWN),
    "comparison.json": lambda: _comparison(Format.JSON),
    "snapshot.txt": lambda: _snapshot(Format.TERMINAL),
    "snapshot.md": lambda: _snapshot(Format.MARKDOWN),
    "snapshot.json": lambda: _snapshot(Format.JSON),
    "hostile.txt": lambda: _hostile(Format.TERMINAL),
    "hostile.md": lambda: _hostile(Format.MARKDOWN),
}


@pytest.mark.parametrize("name", LOOKED_AT)
def test_it_looks_as_it_did(name):
    assert LOOKED_AT[name]() == (GOLDEN / name).read_text()


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, show in LOOKED_AT.items():
        (GOLDEN / name).write_text(show())
