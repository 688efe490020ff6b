"""What is wrong with a value, in our words: pydantic's would speak of inputs, extras and its own types."""

from typing import Any

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a key that this version knows",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "string_unicode": "must be a text of valid characters",
    "string_sub_type": "must be a text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dataclass_type": "must be an object",
    "none_required": "must be null",
    "datetime_type": "must be a time such as 2026-11-22T22:03:11Z",
    "datetime_parsing": "must be a time such as 2026-11-22T22:03:11Z",
    "datetime_from_date_parsing": "must be a time such as 2026-11-22T22:03:11Z",
    "datetime_object_invalid": "must be a time such as 2026-11-22T22:03:11Z",
    "timezone_aware": "must be a time with its zone, such as 2026-11-22T22:03:11Z",
    "string_pattern_mismatch": "must be written as {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_long": "is longer than {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "too_long": "has more than {max_length} items",
    "too_short": "must have at least {min_length} items",
    "recursion_loop": "is nested too deeply",
}


def problem_words(problem: Any) -> str:
    """Return what is wrong with one value, from an entry of pydantic's ``ValidationError.errors()``."""
    context = problem.get("ctx") or {}
    if problem["type"] in ("value_error", "assertion_error"):
        return str(context.get("error", "is not what it should be"))
    words = _WORDS.get(problem["type"], "is not what it should be")
    try:
        return words.format(**context)
    except (KeyError, IndexError):
        return "is not what it should be"
