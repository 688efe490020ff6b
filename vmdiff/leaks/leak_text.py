"""What is lost, to read: plain text, Markdown, and one HTML page without scripts."""

from collections.abc import Iterator
from html import escape
from textwrap import wrap

from vmdiff import units
from vmdiff.harmless_text import printable
from vmdiff.leaks.leak_report import LeakReport, LostGroup

_SHOWN = 20
_WIDTH = 80
_STYLE = (
    ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#5c6670;--line:#d9dee3;--bar:#4f7cac33;--back:#fff}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e3e6ea;--dim:#9aa4ae;--line:#363c44;--bar:#6fa0d455;"
    "--back:#15181c}}"
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;padding:0 1rem;max-width:62rem;"
    "color:var(--ink);background:var(--back)}"
    "h1{font-size:1.35rem;font-weight:600;margin:0 0 .2rem}p,li{color:var(--dim)}p{margin:0 0 1.2rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}"
    "th{font-weight:500;color:var(--dim)}td,th{padding:.25rem .7rem;text-align:right;white-space:nowrap;"
    "border-bottom:1px solid var(--line)}"
    "td:last-child,th:last-child{text-align:left;white-space:normal;width:50%;overflow-wrap:anywhere}"
    "ul{padding-left:1.2rem;margin-top:1.2rem}"
)
_ROOTS = "Roots: lost blocks that no other lost block points to, one of each circle. Look at these first."


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


def _moment(report: LeakReport) -> str:
    """Return which process it was, and when."""
    pid = f"pid {report.process.pid}" if report.process.pid is not None else "pid unknown"
    when = "at an unknown time" if report.taken_at is None else f"{report.taken_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{pid}, {when}"


def _header(report: LeakReport) -> list[str]:
    new = ["new"] if report.new is not None else []
    return ["lost", "blocks", "of each", "roots", "lost with roots", *new, "class"]


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
    if report.groups:
        yield _ROOTS
    if report.frozen_seconds is not None:
        yield f"The process stood still for {report.frozen_seconds * 1000:.0f} ms."
    yield from (f"Not searched: {printable(what)}" for what in report.searched.not_)


def text(report: LeakReport, *, show_all: bool = False) -> str:
    """Return the report for a terminal; only a class with a long name makes a line longer than 80."""
    lines = [*wrap(headline(report), _WIDTH), _moment(report), ""]
    if report.groups:
        rows = _rows(report, show_all=show_all)
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
        for row in rows:
            cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*cells, row[-1]]))
        lines.append("")
    notes = (line for note in _notes(report, show_all=show_all) for line in wrap(note, _WIDTH))
    return "\n".join([*lines, *notes]) + "\n"


def markdown(report: LeakReport, *, show_all: bool = False) -> str:
    """Return the report as Markdown."""
    lines = [f"**{_plain(headline(report))}**", "", _plain(_moment(report)), ""]
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
    table = _html_table(report) if report.groups else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in _notes(report, show_all=True))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>vmdiff leaks</title>'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><h1>{escape(headline(report))}</h1>"
        f"<p>{escape(_moment(report))}</p>{table}<ul>{notes}</ul></body></html>\n"
    )


def _html_table(report: LeakReport) -> str:
    """Return the groups; behind each class lies a bar, as long as its share of what is lost."""
    head, *rows = _rows(report, show_all=True)
    lines = [f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"]
    for cells, group in zip(rows, report.groups, strict=True):
        share = 100 * group.bytes / report.lost.bytes if report.lost.bytes else 0
        bar = f"linear-gradient(to right,var(--bar) {share:.1f}%,transparent {share:.1f}%)"
        numbers = "".join(f"<td>{escape(cell)}</td>" for cell in cells[:-1])
        lines.append(f'<tr>{numbers}<td style="background:{bar}">{escape(cells[-1])}</td></tr>')
    return f"<table>{''.join(lines)}</table>"
