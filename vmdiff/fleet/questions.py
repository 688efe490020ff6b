"""The questions that can be asked of a fleet: one SQL file each, the same text for every engine.

The SQL reads two views: ``pieces``, the exported rows with two columns added (``who``: the owner, or
the kind in parentheses where there is none; ``tag``: the value of the tag that the question is about),
and ``parameters``, one row. It uses only what DuckDB and Spark understand alike (no ``epoch()``,
``arg_max``, ``qualify``, ``quantile_cont`` or ``corr``); a test checks it with sqlglot.
"""

import re
from collections import abc
from functools import cached_property
from importlib.resources import files
from typing import Literal, NamedTuple

from vmdiff.errors import ConditionError

Unit = Literal["bytes", "change", "change per hour", "count", "percent", "text"]

MOST_ROWS = 20
_BETWEEN = re.compile(r"([A-Za-z0-9_.-]{1,64})=(.{1,200})\.\.(.{1,200})")


class Asked(NamedTuple):
    """What a question is asked with; the columns of the view ``parameters`` and the tag it is about."""

    most: int = MOST_ROWS
    tag: str | None = None
    tag_before: str | None = None
    tag_after: str | None = None
    path: str | None = None

    @property
    def path_like(self) -> str | None:
        """The path pattern for SQL's LIKE, with ``!`` as its escape character."""
        if self.path is None:
            return None
        escaped = re.sub(r"([!%_])", r"!\1", self.path)
        return escaped.replace("*", "%").replace("?", "_")

    def record(self) -> dict[str, str | int]:
        """Return what was asked, for the answer's document: without what was not."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Question:
    """A question: its SQL file, a sentence about it, and what its columns hold."""

    def __init__(
        self,
        name: str,
        about: str,
        columns: abc.Mapping[str, Unit],
        needs: Literal["between", "path"] | None = None,
    ) -> None:
        self.name = name
        self.about = about
        self.columns = columns
        self.needs = needs

    def __str__(self) -> str:
        return self.name

    @cached_property
    def sql(self) -> str:
        """The text that both engines run."""
        return (files("vmdiff.fleet") / "questions" / f"{self.name}.sql").read_text(encoding="utf-8")


QUESTIONS: abc.Mapping[str, Question] = {
    question.name: question
    for question in (
        Question(
            "top",
            "what holds the most memory now",
            {
                "who": "text",
                "hosts": "count",
                "rss": "bytes",
                "swap": "bytes",
                "median_rss": "bytes",
                "largest_rss": "bytes",
                "largest_host": "text",
            },
        ),
        Question(
            "growth",
            "what grew between two values of a tag, by the share of hosts on which it grew",
            {
                "who": "text",
                "hosts": "count",
                "grew": "count",
                "grew_percent": "percent",
                "median_delta": "change",
                "delta": "change",
                "largest_delta": "change",
                "largest_host": "text",
            },
            needs="between",
        ),
        Question(
            "outliers",
            "which hosts hold far more or less of something than the others",
            {
                "host": "text",
                "process": "text",
                "who": "text",
                "rss": "bytes",
                "median_rss": "bytes",
                "hosts": "count",
                "z": "count",
            },
        ),
        Question(
            "trend",
            "what grows over time, on which host",
            {
                "host": "text",
                "process": "text",
                "pid": "count",
                "who": "text",
                "points": "count",
                "first_rss": "bytes",
                "last_rss": "bytes",
                "rss_per_hour": "change per hour",
                "verdict": "text",
            },
        ),
        Question(
            "who",
            "which hosts map a file, and which builds of it",
            {
                "path": "text",
                "build_id": "text",
                "hosts": "count",
                "processes": "count",
                "first_host": "text",
            },
            needs="path",
        ),
    )
}


def find_question(name: str) -> Question:
    """Return the question of that name.

    Raises:
        ConditionError: there is none.
    """
    if name not in QUESTIONS:
        raise ConditionError(f"no question {name!r}; there are {', '.join(QUESTIONS)}")
    return QUESTIONS[name]


def parameters(question: Question | None, *, between: str | None, path: str | None, most: int) -> Asked:
    """Check what a question is asked with; a text of one's own (None) may be asked with anything.

    Raises:
        ConditionError: something that it needs is missing, or is not for it.
    """
    for name, value in (("between", between), ("path", path)):
        if question is not None and (value is not None) != (question.needs == name):
            verb = "needs" if value is None else "takes no"
            example = {"between": "version=1.4..1.5", "path": "'*/libssl*'"}[name]
            raise ConditionError(f"{question.name}: {verb} --{name}, such as --{name} {example}")
    if path is not None and "[" in path:
        raise ConditionError(f"--path {path}: only * and ? are wildcards here")
    if between is None:
        return Asked(most=most, path=path)
    found = _BETWEEN.fullmatch(between)
    if found is None:
        raise ConditionError(f"--between {between}: write TAG=BEFORE..AFTER, such as version=1.4..1.5")
    return Asked(most=most, tag=found[1], tag_before=found[2], tag_after=found[3])
