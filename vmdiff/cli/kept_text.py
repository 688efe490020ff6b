"""Text from the command line that a snapshot keeps: a label, or the value of a tag."""

import typer

_LONGEST = 65_536  # characters, as `vmdiff.model.LONGEST_STRING` has it; loading the models takes 60 ms


def checked(text: str, option: str) -> str:
    """Return a text that every document can hold.

    Raises:
        typer.BadParameter: it is too long, or was not UTF-8 when it was typed.
    """
    if len(text) > _LONGEST:
        raise typer.BadParameter(
            f"{len(text):,} characters; at most {_LONGEST:,} are kept", param_hint=option
        )
    if any("\ud800" <= letter <= "\udfff" for letter in text):  # how Python shows bytes that are not UTF-8
        raise typer.BadParameter("not UTF-8; write it in UTF-8", param_hint=option)
    return text
