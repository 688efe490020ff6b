"""Screens of 80 by 24 for the documentation: ``python -m tests.situations.screens [NAME...]``.

Each is what a terminal of that size shows of a situation, drawn as SVG.
"""

import io
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

import vmdiff
from tests.owners.test_chromium import renderers
from tests.report.browser import open_browser
from tests.situations import catalogue
from tests.situations.catalogue import Played
from vmdiff.findings import find, find_in
from vmdiff.report import RENDERERS, Format, ViewOptions

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
SCREEN = ViewOptions(width=80, height=24, colour=True)


def written(played: Played, command: str) -> str:
    """Write what the terminal shows, with the command above it."""
    if played.before is played.after:
        shown = RENDERERS[Format.TERMINAL].snapshot(played.after, find_in(played.after), SCREEN)
    else:
        found = vmdiff.compare(played.before, played.after)
        shown = RENDERERS[Format.TERMINAL].comparison(found, find(found), SCREEN)
    return f"$ {command}\n{str(shown).rstrip()}"


def drawn(text: str, title: str) -> str:
    """Draw a terminal without the fonts that Rich would fetch."""
    console = Console(record=True, width=81, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text))
    picture = console.export_svg(title=title, unique_id=re.sub("[^a-z]", "", title.lower()))
    return re.sub(r"@font-face \{.*?\}\s*|<!-- .*? -->\s*", "", picture, flags=re.DOTALL)


def chromium(folder: Path) -> Played:
    """Play a renderer whose page makes 600,000 objects and eight buffers of 8 MiB."""
    page = folder / "page.html"
    page.write_text("<!doctype html><title>memory</title><p>memory")
    with open_browser(folder) as browser, browser.page(page) as opened:
        before = {pid: vmdiff.snap(pid) for pid in renderers(str(folder))}
        opened("window.kept = Array.from({length: 600000}, (_, at) => ({at, list: [at]})); 1")
        opened("window.buffers = Array.from({length: 8}, () => new Uint8Array(8 << 20).fill(1)); 1")
        after = {pid: vmdiff.snap(pid) for pid in before}
        # Which of the renderers is the page's own shows in what it did; others are spare.
        pid = max(before, key=lambda one: (after[one].total("rss") or 0) - (before[one].total("rss") or 0))
        return Played(before[pid], after[pid])


def shown(play: Callable[[Path], Played]) -> Callable[[Path], Played]:
    def after(folder: Path) -> Played:
        played = play(folder)
        return Played(played.after, played.after)

    return after


SCREENS: dict[str, tuple[str, Callable[[Path], Played]]] = {
    "redis": ("vmdiff compare before.json after.json", catalogue.redis_loaded),
    "redis-deleted": ("vmdiff compare before.json after.json", catalogue.redis_deleted),
    "postgres": ("vmdiff compare before.json after.json", catalogue.postgres_sort),
    "jvm-threads": ("vmdiff compare before.json after.json", catalogue.java("threads")),
    "jvm": ("vmdiff show pid:4711", shown(catalogue.java("heap", "direct", "threads"))),
    "node": ("vmdiff compare before.json after.json", catalogue.node("objects")),
    "python-numpy": ("vmdiff compare before.json after.json", catalogue.python("import-numpy", "numpy")),
    "chromium": ("vmdiff compare before.json after.json", chromium),
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or SCREENS:
        command, play = SCREENS[name]
        with tempfile.TemporaryDirectory() as folder:
            text = written(play(Path(folder)), command)
        (FOLDER / f"{name}.svg").write_text(drawn(text, name))
        print(re.sub(r"\x1b\[[0-9;]*m", "", text))


if __name__ == "__main__":
    main()
