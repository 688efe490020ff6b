"""One Chromium for all tests of a run."""

import os
from collections.abc import Iterator

import pytest

from tests.report import browser as browsers


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browsers.Browser]:
    """Give a real browser; without one the test is skipped, but fails where CI promised one."""
    if browsers.PROGRAM is None:
        assert not os.environ.get("CI"), "no Chromium (Debian package: chromium)"
        pytest.skip("no Chromium (Debian package: chromium)")
    with browsers.open_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser
