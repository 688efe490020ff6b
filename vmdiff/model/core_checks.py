"""The checks of a type, stated once as pydantic's core states them."""

from typing import Any

from pydantic_core import CoreSchema


class CoreChecks:
    """A type's checks, for `Annotated`.

    pydantic works the constraints of a `Field` out anew for each of the hundred fields that have the type,
    which is a fiftieth of the time that a snapshot of a small process takes.
    """

    def __init__(self, schema: CoreSchema) -> None:
        self._schema = schema

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        return dict(self._schema)
