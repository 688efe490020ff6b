"""What a reader may choose about a view, whatever it is dressed in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line needs these choices before it needs any model
    from vmdiff.selector import Selector


class By(StrEnum):
    """What a row of the table stands for."""

    MAPPING = "mapping"
    KIND = "kind"
    OWNER = "owner"
    OBJECT = "object"


class Format(StrEnum):
    """How a view is written."""

    TERMINAL = "terminal"
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    FOLDED = "folded"
    PPROF = "pprof"
    OPENMETRICS = "openmetrics"


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """The reader's choices.

    *by* None is the usual view: a short table of groups, then the rows of mappings. *sort* is a
    counter's name (or ``virtual``, ``resident``, ``private``, ``address``), None the usual order.
    *minimum* is in bytes: smaller rows are folded. *only* folds what it does not select. *rows* is how
    many a table shows before it folds the rest (None: all of them); *show_all* unfolds crowds too.
    *width* is in columns, for what has columns, *height* in lines: a table is cut so that all fits on one
    screen (None: there is none). *colour* asks for escape sequences, for what can have them.
    """

    by: By | None = None
    sort: str | None = None
    minimum: int = 0
    only: "Selector | None" = None
    show_all: bool = False
    rows: int | None = 20  # with the headline and the groups, about one screen
    width: int = 80
    height: int | None = None
    colour: bool = False


USUAL = ViewOptions()
