"""Texts that keep what is public in them: sentences, labels, versions, names of counters."""

import re
from collections import abc

from vmdiff.model import FILE_FACTS, KNOWN_COUNTERS, PAGE_SIZES
from vmdiff.model.page_map import PAGE_COUNTERS
from vmdiff.redaction import vocabulary
from vmdiff.redaction.pseudonyms import Pseudonyms

_KNOWN_KEYS = frozenset(KNOWN_COUNTERS) | PAGE_SIZES | FILE_FACTS | frozenset(PAGE_COUNTERS)
_PLAIN = re.compile(r"[ -~]*")
_WORD = re.compile(r"[A-Za-z0-9_]+")
_SMALL_NUMBER = re.compile(r"[0-9]{1,7}")  # a thread's id, or the how-manieth arena
_PERMISSIONS = re.compile(r"[r-][w-][x-][sp]?(?:/[r-][w-][x-])?|[r-][w-][x-][R-][W-]|[CNDGSU-]{5}")
_DEEPEST = 100  # groups in each other
_HOLE = "…"
_HOLES = re.compile(rf"{_HOLE}(?:\s+{_HOLE})+")
_PUNCTUATION = "()[]{}<>\"'`,.;:!?"
_COUNT = re.compile(
    r"[0-9]{1,4}-[0-9]{1,4}|[-+]?(?:[0-9]{1,3}|[0-9]{1,3}(?:,[0-9]{3}){1,6}|[0-9]{1,3}\.[0-9]{1,3})|[-+]?[0-9]{1,15}(?:\.[0-9]{1,3})?(?:[kKMGT]i?B|%|B|K|M|G)"
)
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]{1,3})?")
_COUNTED = vocabulary.UNITS | {"rows", "mappings", "lines", "times", "pages", "threads", "regions"}


def is_public(names: Pseudonyms, text: str) -> bool:
    """Return whether *text* consists of small numbers and words that everybody may read (or permissions)."""
    if _PERMISSIONS.fullmatch(text):
        return True
    if not _PLAIN.fullmatch(text) or names.betrays(text):
        return False
    return all(_is_public_word(word.casefold()) for word in _WORD.findall(text))


def _is_public_word(word: str) -> bool:
    if word in vocabulary.WORDS or _SMALL_NUMBER.fullmatch(word):
        return True
    return "_" in word and all(part in vocabulary.WORDS for part in word.split("_") if part)


def sentence(names: Pseudonyms, text: str) -> str:
    """Keep the public words and the numbers that count something; the rest becomes ``…``."""
    tokens = text.split()
    following = [*(token.strip(_PUNCTUATION) for token in tokens[1:]), ""]
    kept = " ".join(_told(names, token, then) for token, then in zip(tokens, following, strict=False))
    return _HOLES.sub(_HOLE, kept)


def _told(names: Pseudonyms, token: str, then: str) -> str:
    bare = token.strip(_PUNCTUATION)
    if _COUNT.fullmatch(bare) or (_NUMBER.fullmatch(bare) and then in _COUNTED):
        return token
    if not _NUMBER.search(bare) and is_public(names, bare):
        return token
    return token.replace(bare, _HOLE)


def label(names: Pseudonyms, text: str) -> str:
    """Keep a label or a name of memory if all of it is public, else give a pseudonym."""
    return text if is_public(names, text) else names.numbered("name", text)


def owner(names: Pseudonyms, text: str) -> str:
    """Keep the name of an owner that vmdiff has or that is made of public words, else give a pseudonym."""
    return text if text in vocabulary.OWNERS or is_public(names, text) else names.name("owner", text)


def key(names: Pseudonyms, text: str) -> str:
    """Keep the name of a counter or attribute that the kernel is known to give or made of its words."""
    if text in _KNOWN_KEYS or is_public(names, text):
        return text
    return names.name("key", text).replace("-", "_")


def one_of(allowed: abc.Container[str], prefix: str) -> abc.Callable[[Pseudonyms, str], str]:
    """Make a policy that keeps a text which is one of *allowed*."""

    def policy(names: Pseudonyms, text: str) -> str:
        return text if text in allowed else names.name(prefix, text)

    return policy


def pseudonym(prefix: str) -> abc.Callable[[Pseudonyms, str], str]:
    """Make a policy that keeps nothing."""

    def policy(names: Pseudonyms, text: str) -> str:
        return names.name(prefix, text)

    return policy


def kernel(names: Pseudonyms, release: str) -> str:
    """Keep a kernel's numbers and the additions that distributions use; the rest is one pseudonym."""
    parts = re.split(r"([-+._~ ])", release)
    kept = 0
    while kept < len(parts) and vocabulary.KERNEL_RELEASE.fullmatch(parts[kept]):
        kept += 2
    if kept >= len(parts):
        return release
    return "".join(parts[:kept]) + names.name("kernel", "".join(parts[kept:]))


_TOOL = re.compile(r"vmdiff [0-9]{1,4}(\.[0-9]{1,4}){0,2}((a|b|rc|\.dev|\.post)[0-9]{1,4})?")


def tool(names: Pseudonyms, text: str) -> str:
    """Keep vmdiff's own name and version."""
    return text if _TOOL.fullmatch(text) else names.name("tool", text)


def uuid(names: Pseudonyms, text: str) -> str:
    """Return a pseudonym in the form of the kernel's boot id."""
    digits = names.hexadecimal(text, 32)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def namespace(names: Pseudonyms, text: str) -> str:
    """Return a pseudonym in the form of a namespace's link: ``pid:[4026531836]`` or its number."""
    number = str((1 << 32) + names.number(text, 31))
    return f"pid:[{number}]" if text.startswith("pid:[") else number


def cgroup(names: Pseudonyms, path: str) -> str:
    """Replace the names in a control group's path, but for those of systemd and container runtimes."""
    parts = path.split("/")
    if len(parts) > _DEEPEST:
        return names.name("cgroup", path)
    return "/".join(
        part if not part or part in vocabulary.CGROUPS else names.name("cgroup", part) for part in parts
    )


def device(names: Pseudonyms, text: str) -> str:
    """Return a pseudonym in the form of ``major:minor``; none stays none."""
    if text == "00:00":
        return text
    number = names.number(f"device {text}", 32)
    return f"{number >> 20:02x}:{number & 0xFFFFF:02x}"


def inode(names: Pseudonyms, text: str) -> str:
    """Return a pseudonym of an inode number; none stays none."""
    return text if text == "0" else str(names.number(f"inode {text}", 48))
