"""Paths: what is everybody's stays, every other name becomes a pseudonym of its own.

Names are replaced one by one, so directories keep their relations, and the same name gets the same
pseudonym in every directory and every file of the run. A file's pseudonym keeps its extension.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from vmdiff.model import LONGEST_STRING
from vmdiff.redaction import vocabulary
from vmdiff.redaction.pseudonyms import LONGEST_NAME, Pseudonyms
from vmdiff.redaction.texts import is_public, label

_MEMORY = re.compile(r"\[(anon|anon_shmem): ?(.*)\]", re.DOTALL)
_SEPARATOR = re.compile(r"([\\/]+)")
_SPECIAL = re.compile(r"(/memfd:|/SYSV|/dmabuf:|anon_inode:)(.*)", re.DOTALL)
# A version or the hash of a build inside a file's name, as `by_structure.objects` understands them.
_VERSION = re.compile(r"([-_.]?)([0-9][0-9.]*|[0-9a-f]{8,})(?=$|[-_.])")
_NUMBER = re.compile(r"[0-9]+")
_ROOM = 28  # letters that a pseudonym of a temporary file has more than its name: room for its numbers
_DRIVE = re.compile(r"[A-Za-z]:")


class Paths:
    """Gives the redacted form of paths.

    *public* are base names of system files. They stay in listings that tell no directories; and
    *everywhere*, where the version may be another, so that whatever could be matched still can be.
    *temporary* are the base names of files that different runs call differently (None: those of folders
    for such files). Different runs are matched by the length of these names, so the lengths of the
    pseudonyms differ as theirs do.
    """

    def __init__(
        self,
        names: Pseudonyms,
        public: Iterable[str] = (),
        *,
        everywhere: bool = False,
        temporary: Iterable[str] | None = None,
    ) -> None:
        self._names = names
        self._public = frozenset(public)
        self._everywhere = everywhere
        self._temporary = None if temporary is None else frozenset(temporary)
        self._cores = frozenset(_core(name) for name in self._public) if everywhere else frozenset()
        self._path = lru_cache(maxsize=None)(self._redacted)
        self._step = lru_cache(maxsize=None)(self._redacted_step)
        self.label = lru_cache(maxsize=None)(self._redacted_label)

    def __call__(self, path: str) -> str:
        """Return the redacted *path*; different paths stay different, equal ones equal."""
        return self._path(path)

    def _redacted(self, path: str) -> str:
        if vocabulary.KERNEL_NAMES.fullmatch(path):
            return path
        redacted = self._by_name(path)
        return redacted if len(redacted) <= LONGEST_STRING else f"/{self._names.name('path', path)}"

    def _by_name(self, path: str) -> str:
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

    def _redacted_label(self, text: str) -> str:
        """Redact a name of memory or an owner's label, which may be a file's name or end in a path."""
        if is_public(self._names, text):
            return text
        words_, slash, rest = text.partition("/")
        if slash and is_public(self._names, words_):
            return words_ + self(slash + rest)
        if _SEPARATOR.search(text):
            return label(self._names, text)
        return self._step("name", text, stays=self._stays(text, alone=self._everywhere), last=True)

    def _special(self, what: str, name: str) -> str:
        if what == "/SYSV":
            return f"{what}{self._names.hexadecimal(name, 8)}"
        if what == "/memfd:":
            return what + self._pseudonym("memfd", name, passing=True)
        return f"{what}{label(self._names, name)}"

    def _file(self, path: str) -> str:
        steps = _SEPARATOR.split(path)  # names at even places, separators between
        system = self.is_system(path)
        passing = self._temporary is None and path.startswith(vocabulary.TEMPORARY)
        for at in range(0, len(steps), 2):
            home = at >= 2 and steps[at - 2].casefold() in vocabulary.HOMES
            last = at == len(steps) - 1
            stays = not home and self._stays(steps[at], system=system, last=last, alone=len(steps) == 1)
            steps[at] = self._step("file", steps[at], stays=stays, last=last, passing=passing)
        return "".join(steps)

    def _redacted_step(
        self, prefix: str, name: str, *, stays: bool, last: bool, passing: bool = False
    ) -> str:
        if name in {"", "."} or (stays and not self._names.betrays(name)):
            return name
        if not last:
            return self._names.numbered("dir", name)
        if self._is_known(name) and not self._names.betrays(name):
            stem, extension = _extension(name)
            return _VERSION.sub(lambda found: found[1] + self._version(found[2]), stem) + extension
        return self._pseudonym(prefix, name, passing=passing)

    def _pseudonym(self, prefix: str, name: str, *, passing: bool) -> str:
        if len(name) > LONGEST_NAME:
            return self._names.name(prefix, name)
        stem, extension = _extension(name)
        if self._names.betrays(extension):
            stem, extension = name, ""
        pseudonym = self._versioned(prefix, stem) + extension
        if not passing and name not in (self._temporary or ()):
            return pseudonym
        return self._names.lengthened(pseudonym, len(prefix) + _ROOM + len(name))

    def _versioned(self, prefix: str, stem: str) -> str:
        """Return a pseudonym that differs in its versions only where *stem* does.

        What is left without the versions gets the tag, and the versions follow. Where they did not
        stand at the end, a number stands for where they stood.
        """
        found = [version.groups() for version in _VERSION.finditer(stem)]
        core = _VERSION.sub("", stem)
        name = self._names.numbered(prefix, core)
        if stem == core + "".join(separator + version for separator, version in found):
            return name + "".join(
                separator + self._version(version, glued=not separator) for separator, version in found
            )
        where = _NUMBER.sub("", _VERSION.sub(r"\1\0", stem))
        places = self._names.digits(str(self._names.number(f"places {where}", 64)))
        return name + "".join(f"-{self._version(version)}" for _, version in found) + f"-{places}"

    def _version(self, text: str, *, glued: bool = False) -> str:
        if text.strip("0123456789."):
            return self._names.hexadecimal(text, 12)
        return _NUMBER.sub(lambda number: self._names.digits(number[0], within_a_word=glued), text)

    def _stays(self, name: str, *, system: bool = False, last: bool = True, alone: bool) -> bool:
        if (system and is_plain(name)) or _DRIVE.fullmatch(name):
            return True
        if not last:
            return name in vocabulary.DIRECTORIES or vocabulary.DIRECTORY_PATTERN.fullmatch(name) is not None
        return vocabulary.FILE_PATTERN.fullmatch(name) is not None or (
            name in self._public and (alone or self._everywhere)
        )

    def _is_known(self, name: str) -> bool:
        """Return whether this is a version of a file that every program or the system has."""
        if len(name) > LONGEST_NAME:
            return False
        core = _core(name)
        return core in self._cores or vocabulary.FILE_PATTERN.fullmatch("".join(core)) is not None

    def is_system(self, path: str) -> bool:
        """Return whether *path* lies in a directory whose files come with the operating system."""
        return vocabulary.SYSTEM_DIRECTORIES.match(path) is not None and ".." not in _SEPARATOR.split(path)


def is_plain(name: str) -> bool:
    """Return whether a name below a system directory looks like one that came with the system."""
    return vocabulary.PLAIN_NAME.fullmatch(name) is not None and vocabulary.LONG_NUMBER.search(name) is None


def base_name(path: str) -> str:
    """Return what follows the last separator."""
    return _SEPARATOR.split(path)[-1]


def _extension(name: str) -> tuple[str, str]:
    """Split a name before its extension, if that is a known one."""
    found = vocabulary.EXTENSION_PATTERN.search(name)
    if found and found.start():
        return name[: found.start()], name[found.start() :]
    stem, dot, extension = name.rpartition(".")
    if stem and dot and extension.lower() in vocabulary.EXTENSIONS:
        return stem, dot + extension
    return name, ""


def _core(name: str) -> tuple[str, str]:
    """Return a file's name without versions, and its extension unless that is a library's."""
    stem, extension = _extension(name)
    return _VERSION.sub("", stem), "" if ".so" in extension else extension
