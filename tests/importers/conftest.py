"""The folder of real listings, where it is present."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vmdiff.importers.draft import NOT_READ


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


def doubts_inside(snapshot):
    """Return the doubts of a snapshot but for the one that names the text around its listing."""
    return tuple(doubt for doubt in snapshot.origin.doubts if not doubt.endswith(NOT_READ))
