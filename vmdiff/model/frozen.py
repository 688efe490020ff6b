"""The base of the document's objects, and the field types that several of them share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import core_schema

from vmdiff.model.core_checks import CoreChecks
from vmdiff.model.mapping import ADDRESS_LIMIT

Count = Annotated[int, CoreChecks(core_schema.int_schema(ge=0, lt=ADDRESS_LIMIT, strict=True))]
Name = Annotated[str, CoreChecks(core_schema.str_schema(strict=True, min_length=1, max_length=200))]


def whole_version(version: Any) -> Any:
    """Refuse true and 1.0, which are equal to 1 in Python."""
    if type(version) is not int:
        raise ValueError("a version is a whole number")
    return version


class Frozen(BaseModel):
    """An immutable value with no keys beyond its own.

    What most commands never build by itself says ``defer_build=True``: pydantic then prepares its checks when
    they are needed, which takes a millisecond of every start otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
