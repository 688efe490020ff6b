"""Mangled C++ type names, as run-time type information has them -> names as programs write them.

The grammar is that of the Itanium C++ ABI, 5.1, as far as names of classes need it. What is not known (local
classes, lambdas, function types, expressions) makes the whole name stay mangled: half of a name may be wrong.
"""

_BUILTIN = {
    "v": "void", "w": "wchar_t", "b": "bool", "c": "char", "a": "signed char", "h": "unsigned char",
    "s": "short", "t": "unsigned short", "i": "int", "j": "unsigned int", "l": "long", "m": "unsigned long",
    "x": "long long", "y": "unsigned long long", "n": "__int128", "o": "unsigned __int128", "f": "float",
    "d": "double", "e": "long double", "g": "__float128", "z": "...",
}  # fmt: skip
_LONG_BUILTIN = {"Dn": "decltype(nullptr)", "Du": "char8_t", "Ds": "char16_t", "Di": "char32_t"}
_STANDARD = {
    "St": "std", "Sa": "std::allocator", "Sb": "std::basic_string", "Ss": "std::string",
    "Si": "std::istream", "So": "std::ostream", "Sd": "std::iostream",
}  # fmt: skip
_AFTER = {"P": "*", "R": "&", "O": "&&", "K": " const", "V": " volatile"}
_SUFFIXES = {"i": "", "j": "u", "l": "l", "m": "ul", "x": "ll", "y": "ull"}
_ANONYMOUS = "(anonymous namespace)"
_DEEPEST = 64
_LONGEST = 4096


class _UnknownError(Exception):
    """The name has something that is not read here."""


def readable(mangled: str) -> str | None:
    """Return ``app::Cache<double>`` for ``N3app5CacheIdEE``, the same name where it is not known.

    None if it cannot be a type's name at all.
    """
    if not mangled[:1].isalnum():
        return None
    reader = _NameReader(mangled)
    try:
        name = reader.type()
    except (_UnknownError, IndexError):
        return mangled if mangled[0] in "NSZ123456789" else None
    whole = reader.at == len(mangled) and len(name) <= _LONGEST
    return name if whole else mangled if mangled[0] in "NSZ" else None


class _NameReader:
    """A cursor in a mangled name, and what later parts may refer back to."""

    def __init__(self, text: str) -> None:
        self.at = 0
        self._text = text
        self._known: list[str] = []
        self._depth = 0

    def type(self) -> str:
        """Read a type."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _UnknownError
        found = self._type()
        self._depth -= 1
        if len(found) > _LONGEST:
            raise _UnknownError
        return found

    def _type(self) -> str:
        letter = self._text[self.at]
        if self._text[self.at : self.at + 2] in _LONG_BUILTIN:
            self.at += 2
            return _LONG_BUILTIN[self._text[self.at - 2 : self.at]]
        if letter in _BUILTIN:
            self.at += 1
            return _BUILTIN[letter]
        if letter in _AFTER:
            self.at += 1
            return self._remember(self.type() + _AFTER[letter])
        return self._name()

    def _name(self) -> str:
        if self._takes("N"):
            return self._nested()
        if self._text.startswith("St", self.at):
            self.at += 2
            return self._with_arguments(self._remember("std::" + self._unqualified()))
        if self._text[self.at] == "S":
            name = self._substitution()
            return (
                self._remember(name + self._arguments()) if self._text[self.at : self.at + 1] == "I" else name
            )
        return self._with_arguments(self._remember(self._unqualified()))

    def _with_arguments(self, name: str) -> str:
        if self._text[self.at : self.at + 1] != "I":
            return name
        return self._remember(name + self._arguments())

    def _nested(self) -> str:
        name = ""
        while not self._takes("E"):
            letter = self._text[self.at]
            if letter == "S" and not name:
                name = self._substitution()
            elif letter == "I" and name:
                name = self._remember(name + self._arguments())
            else:
                name = self._remember(f"{name}::{self._unqualified()}" if name else self._unqualified())
        if not name:
            raise _UnknownError
        return name

    def _unqualified(self) -> str:
        digits = self.at
        while self._text[digits].isdigit():
            digits += 1
        if digits == self.at or digits - self.at > 4:
            raise _UnknownError
        begin, self.at = digits, digits + int(self._text[self.at : digits])
        name = self._text[begin : self.at]
        if len(name) < self.at - begin or not name:
            raise _UnknownError
        name = _ANONYMOUS if name.startswith("_GLOBAL__N") else name
        if self._takes("B"):
            name += f"[abi:{self._unqualified()}]"
        return name

    def _substitution(self) -> str:
        two = self._text[self.at : self.at + 2]
        self.at += 2
        if two in _STANDARD:
            return _STANDARD[two]
        number = 0
        if two != "S_":
            self.at -= 1
            end = self._text.index("_", self.at) if "_" in self._text[self.at :] else self.at
            digits = self._text[self.at : end]
            if not 0 < len(digits) < 5 or not digits.isalnum() or digits != digits.upper():
                raise _UnknownError
            number, self.at = int(digits, 36) + 1, end + 1
        return self._known[number]

    def _arguments(self) -> str:
        self.at += 1
        found: list[str] = []
        while not self._takes("E"):
            if self._takes("L"):
                found.append(self._literal())
            elif self._takes("J"):
                self.at -= 1
                pack = self._arguments()[1:-1].strip()
                found += [pack] if pack else []
            else:
                found.append(self.type())
        joined = ", ".join(found)
        return f"<{joined} >" if joined.endswith(">") else f"<{joined}>"

    def _literal(self) -> str:
        kind = self._text[self.at]
        type_name = self.type()
        end = self._text.index("E", self.at) if "E" in self._text[self.at :] else self.at
        digits, self.at = self._text[self.at : end], end + 1
        value = "-" + digits[1:] if digits.startswith("n") else digits
        if not value.removeprefix("-").isdigit():
            raise _UnknownError
        if kind == "b":
            return "true" if value == "1" else "false"
        return value + _SUFFIXES[kind] if kind in _SUFFIXES else f"({type_name}){value}"

    def _takes(self, letter: str) -> bool:
        found = self._text[self.at : self.at + 1] == letter
        self.at += found
        return found

    def _remember(self, name: str) -> str:
        self._known.append(name)
        return name
