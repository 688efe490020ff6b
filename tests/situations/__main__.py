"""Play every situation and write the table of the documentation: ``python -m tests.situations``."""

import sys
import tempfile
from pathlib import Path

import pytest

from tests.situations.catalogue import FIELD, SITUATIONS, Situation, right

PAGE = Path(__file__).parents[2] / "docs" / "situations.md"
_HEAD = """# Situations

What happened to a real program, what it says of itself, and the sentence that vmdiff begins with. Each is a
test (`tests/situations`) that plays the program and holds the sentence against its own account;
`python -m tests.situations` plays them all and writes this page.

| what happened | its own account | the first sentence |
|---|---|---|
"""


_SCREENS = """
## Screens

What a terminal of 80 columns and 24 lines shows (`python -m tests.situations.screens` draws them).

"""
_PICTURES = {
    "redis": "redis, 400,000 keys loaded",
    "redis-deleted": "redis, 90 % of the keys deleted",
    "postgres": "a backend of postgres, a sort in memory",
    "jvm-threads": "a JVM that starts 300 threads",
    "jvm": "a JVM with 300 threads, a heap and direct buffers (`show`)",
    "node": "node, a million objects",
    "python-numpy": "Python with numpy, 20 arrays of 8 MiB",
    "chromium": "a renderer of Chromium, objects and buffers",
}


def screens() -> str:
    return _SCREENS + "\n\n".join(f"![{text}](screens/{name}.svg)" for name, text in _PICTURES.items()) + "\n"


def row(situation: Situation) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            played = situation.play(Path(folder))
        except pytest.skip.Exception as reason:
            print(f"skipped: {situation.title}: {reason}")
            return None
        sentence = played.sentence.replace(folder, "/tmp")
    print(f"{'ok   ' if right(situation, sentence) else 'WRONG'} {situation.title}: {sentence}", flush=True)
    return f"| {situation.title} | {played.account} | {sentence} |\n"


def questions() -> str:
    asked = "".join(f"| {question} | {title} |\n" for question, title in FIELD.items())
    return f"\n## What people ask\n\n| question | the situation above that answers it |\n|---|---|\n{asked}"


def main() -> None:
    wanted = sys.argv[1:]
    chosen = [one for one in SITUATIONS if not wanted or any(word in one.title for word in wanted)]
    rows = [told for one in chosen if (told := row(one)) is not None]
    if not wanted:
        PAGE.write_text(_HEAD + "".join(rows) + questions() + screens())


if __name__ == "__main__":
    main()
