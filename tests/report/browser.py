"""A real headless Chromium, driven over the pipe of its DevTools protocol: no driver, no socket, no port."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any, Self

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
# A browser reads from descriptor 3 and writes to 4, wherever the pipes' own ends are.
_TRAMPOLINE = """
import os, sys
from fcntl import F_DUPFD, fcntl
reading, writing = (fcntl(int(end), F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(reading, 3)
os.dup2(writing, 4)
os.close(reading), os.close(writing)
os.execv(sys.argv[3], sys.argv[3:])
"""
PATIENCE = 60  # seconds in which a browser answers, on a machine that does other things too


class BrowserError(Exception):
    """The browser said that something cannot be done, or a script of a page failed."""


class Browser:
    """A browser process; `page` opens a page in it."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._buffer = b""
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Ask for one thing and wait for its answer; what happens meanwhile is kept in `events`."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method: str, session: str) -> dict[str, Any]:
        """Wait until something happens in a page, unless it has already."""
        while True:
            for event in self.events:
                if event.get("method") == method and event.get("sessionId") == session:
                    return event["params"]
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select([self._reading], [], [], PATIENCE)[0]:
                raise BrowserError(f"the browser said nothing for {PATIENCE} seconds")
            piece = os.read(self._reading, 1 << 20)
            if not piece:
                raise BrowserError("the browser is gone")
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    @contextmanager
    def page(
        self, file: Path, *, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True
    ) -> "Iterator[Page]":
        """Open a file as a person would, and close it again."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, runs_scripts=scripts)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        page.scheme("dark" if dark else "light")
        page.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        page.call("Page.navigate", url=file.as_uri())
        self.wait_for("Page.loadEventFired", session)
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)
            self.events = [event for event in self.events if event.get("sessionId") != session]


class Page:
    """One open page."""

    def __init__(self, browser: Browser, session: str, *, runs_scripts: bool) -> None:
        self._browser, self._session = browser, session
        self._runs_scripts = runs_scripts

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def __call__(self, expression: str) -> Any:
        """Give the value of an expression of JavaScript, waited for if it is a promise."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise BrowserError(found["exceptionDetails"]["exception"].get("description", expression))
        return found["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """Give the text of every element, as a reader sees it."""
        return self(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText.trim())")

    def settle(self) -> None:
        """Wait until what was asked for is painted; without scripts nothing is still to come."""
        if not self._runs_scripts:
            return
        self("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse."""
        self.click_at(*self.middle(selector))

    def middle(self, selector: str) -> tuple[float, float]:
        box = self(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            f" return [b.x + b.width / 2, b.y + b.height / 2] }})(document.querySelector({json.dumps(selector)}))"
        )
        return box[0], box[1]

    def click_at(self, x: float, y: float) -> None:
        self.move_to(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def move_to(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, *keys: str) -> None:
        """Press keys one after the other: ``ArrowDown``, ``Enter``, ``a``."""
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, "End": 35, "Home": 36, "PageDown": 34, "PageUp": 33,
                 "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, " ": 32}  # fmt: skip
        for key in keys:
            typed = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
            code = codes.get(key, 0)
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **typed)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scheme(self, name: str) -> None:
        """Make the system's preference ``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        self.settle()

    def picture(self, *, whole: bool = False) -> bytes:
        """Take a PNG of what is seen, or of the whole page."""
        return base64.b64decode(
            self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        )

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    @property
    def complaints(self) -> list[str]:
        """What the page's console or its policy had to complain of."""
        self.settle()
        mine = [event for event in self._browser.events if event.get("sessionId") == self._session]
        thrown = [str(e["params"]) for e in mine if e["method"] == "Runtime.exceptionThrown"]
        logged = [e["params"]["entry"]["text"] for e in mine if e["method"] == "Log.entryAdded"]
        said = [str(e["params"]["args"]) for e in mine if e["method"] == "Runtime.consoleAPICalled"]
        return thrown + logged + said

    @property
    def requests(self) -> list[str]:
        """What the page asked for, itself included."""
        mine = [event for event in self._browser.events if event.get("sessionId") == self._session]
        return [e["params"]["request"]["url"] for e in mine if e["method"] == "Network.requestWillBeSent"]


class _Process:
    """The browser's process, ended and waited for when the test is over."""

    def __init__(self, profile: Path) -> None:
        ours_read, its_write = os.pipe()
        its_read, ours_write = os.pipe()
        self.reading, self.writing = ours_read, ours_write

        command = [sys.executable, "-c", _TRAMPOLINE, str(its_read), str(its_write), str(PROGRAM)]
        self._process = subprocess.Popen(
            [*command, *QUIET, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(its_read, its_write),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        os.close(its_read)
        os.close(its_write)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.writing)  # a browser whose pipe is closed ends by itself
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self.reading)


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """Start a browser with an empty profile."""
    with _Process(profile) as process:
        yield Browser(process.reading, process.writing)
