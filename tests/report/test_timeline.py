"""The timeline page: it says the answer without scripts, holds to its policy, and stays small."""

import re

import pytest

from tests.effort import times
from tests.series.moments import moments
from vmdiff.findings import find_over_time
from vmdiff.report import TREND_RENDERERS, Format, ViewOptions
from vmdiff.series.series import Series
from vmdiff.series.trends import trend

pytestmark = pytest.mark.xdist_group("chromium")

READY = "new Promise(d => { const f = () => document.documentElement.dataset.ready ? d(1) : requestAnimationFrame(f); f() })"


def page(**owners):
    found = trend(Series(moments(**owners), mappings=True))
    return TREND_RENDERERS[Format.HTML].trend(found, find_over_time(found), ViewOptions())


@pytest.fixture(scope="module")
def growing():
    return page(
        pool=range(60),
        cache=[9] * 60,
        **{f"saw{at}": [(n * at) % 12 for n in range(60)] for at in range(1, 6)},
    )


def test_the_answer_stands_in_the_page_without_scripts(growing):
    assert "pool grows steadily by 60.0 MiB/h" in re.sub(r"<script.*?</script>", "", growing, flags=re.DOTALL)


def test_no_address_of_the_network_is_in_the_page(growing):
    assert not re.findall(r"https?:|//[a-z]+\.", growing)


def test_a_thousand_points_of_three_hundred_mappings_are_below_five_megabytes():
    points = times(1000)
    owners = {
        f"owner{at}": [(n * (at + 3)) % 97 if at % 3 == 0 else at for n in range(points)] for at in range(300)
    }

    assert len(page(**owners)) < (5 << 20) * points // 1000


def test_names_from_outside_are_text():
    assert "<img" not in page(**{"<img src=x>": range(20)})


def test_it_draws_compares_two_marks_and_works_by_keyboard(growing, chromium, tmp_path):
    file = tmp_path / "timeline.html"
    file.write_text(growing, encoding="utf-8")
    with chromium.page(file) as opened:
        opened(READY)
        assert opened.texts("#groups tbody tr:first-child td")[:3] == ["pool", "leak", "+60.0 MiB/h"]
        assert opened("document.querySelectorAll('#picture polygon').length") == 7
        assert opened.texts("#changed tbody tr:first-child td")[3] == "+59.0 MiB"

        opened("document.getElementById('to').focus()")
        opened.press("ArrowLeft", "ArrowLeft")

        assert opened.texts("#changed tbody tr:first-child td")[3] == "+57.0 MiB"
        assert opened.texts("#to-at")[0].startswith("00:57:00")
        opened.click("#by button:first-child")
        opened(READY)
        assert opened.texts("#groups h2") == ["By kind"]
        assert opened.complaints == []
        assert opened.requests == [file.as_uri()]


def test_dark_follows_the_system_and_the_button(growing, chromium, tmp_path):
    file = tmp_path / "timeline.html"
    file.write_text(growing, encoding="utf-8")
    with chromium.page(file, dark=True) as opened:
        opened(READY)
        first = "getComputedStyle(document.querySelector('#picture polygon')).fill"
        dark = opened(first)
        assert opened.texts("#theme") == ["Light"]
        opened.click("#theme")
        assert opened("document.getElementById('theme').getAttribute('aria-label')") == "Use dark colours"
        assert opened(first) != dark
        assert opened.complaints == []


def test_a_drag_over_the_picture_sets_both_marks(growing, chromium, tmp_path):
    file = tmp_path / "timeline.html"
    file.write_text(growing, encoding="utf-8")
    with chromium.page(file) as opened:
        opened(READY)
        left, top, width = opened(
            "(b => [b.x, b.y + 150, b.width])(document.querySelector('#picture svg').getBoundingClientRect())"
        )
        x = [left + 64 + share * (width - 72) for share in (0.25, 0.5)]
        opened.move_to(x[0], top)
        opened.call(
            "Input.dispatchMouseEvent", type="mousePressed", x=x[0], y=top, button="left", clickCount=1
        )
        opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=x[1], y=top, button="left", buttons=1)
        opened.call(
            "Input.dispatchMouseEvent", type="mouseReleased", x=x[1], y=top, button="left", clickCount=1
        )

        assert opened("[document.getElementById('from').value, document.getElementById('to').value]") == [
            "15",
            "30",
        ]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_points_are_a_page_too(count, chromium, tmp_path):
    file = tmp_path / "timeline.html"
    file.write_text(page(pool=range(count)), encoding="utf-8")
    with chromium.page(file) as opened:
        assert opened.complaints == []
