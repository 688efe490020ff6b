"""Reports of what is lost, as strangers may see them: names become pseudonyms."""

from collections.abc import Sequence

from vmdiff.leaks.leak_report import LeakReport, SearchedMemory
from vmdiff.model import Snapshot, Usage
from vmdiff.model.snapshot import Origin
from vmdiff.redaction import redact


def redact_reports(reports: Sequence[LeakReport], *, key: bytes | None = None) -> tuple[LeakReport, ...]:
    """Redact reports alike: one name has one pseudonym in all of them.

    With a *key* they match what else is redacted with it, snapshots among them.
    """
    shells = redact([_shell(report) for report in reports], key=key)
    return tuple(_redacted(report, shell) for report, shell in zip(reports, shells, strict=True))


def _names(report: LeakReport) -> list[str]:
    return list(dict.fromkeys(group.name for group in report.groups if group.name is not None))


def _shell(report: LeakReport) -> Snapshot:
    """Return a snapshot that has the report's texts where redaction knows what becomes of them."""
    types = tuple((name, 0, 0) for name in _names(report))
    usage = (Usage(owner="malloc heap", source="none", certainty="likely", types=types),) if types else ()
    origin = Origin(source="vmdiff", doubts=report.searched.not_)
    return Snapshot(origin=origin, process=report.process, usage=usage, mappings=())


def _redacted(report: LeakReport, shell: Snapshot) -> LeakReport:
    types = shell.usage[0].types if shell.usage else ()
    names = dict(zip(_names(report), (name for name, _, _ in types), strict=True))
    searched = SearchedMemory.model_validate(
        {
            "blocks": report.searched.blocks,
            "bytes": report.searched.bytes,
            "not": shell.origin.doubts[: len(report.searched.not_)],
        }
    )
    groups = tuple(
        group.model_copy(update={"name": None if group.name is None else names[group.name]})
        for group in report.groups
    )
    return report.model_copy(
        update={"process": shell.process, "searched": searched, "groups": groups, "redacted": True}
    )
