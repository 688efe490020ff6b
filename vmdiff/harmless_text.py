"""Text from outside, made harmless to show: the one place that does it."""


def printable(text: str) -> str:
    r"""Make a text from outside harmless to show: one line, nothing that steers a terminal.

    Control characters, escape sequences, line separators, direction marks, invisible characters and
    lone surrogates become visible escapes such as ``\x1b`` and ``\u202e``. What is harmless stays
    as it is, ``[heap]`` too; markup is for the renderer that has any to neutralise.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
