"""What becomes of every text of a snapshot's facts; the mappings have `vmdiff.redaction.mapping_redaction`.

The table below names every place of the document that holds text. A place that is not named cannot
be redacted: it fails loudly instead of leaking.
"""

from collections import abc
from typing import Any

from pydantic import BaseModel

from vmdiff.capture.process_roles import WELL_KNOWN_ROLES
from vmdiff.redaction import texts, vocabulary
from vmdiff.redaction.paths import Paths
from vmdiff.redaction.pseudonyms import Pseudonyms

Policy = abc.Callable[[Pseudonyms, str], str]


def kept(_: Pseudonyms, text: str) -> str:
    """Keep a text that the model allows only a few values."""
    return text


# ``[]`` are the items of a list, ``{}`` the keys of an object, ``{}.`` its values. What needs more
# than the text itself -- paths, and the process's name, which depends on them -- is done by `facts`.
POLICIES: abc.Mapping[str, Policy] = {
    "format": kept,
    "label": texts.pseudonym("label"),
    # Programs choose by them: the names that everybody uses stay, and equal values stay equal.
    "tags{}": texts.one_of(vocabulary.TAGS, "tag"),
    "tags{}.": texts.pseudonym("value"),
    "origin.source": texts.one_of(vocabulary.SOURCES, "source"),
    "origin.tool": texts.tool,
    "origin.detail": kept,
    "origin.doubts[]": texts.sentence,
    "origin.counters[]": texts.key,
    "origin.attributes[]": texts.key,
    "origin.redaction.run": texts.pseudonym("run"),
    "host.name": texts.pseudonym("host"),
    "host.system": texts.one_of(vocabulary.SYSTEMS, "system"),
    "host.kernel": texts.kernel,
    "host.machine": texts.one_of(vocabulary.MACHINES, "machine"),
    "host.boot_id": texts.uuid,
    "host.transparent_hugepages": texts.one_of(vocabulary.HUGE_PAGE_MODES, "mode"),
    "process.pid_namespace": texts.namespace,
    "process.name": texts.pseudonym("program"),
    "process.executable": texts.pseudonym("program"),
    "process.role": texts.one_of(WELL_KNOWN_ROLES, "role"),
    "process.arguments[]": texts.pseudonym("argument"),
    "process.user": texts.pseudonym("user"),
    "process.threads[].name": texts.pseudonym("thread"),
    "process.limits{}": texts.one_of(vocabulary.LIMITS, "limit"),
    "process.limits{}.": kept,
    "process.cgroup": texts.cgroup,
    "process.unmapped_files[].path": texts.pseudonym("file"),
    "rollup{}": texts.key,
    "usage[].owner": texts.owner,
    "usage[].label": texts.label,
    "usage[].source": texts.sentence,
    "usage[].certainty": kept,
    "usage[].types_certainty": kept,
    "usage[].types[][]": texts.one_of(vocabulary.TYPES, "type"),
    "usage[].partial": texts.sentence,
}

# What a set of processes has beside its members.
SET_POLICIES: abc.Mapping[str, Policy] = {
    "cgroup.path": texts.cgroup,
    "cgroup.events{}": texts.key,
    "cgroup.events{}.": kept,
    "cgroup.stat{}": texts.key,
    "cgroup.stat{}.": kept,
    "missing[].name": texts.pseudonym("program"),
    "missing[].reason": texts.sentence,
}


def redacted(value: Any, place: str, policies: abc.Mapping[str, Policy], names: Pseudonyms) -> Any:
    """Return *value* with every text in it treated as *policies* say of its place.

    Raises:
        KeyError: a place that no policy is named for; nothing is given then.
    """
    match value:
        case str():
            return policies[place](names, value)
        case BaseModel():
            return _model(value, place, policies, names)
        case tuple():
            return tuple(redacted(item, f"{place}[]", policies, names) for item in value)
        case dict():
            return {
                policies[f"{place}{{}}"](names, key): redacted(item, f"{place}{{}}.", policies, names)
                for key, item in value.items()
            }
        case _:
            return value  # numbers, times, booleans and what is unknown


def _model(value: BaseModel, place: str, policies: abc.Mapping[str, Policy], names: Pseudonyms) -> BaseModel:
    return type(value).model_validate(fields(value, place, policies, names))


def fields(
    value: BaseModel, place: str, policies: abc.Mapping[str, Policy], names: Pseudonyms
) -> dict[str, Any]:
    """Return the fields of a model, redacted; a snapshot's mappings are left to others.

    What its pages hold is left out: fingerprints are of contents, and their key is not the redaction's.
    """
    return {
        field: redacted(getattr(value, field), f"{place}.{field}".removeprefix("."), policies, names)
        for field in type(value).model_fields
        if place or field not in {"mappings", "pages"}
    }


def facts_policies(paths: Paths, name: str | None) -> abc.Mapping[str, Policy]:
    """Return the policies where the executable is a path and the process's *name* may be told (or None)."""
    of_file: Policy = lambda _, text: paths(text)  # noqa: E731
    special = {"process.executable": of_file, "process.unmapped_files[].path": of_file}
    if name is not None:
        special["process.name"] = kept
    return {**POLICIES, **special}
