"""What a type's values must be and how they are written, stated as pydantic's core states it."""

from collections.abc import Callable
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class CoreChecks:
    """A type's checks, for `Annotated`.

    pydantic works the constraints of a `Field` out anew for each of the hundred fields that have the type,
    which is a fiftieth of the time that a snapshot of a small process takes.
    """

    def __init__(self, schema: CoreSchema) -> None:
        self._schema = schema

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        return dict(self._schema)


class WrittenBy:
    """The function that writes a type's values in a document, for `Annotated`.

    The module of pydantic's `PlainSerializer` takes 2 ms to import, and nothing else needs it.
    """

    def __init__(self, write: Callable[[Any], str]) -> None:
        self._write = write

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(
            self._write, return_schema=core_schema.str_schema()
        )
        return {**handler(source), "serialization": written}
