"""The option ``--tag NAME=VALUE``, which names a snapshot for those who ask many of them together."""

from typing import Annotated

import typer

from vmdiff.cli import kept_text

_LONGEST_NAME = 200  # as `vmdiff.model.snapshot.Name` has it
_MOST = 100

Tags = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="Name a fact of this moment, such as version=1.5; repeatable."),
]


def parsed(texts: list[str] | None) -> dict[str, str]:
    """Read tags as they are written on the command line.

    Raises:
        typer.BadParameter: one has no name, or two have the same.
    """
    tags: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (equals and 0 < len(name) <= _LONGEST_NAME and name == name.strip()):
            raise typer.BadParameter(f"{text!r} is no tag; write NAME=VALUE", param_hint="--tag")
        if name in tags:
            raise typer.BadParameter(f"{name!r} is named twice", param_hint="--tag")
        tags[name] = kept_text.checked(value, "--tag")
        kept_text.checked(name, "--tag")
    if len(tags) > _MOST:
        raise typer.BadParameter(f"at most {_MOST} tags", param_hint="--tag")
    return tags
