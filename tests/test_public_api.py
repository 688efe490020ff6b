"""What users may import, each name once; and that importing the package costs nothing."""

import subprocess
import sys

import vmdiff

PUBLIC = [
    "Change",
    "ChangeName",
    "Comparison",
    "ConditionError",
    "DocumentError",
    "Finding",
    "InputError",
    "Kind",
    "ListingError",
    "Mapping",
    "MatchError",
    "OutputError",
    "Owner",
    "ProcessError",
    "Recorded",
    "Series",
    "Snapshot",
    "Trend",
    "VmdiffError",
    "compare",
    "find",
    "load",
    "record",
    "save",
    "snap",
    "trend",
]


def test_the_public_names_are_these_and_all_can_be_had() -> None:
    assert sorted(vmdiff.__all__) == PUBLIC
    assert set(dir(vmdiff)) == {*PUBLIC, "__version__"}
    for name in PUBLIC:
        assert getattr(vmdiff, name).__name__ == name


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, vmdiff; print([name for name in sys.modules if name.startswith('vmdiff.')])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
