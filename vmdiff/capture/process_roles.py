"""What a process does among others: ``postgres: checkpointer``, ``chromium renderer``, ``gunicorn worker``.

A role is made of the executable's name and of the words of the command line that programs use to tell
their processes apart. No other word of the command line is kept, for it may hold a secret.
"""

import re
from collections import abc
from typing import NamedTuple

# Titles that programs write over their command line (setproctitle and the like): the program, a colon, and
# what it does. Only words in this list are kept: others name users, databases, pools, addresses.
_TITLE = re.compile(
    r"(postgres|nginx|gunicorn|sshd|php-fpm[0-9.]*|puma|sidekiq|unicorn|celeryd?)\b[^:]{0,40}: (.{1,200})"
)
_POSTGRES = (
    "autovacuum launcher",
    "autovacuum worker",
    "background writer",
    "archiver",
    "checkpointer",
    "io worker",
    "logger",
    "logical replication apply worker",
    "logical replication launcher",
    "logical replication worker",
    "parallel worker",
    "slotsync worker",
    "startup",
    "stats collector",
    "walreceiver",
    "walsender",
    "walwriter",
)
_WORDS = re.compile(
    r"cache loader process|cache manager process|master process|worker process|master|worker|pool|listener"
    r"|cluster worker|arbiter"
)
_TYPE = re.compile(r"--type=([a-z][a-z-]{0,30})")
_SERVICE = re.compile(r"--utility-sub-type=([a-z_]{1,30})\.mojom\.")
_PREFORKED = re.compile(r"(?:^|/)(gunicorn|celery|uvicorn|hypercorn|uwsgi|unicorn|puma|sidekiq|hivemind|rq)$")
_LOOKED_AT = 8  # words of a command line: an interpreter and its options stand before a script


# Roles that everybody's programs have: they name nobody, so redaction keeps them.
WELL_KNOWN_ROLES = frozenset(
    {
        *(f"postgres: {words}" for words in (*_POSTGRES, "backend")),
        *(f"nginx: {words} process" for words in ("master", "worker", "cache manager", "cache loader")),
        *(f"gunicorn{words}" for words in ("", " master", " worker", ": master", ": worker")),
        "chromium",
        "chromium gpu-process",
        "chromium renderer",
        "chromium utility",
        "chromium zygote",
        "php-fpm: pool",
        "redis-server",
        "sshd: session",
    }
)


class Place(NamedTuple):
    """What a role follows from: the executable's name, the command line, and the parent's number."""

    program: str
    words: abc.Sequence[str]
    parent: int | None


def roles(places: abc.Mapping[int, Place]) -> dict[int, str]:
    """Return the role of each process of a set, by number."""
    own = {pid: _own_role(place) for pid, place in places.items()}
    return {pid: _in_the_tree(pid, own, places) for pid in places}


def _own_role(place: Place) -> str:
    """Return what the process says of itself."""
    title = place.words[0] if place.words else ""
    if found := _TITLE.match(title):
        return f"{found[1]}: {_kept(found[1], found[2])}"
    if kind := next((match[1] for word in place.words if (match := _TYPE.fullmatch(word))), None):
        service = next((match[1] for word in place.words if (match := _SERVICE.match(word))), None)
        return " ".join(filter(None, (place.program, kind, service)))
    for word in place.words[:_LOOKED_AT]:
        if found := _PREFORKED.search(word):
            return found[1]
    return place.program


def _kept(program: str, title: str) -> str:
    if program == "postgres":
        own = title.rpartition(": ")[2]  # cluster_name stands before it
        return next((known for known in _POSTGRES if own.startswith(known)), "backend")
    found = _WORDS.match(title)
    return found[0] if found else "session" if program == "sshd" else "process"


def _in_the_tree(pid: int, own: abc.Mapping[int, str], places: abc.Mapping[int, Place]) -> str:
    """Tell a process that was forked by one of the same role from that one."""
    role, parent = own[pid], places[pid].parent
    if parent is not None and parent != pid and own.get(parent) == role:
        return f"{role} worker" if _PREFORKED.search(role) else f"{role} child"
    if _PREFORKED.search(role) and any(
        other.parent == pid and own[number] == role for number, other in places.items()
    ):
        return f"{role} master"
    return role
