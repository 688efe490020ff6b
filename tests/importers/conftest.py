"""The folder of real listings, where it is present."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def _folder() -> Path | None:
    named = os.environ.get("VMDIFF_CASES")
    candidates = (
        [Path(named)] if named else [up / "shared" / "cases" for up in Path(__file__).resolve().parents]
    )
    return next((folder for folder in candidates if (folder / "MANIFEST.tsv").exists()), None)


CASES = _folder()


@pytest.fixture
def case() -> Callable[[str], bytes]:
    """The bytes of a file of the folder by its relative name."""
    if CASES is None:
        pytest.skip("the folder of real listings is not here")
    return lambda name: (CASES / name).read_bytes()
