"""Whether what a file says is of the types that are declared for it, down to the last value.

A check of types alone would let through what fails later: numbers that are none or too large to
count with, text that isn't UTF-8, values nested without end.
"""

import re
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

# No seed, count or measure is larger.
LARGEST = 2**63
# Recipes have three levels.
DEEPEST = 10

# Half of a pair (which UTF-8 can't write), and the end of a path.
_NO_TEXT = re.compile("[\ud800-\udfff\0]")


def fits(value: object, form: Any, depth: int = 0) -> bool:  # noqa: ANN401
    """Whether a value is of a type such as ``dict[str, list[float]]``, or of a dataclass whose
    fields are; an int is a float as well. ``Any`` is whatever JSON may say."""
    origin, inner = get_origin(form), get_args(form)
    if depth > DEEPEST:
        return False
    if form is Any:
        return any(fits(value, one, depth) for one in _JSON)
    if origin is Literal:
        return value in inner
    if origin is UnionType:
        return any(fits(value, one, depth) for one in inner)
    if isinstance(form, type) and is_dataclass(form):
        hints = get_type_hints(form)
        return isinstance(value, form) and all(fits(getattr(value, f), hints[f]) for f in hints)
    if origin in (list, tuple, dict):
        return isinstance(value, origin) and _fit_in(value, inner, depth + 1)
    return _is_single(value, form)


_JSON = (str, float, bool, NoneType, list[Any], dict[str, Any])


def _fit_in(values: Any, inner: tuple[Any, ...], depth: int) -> bool:  # noqa: ANN401
    """Whether all in a list, tuple or dictionary is of its types."""
    if isinstance(values, dict):
        return all(fits(k, inner[0]) and fits(v, inner[1], depth) for k, v in values.items())
    if isinstance(values, tuple) and inner[-1] is not ...:
        pairs = zip(values, inner, strict=False)
        return len(values) == len(inner) and all(fits(one, form) for one, form in pairs)
    return all(fits(one, inner[0], depth) for one in values)


def _is_single(value: object, form: Any) -> bool:  # noqa: ANN401
    if isinstance(value, str):
        return form is str and not _NO_TEXT.search(value)
    if form in (int, float):
        kinds = (int, float) if form is float else (int,)
        # Nothing that is no number is smaller than one.
        return type(value) in kinds and abs(value) <= LARGEST  # type: ignore[arg-type]
    return type(value) is form
