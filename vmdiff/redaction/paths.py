"""Paths: what is everybody's stays, every other name becomes a pseudonym of its own.

Names are replaced one by one, so directories keep their relations, and the same name gets the same
pseudonym in every directory and every file of the run. A file's pseudonym keeps its extension.
"""

import re
from collections.abc import Iterable

from vmdiff.redaction import words
from vmdiff.redaction.pseudonyms import Pseudonyms
from vmdiff.redaction.texts import is_public, label

_MEMORY = re.compile(r"\[(anon|anon_shmem): ?(.*)\]", re.DOTALL)
_SEPARATOR = re.compile(r"([\\/]+)")
_SPECIAL = re.compile(r"(/memfd:|/SYSV|/dmabuf:|anon_inode:)(.*)", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:")


class Paths:
    """Gives the redacted form of paths.

    *public* are base names of system files. They stay in listings that tell no directories, and so
    that these can be matched with listings that do, *everywhere*.
    """

    def __init__(self, names: Pseudonyms, public: Iterable[str] = (), *, everywhere: bool = False) -> None:
        self._names = names
        self._public = frozenset(public)
        self._everywhere = everywhere
        self._known: dict[str, str] = {}

    def __call__(self, path: str) -> str:
        """Give the redacted *path*; different paths stay different, equal ones equal."""
        if path not in self._known:
            self._known[path] = self._redacted(path)
        return self._known[path]

    def _redacted(self, path: str) -> str:
        if words.KERNEL_NAMES.fullmatch(path):
            return path
        if path.startswith("["):
            return self._bracketed(path)
        if special := _SPECIAL.fullmatch(path):
            return self._special(*special.groups())
        return self._file(path)

    def _bracketed(self, path: str) -> str:
        named = _MEMORY.fullmatch(path)
        if named is None:
            return path if is_public(self._names, path) else f"[{self._names.name('name', path)}]"
        before = path[: named.start(2)]
        return f"{before}{self.label(named[2])}]"

    def label(self, text: str) -> str:
        """Redact a name of memory or an owner's label, which may end in a path."""
        words_, slash, rest = text.partition("/")
        if slash and is_public(self._names, words_):
            return words_ + self(slash + rest)
        return label(self._names, text)

    def _special(self, what: str, name: str) -> str:
        if what == "/SYSV":
            return f"{what}{self._names.hexadecimal(name, 8)}"
        if what == "/memfd:":
            return f"{what}{self._names.name('memfd', name)}"
        return f"{what}{label(self._names, name)}"

    def _file(self, path: str) -> str:
        steps = _SEPARATOR.split(path)  # names at even places, separators between
        system = self.is_system(path)
        public = self._public if self._everywhere or len(steps) == 1 else frozenset()
        for at in range(0, len(steps), 2):
            home = at >= 2 and steps[at - 2].casefold() in words.HOMES
            last = at == len(steps) - 1
            stays = not home and (
                (last and steps[at] in public) or self._stays(steps[at], system=system, last=last)
            )
            steps[at] = self._step(steps[at], stays=stays, last=last)
        return "".join(steps)

    def _step(self, name: str, *, stays: bool, last: bool) -> str:
        if name in {"", "."} or (stays and not self._names.betrays(name)):
            return name
        if not last:
            return self._names.name("dir", name)
        stem, extension = _extension(name)
        if not extension or self._names.betrays(extension):
            return self._names.name("file", name)
        return self._names.name("file", stem) + extension

    def _stays(self, name: str, *, system: bool, last: bool) -> bool:
        if (system and is_plain(name)) or _DRIVE.fullmatch(name):
            return True
        if last:
            return words.FILE_PATTERN.fullmatch(name) is not None
        return name in words.DIRECTORIES or words.DIRECTORY_PATTERN.fullmatch(name) is not None

    def is_system(self, path: str) -> bool:
        """Say whether *path* lies in a directory whose files come with the operating system."""
        return words.SYSTEM_DIRECTORIES.match(path) is not None and ".." not in _SEPARATOR.split(path)


def is_plain(name: str) -> bool:
    """Say whether a name below a system directory looks like one that came with the system."""
    return words.PLAIN_NAME.fullmatch(name) is not None and words.LONG_NUMBER.search(name) is None


def base_name(path: str) -> str:
    """Give what follows the last separator."""
    return _SEPARATOR.split(path)[-1]


def _extension(name: str) -> tuple[str, str]:
    """Split a name before its extension, if that is a known one."""
    found = words.EXTENSION_PATTERN.search(name)
    if found and found.start():
        return name[: found.start()], name[found.start() :]
    stem, dot, extension = name.rpartition(".")
    if stem and dot and extension.lower() in words.EXTENSIONS:
        return stem, dot + extension
    return name, ""
