"""What was read of another tool's listing survives the document: no reader makes what the schema refuses."""

import pytest

from tests.importers.conftest import CASES
from vmdiff import sources
from vmdiff.comparison.compare import compare
from vmdiff.errors import InputError
from vmdiff.storage import json_document

FOLDERS = ("asan", "gdb", "glibc-abort", "hs_err", "jcmd-system-map", "procstat", "tombstone", "vmmap")
SEVERAL = "krashpad-dynamic-library-lines.txt"  # lines of many logs


@pytest.mark.skipif(CASES is None, reason="the folder of real listings is not here")
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_real_listing_is_written_and_read_back_the_same(folder):
    for path in sorted((CASES / folder).iterdir()):
        if path.name == SEVERAL:
            with pytest.raises(InputError, match="choose one with"):
                sources.load(path)
            continue
        snapshot = sources.load(path)
        again = json_document.load(b"".join(json_document.dump(snapshot)), source=path.name)

        assert again == snapshot, path
        assert not compare(snapshot, again).changes, path
