"""What is lost, to read: plain text, Markdown, and one HTML page without scripts."""

from collections.abc import Iterator
from html import escape

from vmdiff import units
from vmdiff.harmless_text import printable
from vmdiff.leaks.leak_report import LeakReport, LostGroup

_SHOWN = 20
_STYLE = (
    "body{font:15px sans-serif;margin:2em;max-width:60em}td,th{padding:.2em .8em;text-align:right}"
    "td:last-child,th:last-child{text-align:left}"
)


def headline(report: LeakReport) -> str:
    """Return the first sentence."""
    lost, searched = report.lost, report.searched
    name = printable(report.process.name or "the process")
    if not searched.blocks:
        return f"{name}: no blocks could be searched"
    if not lost.blocks:
        return f"{name}: none of {searched.blocks:,} blocks ({units.size(searched.bytes)}) looks lost"
    text = (
        f"{name}: {units.size(lost.bytes)} in {lost.blocks:,} blocks are likely lost,"
        f" of {units.size(searched.bytes)} in {searched.blocks:,}"
    )
    return text if report.new is None else f"{text}; new since then: {units.size(report.new.bytes)}"


def _header(report: LeakReport) -> list[str]:
    new = ["new"] if report.new is not None else []
    return ["lost", "blocks", "of", "roots", "with what they hold", *new, "class"]


def _cells(report: LeakReport, group: LostGroup) -> list[str]:
    held = group.held.bytes if group.held and group.roots else None
    new = [] if report.new is None else [units.size(group.new.bytes) if group.new else "?"]
    return [
        units.size(group.bytes),
        f"{group.blocks:,}",
        units.size(group.size),
        f"{group.roots:,}",
        "-" if held is None else units.size(held),
        *new,
        printable(group.name or "(no class)"),
    ]


def _rows(report: LeakReport, *, show_all: bool) -> list[list[str]]:
    shown = report.groups if show_all else report.groups[:_SHOWN]
    return [_header(report), *(_cells(report, group) for group in shown)]


def _notes(report: LeakReport, *, show_all: bool) -> Iterator[str]:
    if not show_all and len(report.groups) > _SHOWN:
        yield f"{len(report.groups) - _SHOWN} more groups: --all"
    if report.others is not None:
        yield (
            f"{units.size(report.others.bytes)} more in {report.others.blocks:,} blocks of further groups:"
            " a report holds no more"
        )
    if report.frozen_seconds is not None:
        yield f"The process stood still for {report.frozen_seconds * 1000:.0f} ms."
    yield from (f"Not searched: {printable(what)}" for what in report.searched.not_)


def text(report: LeakReport, *, show_all: bool = False) -> str:
    """Return the report for a terminal."""
    lines = [headline(report), ""]
    if report.groups:
        rows = _rows(report, show_all=show_all)
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
        for row in rows:
            cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*cells, row[-1]]))
        lines.append("")
    return "\n".join([*lines, *_notes(report, show_all=show_all)]) + "\n"


def markdown(report: LeakReport, *, show_all: bool = False) -> str:
    """Return the report as Markdown."""
    lines = [f"**{_plain(headline(report))}**", ""]
    if report.groups:
        head, *rows = _rows(report, show_all=show_all)
        lines += [f"| {' | '.join(head)} |", "|" + "---:|" * (len(head) - 1) + "---|"]
        lines += [f"| {' | '.join(map(_plain, row))} |" for row in rows]
        lines.append("")
    return "\n".join([*lines, *(f"* {_plain(note)}" for note in _notes(report, show_all=show_all))]) + "\n"


def _plain(words: str) -> str:
    r"""Neutralise what Markdown would take for markup."""
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>|#" else letter for letter in words)


def html(report: LeakReport) -> str:
    """Return the report as a page that loads and runs nothing."""
    head, *rows = _rows(report, show_all=True)
    table = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    notes = "".join(f"<li>{escape(note)}</li>" for note in _notes(report, show_all=True))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>vmdiff leaks</title>'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><h1>{escape(headline(report))}</h1>"
        f"<table><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>{table}</table>"
        f"<ul>{notes}</ul></body></html>\n"
    )
