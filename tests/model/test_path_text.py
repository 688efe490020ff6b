"""Paths as listings write them."""

import pytest

from vmdiff.model import base_name, same_path, split_deleted


def test_the_mark_of_an_unlinked_file_is_taken_off_once() -> None:
    assert split_deleted("/x") == ("/x", False)
    assert split_deleted("/x (deleted)") == ("/x", True)
    assert split_deleted("/x (deleted) (deleted)") == ("/x (deleted)", True)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("/lib/libc.so.6", "/lib/libc.so.6", True),
        ("/lib/libc.so.6", "libc.so.6", True),
        ("/lib/libc.so.6", "/usr/lib/libc.so.6", False),
        (None, "/lib/libc.so.6", False),
        (None, None, True),
    ],
)
def test_a_base_name_names_no_folder(before: str | None, after: str | None, same: bool) -> None:
    assert same_path(before, after) is same_path(after, before) is same
    assert base_name("/lib/libc.so.6") == "libc.so.6"
