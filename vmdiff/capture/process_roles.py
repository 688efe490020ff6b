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
_TITLED = re.compile(r"redis-(?:rdb|aof)-[a-z]{1,20}|redis-sentinel|valkey-(?:rdb|aof)-[a-z]{1,20}")
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
        "chromium utility network",
        "chromium utility storage",
        "chromium zygote",
        "php-fpm: pool",
        "redis-rdb-bgsave",
        "redis-server",
        "sshd: session",
    }
)


class Place(NamedTuple):
    """What a role follows from: the executable's name, command line, parent, and the kernel's name."""

    program: str
    words: abc.Sequence[str]
    parent: int | None
    name: str = ""


def roles(places: abc.Mapping[int, Place]) -> dict[int, str]:
    """Return the role of each process of a set, by number."""
    own = {pid: _own_role(place) for pid, place in places.items()}
    return {pid: _in_the_tree(pid, own, places) for pid in places}


def _own_role(place: Place) -> str:
    """Return what the process says of itself."""
    title = place.words[0] if place.words else ""
    if found := _TITLE.match(title):
        return f"{found[1]}: {_kept(found[1], found[2])}"
    words = [part for word in place.words for part in word.split(" ")]  # Chromium joins them in one title
    if kind := next((match[1] for word in words if (match := _TYPE.fullmatch(word))), None):
        service = next((match[1] for word in words if (match := _SERVICE.match(word))), None)
        return " ".join(filter(None, (place.program, kind, service)))
    for word in place.words[:_LOOKED_AT]:
        if found := _PREFORKED.search(word):
            return found[1]
    return _called(place)


def _called(place: Place) -> str:
    """Return the name that a program was started by, which counts where one file is several programs.

    ``/usr/bin/redis-server`` may be a link to ``redis-check-rdb``, and all of BusyBox is one file. The kernel
    keeps the first 15 bytes of the name that was started (TASK_COMM_LEN), and a program may write over its
    arguments, so both must say the same.
    """
    title = place.words[0].partition(" ")[0].rpartition("/")[2].removeprefix("-") if place.words else ""
    if _TITLED.fullmatch(title):
        return title
    alike = title.startswith(place.program) or place.program.startswith(title)
    is_known = bool(title and place.name) and title.encode()[:15].decode(errors="ignore") == place.name
    return title if is_known and not alike else place.program


def _kept(program: str, title: str) -> str:
    if program == "postgres":
        own = title.rpartition(": ")[2]  # cluster_name stands before it
        return next((known for known in _POSTGRES if own.startswith(known)), "backend")
    found = _WORDS.match(title)
    return found[0] if found else "session" if program == "sshd" else "process"


def _in_the_tree(pid: int, own: abc.Mapping[int, str], places: abc.Mapping[int, Place]) -> str:
    """Distinguish a process that was forked by one of the same role from that one."""
    role, parent = own[pid], places[pid].parent
    if parent is not None and parent != pid and own.get(parent) == role:
        return f"{role} worker" if _PREFORKED.search(role) else f"{role} child"
    if _PREFORKED.search(role) and any(
        other.parent == pid and own[number] == role for number, other in places.items()
    ):
        return f"{role} master"
    return role
