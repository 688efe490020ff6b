"""The smallest memory limit on the way up, of cgroup v1 and v2, or none."""

import pytest

from vmdiff.capture.cgroup_limit import memory_limit


@pytest.fixture
def groups(tmp_path):
    def make(**limits):
        for name, limit in limits.items():
            *folders, file = name.split("__")
            place = tmp_path.joinpath(*folders)
            place.mkdir(parents=True, exist_ok=True)
            (place / {"max": "memory.max", "v1": "memory.limit_in_bytes"}[file]).write_text(f"{limit}\n")
        return tmp_path

    return make


def test_the_smallest_above_counts(groups):
    root = groups(a__max=1000, a__b__max="max", a__b__c__max=3000)

    assert memory_limit("0::/a/b/c\n", root) == 1000


def test_cgroup_v1_has_its_own_file_and_its_own_none(groups):
    root = groups(memory__v1=9223372036854771712, memory__docker__x__v1=4096)

    assert memory_limit("4:cpu,memory:/docker/x\n0::/\n", root) == 4096
    assert memory_limit("4:memory:/elsewhere\n0::/\n", root) is None


@pytest.mark.parametrize(
    "text", [None, "", "0::/gone", "0::/../..", "nonsense", "0::/" + "a/" * 100, "0::/\x00"]
)
def test_what_cannot_be_read_is_no_limit(text, groups):
    assert memory_limit(text, groups(other__max=5)) is None
