"""A comparison or a snapshot as text: one module each, in one literal registry.

`view` chooses the words once; a renderer only dresses them. It gives text and never prints.
"""

from collections import abc
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from vmdiff.comparison import Comparison
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.render import json, markdown, terminal, text
from vmdiff.render.options import By, ViewOptions

__all__ = ["RENDERERS", "By", "Format", "Renderer", "ViewOptions"]


class Format(StrEnum):
    """How a view is written."""

    TERMINAL = "terminal"
    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


class Renderer(NamedTuple):
    """Writes comparisons and single snapshots; *snapshot* gets the findings of `find_in`."""

    comparison: Callable[[Comparison, Sequence[Finding], ViewOptions], str]
    snapshot: Callable[[Snapshot, Sequence[Finding], ViewOptions], str]


RENDERERS: abc.Mapping[Format, Renderer] = {
    Format.TERMINAL: Renderer(terminal.comparison, terminal.snapshot),
    Format.TEXT: Renderer(text.comparison, text.snapshot),
    Format.MARKDOWN: Renderer(markdown.comparison, markdown.snapshot),
    Format.JSON: Renderer(json.comparison, json.snapshot),
}
