"""Names for what must not be told: the same for the same thing, and nothing else to be learnt.

Every pseudonym is a keyed hash (HMAC-SHA-256) of the text it stands for. Whoever has the key can
test a guess; without it a pseudonym says only that two texts were equal.
"""

import hmac
import re
from collections.abc import Iterable
from functools import cached_property, lru_cache

# Letters that make no words, no numbers and no hexadecimal: a tag is never mistaken for a version.
_LETTERS = str.maketrans("0123456789abcdef", "ghjklmnpqrstvwxz")
_TAG = 12  # letters: two of 60,000 names collide once in 150,000 runs
LONGEST_NAME = 255  # NAME_MAX: of what is longer nothing but equality is kept
_SHORT_NUMBER = 3  # digits that are kept: a version, the how-manieth worker
_LONG_NUMBER = 9
_NUMBER = re.compile(r"[0-9]+")
_HAS_LETTER = re.compile(r"[^\W\d_]")
_LONG = 5  # letters: a shorter secret is looked for as a word of its own only


class Pseudonyms:
    """Gives pseudonyms that follow from *key*.

    *secrets* are names that no kept text may hold, *ids* the numbers of processes and threads, which
    the snapshots tell anyway.
    """

    def __init__(self, key: bytes, secrets: Iterable[str] = (), ids: Iterable[int] = ()) -> None:
        self._key = key
        self._ids = frozenset(map(str, ids))
        wanted = sorted({secret.casefold() for secret in secrets if _HAS_LETTER.search(secret)})
        self._secret = re.compile("|".join(map(_pattern, wanted))) if wanted else None
        self._throws = 0
        self.tag = lru_cache(maxsize=None)(self._tag)
        self._shuffled = lru_cache(maxsize=None)(self._shuffle)

    def _tag(self, text: str) -> str:
        return self._digest("name", text).hex()[:_TAG].translate(_LETTERS)

    def name(self, prefix: str, text: str) -> str:
        """Return ``prefix-`` and letters that stand for *text*."""
        return f"{prefix}-{self.tag(text)}"

    def lengthened(self, name: str, length: int) -> str:
        """Return a pseudonym more letters until it is *length* long; the same name gets the same ones."""
        at = name.index("-") + 1 + _TAG
        missing = max(length - len(name), 0)
        letters = self._digest("length", name).hex().translate(_LETTERS) * (missing // 64 + 1)
        return name[:at] + letters[:missing] + name[at:]

    def numbered(self, prefix: str, text: str) -> str:
        """Return a name that differs in its numbers only where *text* does: ``name-`` letters ``7k``."""
        if len(text) > LONGEST_NAME:
            return self.name(prefix, text)
        numbers = "".join(f"{self._counted(found)}k" for found in _NUMBER.finditer(text))
        return self.name(prefix, _NUMBER.sub("\0", text)) + numbers

    def _counted(self, found: re.Match[str]) -> str:
        around = found.string[max(found.start() - 1, 0) : found.start()] + found.string[found.end() :][:1]
        return self.digits(found[0], within_a_word=_HAS_LETTER.search(around) is not None)

    def digits(self, number: str, *, within_a_word: bool = False) -> str:
        """Keep a short number and a process's or thread's; another becomes one that stands for it.

        A short number *within a word* may be a piece of an address, so it becomes another short one.
        """
        if number in self._ids:
            return number
        if len(number) <= _SHORT_NUMBER:
            return self._shuffled(len(number))[int(number)] if within_a_word else number
        least = 10 ** (_LONG_NUMBER - 1)
        return str(least + self.number(f"digits {number}", 64) % (9 * least))

    def _shuffle(self, length: int) -> list[str]:
        numbers = [f"{number:0{length}}" for number in range(10**length)]
        return sorted(numbers, key=lambda number: self._digest("shuffle", number))

    def hexadecimal(self, text: str, length: int) -> str:
        """Return *length* hexadecimal digits (at most 128) that stand for *text*."""
        return (self._digest("hex", text) * 4).hex()[:length]

    def number(self, text: str, bits: int) -> int:
        """Return a number of at most *bits* bits, not 0, that stands for *text*."""
        return int.from_bytes(self._digest("number", text)) % ((1 << bits) - 1) + 1

    def draw(self, below: int) -> int:
        """Throw the dice that the key has loaded: a number from [0, *below*), each time the next."""
        self._throws += 1
        return int.from_bytes(self._digest("draw", str(self._throws))) % below

    @cached_property
    def run(self) -> str:
        """What tells files redacted with this key from others."""
        return self._digest("run", "").hex()[:16]

    def betrays(self, text: str) -> bool:
        """Return whether *text* holds one of the secrets, in capitals or not."""
        return self._secret is not None and self._secret.search(text.casefold()) is not None

    def _digest(self, purpose: str, text: str) -> bytes:
        message = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, "sha256")


def _pattern(secret: str) -> str:
    quoted = re.escape(secret)
    return quoted if len(secret) >= _LONG else rf"(?<![^\W_]){quoted}(?![^\W_])"
