"""The two views that questions read, in SQL that both engines take as it is."""

import re
from collections import abc

from vmdiff.errors import ConditionError, InputError
from vmdiff.fleet.columns import TAG, tag_column
from vmdiff.fleet.questions import Asked

# A join on a column that is null finds nothing, so what many snapshots lack gets a value of its own.
_INSTEAD = {"host": "'(unknown)'", "process": "'(unknown)'", "pid": "0"}
_WHO = "coalesce(owner, concat('(', kind, ')'))"


def pieces_view(source: str, columns: abc.Sequence[str], tag: str | None) -> str:
    """Return the SELECT of the view ``pieces`` over *source*, a table expression of the engine.

    Raises:
        ConditionError: the question is about a tag that no snapshot has.
    """
    selected = [
        f"coalesce({_quoted(name)}, {_INSTEAD[name]}) as {name}" if name in _INSTEAD else _quoted(name)
        for name in columns
    ]
    return f"select {', '.join(selected)}, {_WHO} as who, {_tag(tag, columns)} as tag from {source}"  # noqa: S608  # names are checked


def parameters_view(parameters: Asked) -> str:
    """Return the SELECT of the view ``parameters``, one row."""
    values = {
        "most": str(parameters.most),
        "tag_before": _literal(parameters.tag_before),
        "tag_after": _literal(parameters.tag_after),
        "path_like": _literal(parameters.path_like),
    }
    return "select " + ", ".join(f"{value} as {name}" for name, value in values.items())


def require_pieces(columns: abc.Sequence[str], place: str) -> None:
    """Check that files are an export of vmdiff.

    Raises:
        InputError: they lack the columns of one.
    """
    missing = {"snapshot", "taken_at", "host", "kind", "owner", "rss"} - set(columns)
    if missing:
        raise InputError(
            f"{place}: no export of vmdiff: no column {min(missing)!r}; make one with vmdiff export"
        )


def _tag(tag: str | None, columns: abc.Sequence[str]) -> str:
    if tag is None:
        return "cast(null as string)"
    if tag_column(tag) in columns:
        return _quoted(tag_column(tag))
    known = ", ".join(name.removeprefix(TAG) for name in columns if name.startswith(TAG))
    raise ConditionError(
        f"no snapshot has the tag {tag!r}; {f'there are {known}' if known else 'there are no tags'}"
    )


def _quoted(name: str) -> str:
    """Quote a column's name as both engines accept it: exported names need no quotes at all."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise InputError(f"column {name[:64]!r} is none that vmdiff exports")
    return name


def _literal(text: str | None) -> str:
    """Write a string for SQL. Spark reads a backslash in one as an escape, DuckDB does not."""
    if text is None:
        return "cast(null as string)"
    if "\\" in text or not text.isprintable():
        raise ConditionError(f"{text!r}: backslashes and control characters cannot be asked for")
    return "'" + text.replace("'", "''") + "'"
