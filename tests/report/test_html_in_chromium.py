"""The report in a real Chromium: what a reader can do with it, and what it must not do."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

from tests.effort import times
from tests.report import pictures
from tests.report.browser import Browser, Page
from vmdiff import units
from vmdiff.comparison.compare import compare
from vmdiff.findings import find, find_in
from vmdiff.model import Snapshot
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.report.view.memory_page_picture import HELD, HUGE

pytestmark = pytest.mark.xdist_group("chromium")

Open = Callable[..., AbstractContextManager[Page]]
HTML = RENDERERS[Format.HTML]


def report(before: Snapshot, after: Snapshot | None = None) -> str:
    if after is None:
        return str(HTML.snapshot(before, find_in(before), ViewOptions()))
    comparison = compare(before, after)
    return str(HTML.comparison(comparison, find(comparison), ViewOptions()))


@pytest.fixture(scope="session")
def server_report() -> str:
    return report(pictures.server(), pictures.server(grown=True))


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Open:
    """Open a report, and hold it to silence: no complaint, no request but for itself."""

    @contextmanager
    def open_(text: str, **look: object) -> Iterator[Page]:
        file = tmp_path / "report.html"
        file.write_text(text, encoding="utf-8")
        with chromium.page(file, **look) as page:  # type: ignore[arg-type]
            yield page
            assert page.complaints == []
            assert page.requests == [file.as_uri()]

    return open_


@pytest.fixture
def page(opened: Open, server_report: str) -> Iterator[Page]:
    with opened(server_report) as page:
        yield page


def column(page: Page, number: int) -> list[str]:
    return page.texts(f"#table tr.row > td:nth-child({number})")


def names(page: Page) -> list[str]:
    return page("[...document.querySelectorAll('#table tr.row .name')].map(e => e.textContent)")


def test_the_top_says_what_matters(page: Page) -> None:
    assert page.texts("h1") == ["server (pid 4242)"]
    assert page.texts(".figure.main .big") == ["+44.5 MiB"]
    assert page.texts(".findings p")


def test_rows_come_in_the_usual_order_and_sort_by_any_column(page: Page) -> None:
    usual = names(page)
    assert usual[:2] == ["[heap]", "/srv/data/index.bin"]

    page.click("th[data-key='0'] button")  # virtual, largest first
    assert names(page)[0] == "/srv/data/index.bin"
    assert page("document.querySelector(\"th[data-key='0']\").ariaSort") == "descending"
    page.click("th[data-key='0'] button")
    assert names(page)[-1] == "/srv/data/index.bin"
    page.click("th[data-key='0'] button")
    assert names(page) == usual

    page.click("th[data-key='what'] button")
    assert names(page) == sorted(usual, key=str.lower)
    page.click("th[data-key='where'] button")
    places = [place for place in page.texts("#table tr.row .where") if place]
    assert places == sorted(places)


def test_filters_by_text_kind_owner_change_and_size(page: Page) -> None:
    page.click("input[name=words]")
    page.type("index.bin")
    assert names(page) == ["/srv/data/index.bin"]
    assert page.texts("#matched") == ["1 change of 64 changes"]
    assert page.texts("#table tfoot td.n") == ["+954 MiB", "+12.0 MiB", "0"]

    page.press("Escape")
    assert len(names(page)) > 3
    for name, value, rows in (("kind", "heap", 1), ("owner", "malloc arena", 1), ("change", "removed", 1)):
        page(f"document.querySelector('[name={name}]').value = '{value}'; 0")
        page("document.querySelector('#filters').dispatchEvent(new Event('input'))")
        assert len(names(page)) == rows
        page.click("#filters button")
        page.settle()

    page.click("input[name=least]")
    page.type("10 MiB")
    assert names(page) == ["[heap]", "/srv/data/index.bin"]
    page.type("x")
    assert page("document.querySelector('[name=least]').ariaInvalid") == "true"


def test_a_name_that_stands_above_is_not_shown_again_but_read_out(opened: Open) -> None:
    blocks = [
        pictures.anonymous(0x1000_0000 * number, pictures.MIB * number, pictures.MIB) for number in (3, 2, 1)
    ]
    with opened(report(pictures.snapshot(*blocks))) as page:
        assert names(page) == ["anonymous"] * 3
        wide = page(
            "[...document.querySelectorAll('#table tr.row .name')].map(e => e.getBoundingClientRect().width > 2)"
        )
        assert wide == [True, False, False]


def test_what_no_row_matches_is_said(page: Page) -> None:
    page.click("input[name=words]")
    page.type("no such thing")

    assert page.texts("#table .none") == ["Nothing matches these filters."]


def test_crowds_unfold_and_fold(page: Page) -> None:
    assert "30 × thread stack" in names(page)
    folded = len(names(page))

    page.click("#table tr[aria-expanded].crowd")
    assert len(names(page)) == folded + 30
    assert page.texts("#table tr[aria-level='2']")[0].startswith("new")
    page.click("#table tr.crowd")
    assert len(names(page)) == folded


def test_a_row_opens_its_details(page: Page) -> None:
    page.click("#table tr.row")

    told = page.texts("tr.detail")[0]
    assert "the kernel calls it [heap]" in told
    assert "7,168 KiB" in told
    assert "+32.0 MiB" in told


def test_the_address_space_answers_the_mouse(page: Page) -> None:
    x, y = page.middle("#strips canvas")
    left = page("document.querySelector('#strips canvas').getBoundingClientRect().x")
    seen = ""
    while "[heap]" not in seen and left < x:
        left += 12
        page.move_to(left, y - page("document.querySelector('#strips canvas').clientHeight") / 2 + 30)
        seen = page.texts("#tip")[0]
    assert "before: 8,192 KiB, 7,168 KiB resident" in seen
    assert "after: 40.0 MiB, 39.0 MiB resident" in seen

    page.click_at(left, y - page("document.querySelector('#strips canvas').clientHeight") / 2 + 30)
    assert "the kernel calls it [heap]" in page.texts("tr.detail")[0]
    assert page("document.activeElement.innerText").startswith("grown")


def test_the_address_space_answers_the_keyboard(page: Page) -> None:
    page("document.querySelector('#strips canvas').focus()")
    page.press("ArrowRight")
    assert page.texts("#seen")[0].startswith("[heap]")
    page.press("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "Enter")
    assert "the kernel calls it [heap]" in page.texts("tr.detail")[0]


def test_clicking_a_thread_stack_unfolds_its_crowd(page: Page) -> None:
    page("document.querySelector('#strips canvas').focus()")
    page.press("ArrowLeft")  # from the right: the last thread's stack
    assert "thread stack" in page.texts("#seen")[0]
    page.press("Enter")

    assert page("document.activeElement.ariaLevel") == "2"


def test_everything_can_be_done_with_the_keyboard(page: Page) -> None:
    page.press("/")
    assert page("document.activeElement.name") == "words"
    page.press("Escape", "ArrowDown", "Enter")
    assert "index.bin" in page.texts("tr.detail")[0]
    page.press("Escape", "End", "Home")
    assert not page.texts("tr.detail")
    assert page("document.activeElement.dataset.entry") == "0"

    crowd = "document.querySelector('#table tr.crowd')"
    page(f"{crowd}.focus()")
    page.press("ArrowRight")
    assert page(f"{crowd}.ariaExpanded") == "true"
    page.press("ArrowDown", "ArrowLeft", "ArrowLeft")
    assert page(f"{crowd}.ariaExpanded") == "false"


def test_the_chart_has_every_grouping_and_narrows_the_table(page: Page) -> None:
    for by in ("kind", "owner", "object"):
        buttons = page.texts("#by button")
        page.click(f"#by button:nth-child({buttons.index(by) + 1})")
        assert page.texts("#chart .sum .n")[0] == "+44.5 MiB"
    page.click("#by button:nth-child(1)")
    assert page.texts("#chart .line .label")[:2] == ["heap", "file"]

    page.click("#chart button.line")
    assert names(page) == ["[heap]"]


AREAS = """[...document.querySelectorAll('#panels .panel:nth-child(PANEL) .cell')].map(e => {
    const b = e.getBoundingClientRect();
    return [e.querySelector('span')?.textContent || e.ariaLabel, e.classList.contains('group'), b.width * b.height]; })"""


def areas(page: Page, panel: int) -> dict[str, float]:
    """Give the area of each group of a panel, in square pixels."""
    boxes = page(
        "[...document.querySelectorAll('.panels .field')].map(e => e.getBoundingClientRect()).map(b => b.width * b.height)"
    )
    found = {name: area for name, _, area in page(AREAS.replace("PANEL", str(panel)))}
    return {"all": boxes[panel - 1], **found}


def test_the_composition_is_to_scale_and_both_sides_have_one_scale(page: Page) -> None:
    before, after = areas(page, 1), areas(page, 2)

    # 12.4 and 56.9 MiB resident; of these, the heap has 7 and 39 MiB.
    assert before["all"] / after["all"] == pytest.approx(12.4 / 56.9, rel=0.02)
    assert before["malloc heap"] / before["all"] == pytest.approx(7 / 12.4, rel=0.02)
    assert after["malloc heap"] / after["all"] == pytest.approx(39 / 56.9, rel=0.02)
    assert after["malloc heap"] / before["malloc heap"] == pytest.approx(39 / 7, rel=0.03)


def test_the_composition_says_in_words_what_it_shows(page: Page) -> None:
    labels = page("[...document.querySelectorAll('#panels .cell')].map(e => e.getAttribute('aria-label'))")
    assert any(
        label.startswith("malloc heap 39.0 MiB; 7,168 KiB → 39.0 MiB resident, +32.0 MiB") for label in labels
    )
    page.click("#composed-list summary")
    page.settle()
    assert "malloc heap\t7,168 KiB\t39.0 MiB\t+32.0 MiB" in page.texts("#composed-table tr")


def test_the_composition_shows_what_grew_and_what_shrank(page: Page) -> None:
    page.click("#composed-as button:nth-child(2)")
    said = [caption.split("\n") for caption in page.texts("#panels .caption")]
    assert said == [["grew", "+46.5 MiB", "resident"], ["shrank", "-2,048 KiB", "resident"]]


def test_the_composition_is_entered_and_left_with_the_keyboard(page: Page) -> None:
    page.click("#composed-by button:nth-child(2)")  # kind
    cells = "[...document.querySelectorAll('#panels .panel:nth-child(2) .cell')]"
    page(f"{cells}[0].focus()")
    seen = set()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "End", "Home"):
        page.press(key)
        seen.add(page("document.activeElement.getAttribute('aria-label')"))
    assert len(seen) > 2
    page(f"{cells}.find(e => e.ariaLabel.startsWith('image')).focus()")
    page.press("Enter")
    assert page.texts("#crumbs")[0].startswith("all of it ›")
    assert page("document.activeElement.className").startswith("cell")
    page.press("Escape")
    assert page("document.querySelector('#crumbs').hidden")


def test_a_piece_of_the_composition_leads_to_its_row(page: Page) -> None:
    page(
        "[...document.querySelectorAll('#panels .panel:nth-child(2) .cell')].find(e => e.ariaLabel.startsWith('malloc heap')).click()"
    )
    assert page.texts("#held")[0].startswith("malloc heap · 7,168 KiB → 39.0 MiB resident, +32.0 MiB")
    page.click("#held button")
    assert "the kernel calls it [heap]" in page.texts("tr.detail")[0]


SHIFTS = """new Promise(done => { let sum = 0;
    new PerformanceObserver(list => { for (const entry of list.getEntries()) sum += entry.value; }).observe({ type: 'layout-shift', buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(sum)))); })"""


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_moves_while_it_loads(opened: Open, width: int) -> None:
    with opened(report(pictures.crowd(6_000), pictures.crowd(6_000, grown=True)), width=width) as page:
        assert page(SHIFTS) == 0


def test_no_view_lacks_a_name(page: Page) -> None:
    nameless = page("""[...document.querySelectorAll('button, input, select, canvas')].filter(e =>
        !(e.getAttribute('aria-label') || e.innerText.trim())).map(e => e.outerHTML)""")
    assert nameless == []


def luminance(page: Page) -> float:
    colour = page("getComputedStyle(document.documentElement).backgroundColor")
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))


def test_dark_follows_the_system_and_the_button(opened: Open, server_report: str) -> None:
    with opened(server_report) as page:
        assert luminance(page) > 600
        page.scheme("dark")
        assert luminance(page) < 150
        assert page.texts("#theme") == ["Light"]
        page.click("#theme")
        assert luminance(page) > 600
    with opened(server_report, dark=True) as page:
        assert luminance(page) < 150


def test_it_prints_every_row_on_light_paper(page: Page) -> None:
    page.scheme("dark")
    page("addEventListener('beforeprint', () => document.title = document.documentElement.dataset.theme)")
    pdf = page.pdf()

    assert pdf.startswith(b"%PDF-")
    assert page("document.title") == "light"
    assert luminance(page) < 150  # and afterwards the screen is as it was


@pytest.mark.parametrize("width", [400, 760, 1280])
def test_nothing_is_wider_than_the_window(opened: Open, server_report: str, width: int) -> None:
    with opened(server_report, width=width) as page:
        page.click("#table tr.row")
        assert page("document.documentElement.scrollWidth") == width
    with opened(report(pictures.server(), pictures.hostile()), width=width) as page:
        assert page("document.documentElement.scrollWidth") == width
    with opened(report(pictures.looked_into(), pictures.looked_into(later=True)), width=width) as page:
        assert page("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scripts", [True, False])
def test_pages_are_drawn_in_each_state(opened: Open, scripts: bool) -> None:
    with opened(report(pictures.looked_into()), width=400, scripts=scripts) as page:
        drawn = "[...document.querySelectorAll('#pages svg path')].map(e => e.classList[0])"
        if scripts:
            assert set(page(drawn)) == {f"p-{state}" for state in (*HELD, HUGE)}
            thin = "[...document.querySelectorAll('#pages path')].map(e => e.getBoundingClientRect())"
            assert page(f"Math.min(...{thin}.flatMap(box => [box.width, box.height]))") > 1, (
                "a page of a million"
            )


def test_hostile_names_are_shown_and_do_nothing(opened: Open) -> None:
    with opened(report(pictures.snapshot(), pictures.hostile())) as page:
        assert page("document.title").endswith("vmdiff")
        assert page("document.querySelectorAll('img, iframe, object, link').length") == 0
        assert page("document.querySelectorAll('script').length") == 5
        shown = "\n".join(names(page))
        assert "/tmp/</script><script>" in shown
        assert "/tmp/\\u202egnp.exe" in shown
        assert "/tmp/nul\\x00in\\x1b[31mside" in shown
        assert all(letter.isprintable() for letter in page("document.body.innerText") if letter not in "\n\t")
        for number in range(len(names(page))):
            page(f"document.querySelectorAll('#table tr.row')[{number}].click()")
        page("document.querySelector('#map [data-colour=owner]').click()")


def test_one_snapshot_is_shown_with_its_sizes(opened: Open) -> None:
    with opened(report(pictures.server(grown=True))) as page:
        assert page.texts(".figure.main .big") == ["56.9 MiB"]
        assert names(page)[0] == "[heap]"
        assert "39.0 MiB" in page.texts("#table tr.row")[0]
        page.click("#table tr.row")
        assert "private dirty" in page.texts("tr.detail")[0]
        assert page("document.querySelector('#filters [name=change]')") is None
        page("document.querySelector('#strips canvas').focus()")
        page.press("ArrowRight")
        assert page.texts("#seen")[0].startswith("/usr/bin/server")


def test_a_listing_without_counters_or_addresses_is_shown_too(opened: Open) -> None:
    taken = pictures.snapshot(counters=())
    bare = pictures.anonymous(0, 4096)._replace(start=None, end=None, values={"size": 4096})
    for shown in (taken, taken.model_copy(update={"mappings": (bare, bare._replace(path="/a"))})):
        with opened(report(shown)) as page:
            assert page("document.documentElement.dataset.ready") == "true"
    known = pictures.snapshot(pictures.anonymous(0x1000, 0x2000), counters=())
    with opened(report(pictures.snapshot(counters=()), known)) as page:
        assert page.texts(".figure.main .big") == ["?"]
        assert column(page, 4) == ["+8 KiB"]


def test_totals_without_mappings_are_those_that_are_stated(opened: Open) -> None:
    stated = pictures.snapshot().model_copy(update={"rollup": {"rss": 9 << 20, "swap": 4096}})
    with opened(report(stated)) as page:
        assert page.texts(".figure.main .big") == ["9,216 KiB"]
        assert page.texts("#table tfoot td.n")[0] == "9,216 KiB"
        assert page.texts("#chart .sum .n")[0] == "9,216 KiB"
        assert page.texts("#table .none") == ["No mappings are listed."]


def test_two_equal_snapshots_say_so(opened: Open) -> None:
    with opened(report(pictures.server(), pictures.server())) as page:
        assert page.texts("#table .none") == ["Nothing changed."]
        assert page.texts("#chart p") == ["None of it changed."]


def test_two_runs_are_drawn_apart(opened: Open) -> None:
    restarted = pictures.server(grown=True)
    restarted = restarted.model_copy(update={"process": restarted.process.model_copy(update={"pid": 99})})
    shifted = tuple(m._replace(start=m.start + 0x5000, end=m.end + 0x5000) for m in restarted.mappings)
    with opened(report(pictures.server(), restarted.model_copy(update={"mappings": shifted}))) as page:
        assert page.texts("#strips h3") == ["before", "after"]
        page("document.querySelector('#strips canvas').focus()")
        page.press("ArrowRight")
        assert page.texts("#seen")[0].startswith("[heap]")
        assert page("document.querySelectorAll('.frame:not([hidden])').length") == 2  # and where it went


CROWD = times(60_000)


def test_a_crowd_of_mappings_opens_and_scrolls(opened: Open) -> None:
    text = report(pictures.crowd(CROWD), pictures.crowd(CROWD, grown=True))
    with opened(text) as page:
        page.click("#table tr.row")  # the crowd, or the first of all
        assert page("document.querySelectorAll('#table tr').length") < 1000
        for place in ("document.body.scrollHeight / 2", "document.body.scrollHeight * 0.9"):
            page(f"scrollTo(0, {place})")
            page.settle()
            assert page("document.elementFromPoint(640, 450).closest('tr.row') !== null")
        page("document.querySelector('#table tr.row').focus()")
        page.press("End")
        assert int(page("document.activeElement.dataset.entry")) >= CROWD // 3 - 1
        page.press("/")
        page.type(f"{pictures.crowd(CROWD).mappings[CROWD // 4].start:x}"[:8])
        assert 0 < len(names(page)) < 100


def test_of_a_crowd_of_mappings_each_can_be_reached_in_the_composition(opened: Open) -> None:
    with opened(report(pictures.crowd(CROWD))) as page:
        for name in ("(anonymous) ", f"1–{CROWD // 100} ", "anonymous;"):
            page(
                f"[...document.querySelectorAll('#panels .cell')].find(e => e.ariaLabel.startsWith('{name}')).click()"
            )
            assert page("document.querySelectorAll('#panels .cell').length") <= 600
        assert page.texts("#held")[0].startswith("anonymous · 32 KiB resident, 0.0 % of all")


def test_without_scripts_the_essence_is_there(opened: Open, server_report: str) -> None:
    with opened(server_report, scripts=False) as page:
        assert page.texts(".figure.main .big") == ["+44.5 MiB"]
        assert "/srv/data/index.bin" in page.texts("#table")[0]
        assert "malloc heap" in page.texts("#chart")[0]
        assert "6.18.0" in page.texts("#facts")[0]


def test_a_script_that_got_in_would_not_run(chromium: Browser, server_report: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(server_report.replace("<main>", "<main><script>document.title = 'owned'</script>"))
    with chromium.page(file) as page:
        assert page("document.title") == "server (pid 4242) · vmdiff"
        assert "Content Security Policy" in page.complaints[0]


@pytest.fixture(scope="session")
def axe() -> str:
    """Give the script of axe-core, which looks for what keeps people from reading a page."""
    try:
        return (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    except ModuleNotFoundError:
        assert not os.environ.get("CI"), "no axe-core (pip install '.[real]')"
        pytest.skip("no axe-core (pip install '.[real]')")


@pytest.mark.parametrize(("width", "dark"), [(400, True), (1280, False)])
def test_nothing_keeps_anybody_from_reading_it(opened: Open, axe: str, width: int, dark: bool) -> None:
    grown = pictures.server(grown=True)
    for text in (
        report(pictures.server(), grown),
        report(grown),
        report(pictures.snapshot(), pictures.hostile()),
        report(pictures.looked_into(), pictures.looked_into(later=True)),
    ):
        with opened(text, width=width, dark=dark) as page:
            page("document.querySelector('#table tr.row').click()")
            page.click("#composed-list summary")
            page(f"{axe}; 0")
            found = page("axe.run().then(all => all.violations.map(v => [v.id, v.nodes.map(n => n.html)]))")
            assert found == []


COUNTS = [
    1,
    1023,
    1024,
    1025,
    4096,
    10**6,
    10 * 2**20 - 4096,
    10 * 2**20,
    1023 * 2**20,
    2**30 - 1,
    3 * 2**40,
    2**62,
]


def test_the_page_writes_sizes_as_everything_else_does(opened: Open) -> None:
    start, mappings = 0x1000, []
    for size in COUNTS:
        mappings.append(pictures.anonymous(start, size))
        start += size + 1
    with opened(report(pictures.snapshot(*mappings))) as page:
        page.click("th[data-key='where'] button")
        assert column(page, 3) == [units.size(count) for count in COUNTS]
