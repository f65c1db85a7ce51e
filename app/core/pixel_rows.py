"""Rows of numbers that programs send, checked number by number."""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ImageTooLarge, InvalidPixels, UnreadableJson

_FORM = "Send rows of equal length with numbers of 0..255, or with [red, green, blue] each."


def parse_json(text: bytes) -> Any:  # noqa: ANN401
    """What JSON says, NaN and infinite numbers included. Raises UnreadableJson."""
    try:
        return json.loads(text)
    except RecursionError:
        fault = "it is nested too deeply"
    except UnicodeDecodeError:
        fault = "it is not UTF-8 text"
    except ValueError as error:  # Python says more about very long numbers than anyone here needs.
        fault = str(error).partition(";")[0]
    raise UnreadableJson(
        f"This isn't JSON that can be read: {fault}. Send an object such as "
        '{"pixels": [[0, 255], [255, 0]]}.'
    )


def check_rows(rows: object, max_pixels: int | None) -> NDArray[np.float64]:
    """Nested lists as an array (height, width) or (height, width, 3) of numbers 0..255.

    Raises InvalidPixels, which names the row and the column at fault, or ImageTooLarge.
    """
    lines = _lines(rows, max_pixels)
    coloured = isinstance(lines[0][0], list)
    if coloured:
        _check_colours(lines)
        numbers = list(chain.from_iterable(chain.from_iterable(lines)))
    else:
        numbers = list(chain.from_iterable(lines))
    values = _numbers(numbers, width=len(lines[0]), channels=3 if coloured else 1)
    return values.reshape((len(lines), -1, 3) if coloured else (len(lines), -1))


def _lines(rows: object, max_pixels: int | None) -> list[list[Any]]:
    if not isinstance(rows, list):
        raise InvalidPixels(f"The pixels are {_name(rows)}, not a list of rows. {_FORM}")
    if not rows:
        raise InvalidPixels(f"There are no rows of pixels. {_FORM}")
    for y, row in enumerate(rows):
        if not isinstance(row, list):
            raise InvalidPixels(f"Row {y} of the pixels is {_name(row)}, not a list. {_FORM}")
        if len(row) != len(rows[0]):
            raise InvalidPixels(
                f"Row {y} has {len(row)} pixels, but row 0 has {len(rows[0])}. {_FORM}"
            )
    if not rows[0]:
        raise InvalidPixels(f"The rows of pixels are empty. {_FORM}")
    if max_pixels is not None and len(rows) * len(rows[0]) > max_pixels:
        raise ImageTooLarge(
            f"The pixels are {len(rows[0])} × {len(rows)}; at most {max_pixels / 1e6:g} million "
            "are read. Send a smaller picture."
        )
    return rows


def _check_colours(lines: list[list[Any]]) -> None:
    if set(map(type, chain.from_iterable(lines))) == {list} and set(
        map(len, chain.from_iterable(lines))
    ) == {3}:
        return
    for y, x, pixel in _numbered(lines):
        if not isinstance(pixel, list):
            raise InvalidPixels(
                f"Row {y}, column {x} is {_name(pixel)}, but the first pixel is a list. {_FORM}"
            )
        if len(pixel) != 3:
            alpha = " Leave out the transparency." if len(pixel) == 4 else ""
            raise InvalidPixels(
                f"The pixel at row {y}, column {x} has {len(pixel)} values, not 3.{alpha} {_FORM}"
            )


def _numbered(lines: list[list[Any]]) -> Iterator[tuple[int, int, Any]]:
    return ((y, x, pixel) for y, line in enumerate(lines) for x, pixel in enumerate(line))


def _numbers(numbers: list[Any], width: int, channels: int) -> NDArray[np.float64]:
    if not set(map(type, numbers)) <= {int, float}:
        at = next(i for i, number in enumerate(numbers) if type(number) not in (int, float))
        raise InvalidPixels(f"{_place(at, width, channels)} is {_name(numbers[at])}. {_FORM}")
    try:
        values = np.array(numbers, dtype=np.float64)
    except OverflowError:  # An int that no float can hold.
        values = np.array([min(max(number, -1), 256) for number in numbers], dtype=np.float64)
    fine = (values >= 0) & (values <= 255)
    if not fine.all():
        at = int(fine.argmin())
        said = str(numbers[at])[:20].replace("nan", "not a number (NaN)").replace("inf", "infinite")
        raise InvalidPixels(f"{_place(at, width, channels)} is {said}, not in 0..255. {_FORM}")
    return values


def _place(index: int, width: int, channels: int) -> str:
    pixel, channel = divmod(index, channels)
    y, x = divmod(pixel, width)
    which = f", channel {channel}" if channels > 1 else ""
    return f"The pixel at row {y}, column {x}{which}"


def _name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value[:20]!r}"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (int, float)):
        return "a number"
    return f"a {type(value).__name__}"
