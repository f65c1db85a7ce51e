"""Edits of a model's weights by hand, as data: a channel switched off, a kernel replaced, one
weight or one bias changed."""

import json
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.core.errors import ConvScopeError

# Larger numbers say nothing more, and some layers on nothing would be left of float32's range.
LARGEST = 10_000
MOST_EDITS = 100
# Of unknown keys so many are named, by so many letters.
MOST_FAULTS, MOST_LETTERS = 20, 60


class BadEdit(ConvScopeError):
    """An edit that can't be made; the message says why, ``faults`` of which keys."""

    def __init__(self, message: str = "", faults: dict[str, str] | None = None) -> None:
        self.faults = faults or {}
        super().__init__(message or " ".join(self.faults.values()))


@dataclass(frozen=True)
class Edit(ABC):
    """What is changed of one output channel of a layer; in a layer of vectors, of one unit."""

    layer: str
    channel: int

    def to_dict(self) -> dict[str, Any]:
        """The edit as ``read_edit`` takes it."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @abstractmethod
    def words(self, noun: str) -> str:
        """What the edit does; ``noun`` is what its layer's channels are called."""


@dataclass(frozen=True)
class Off(Edit):
    """The whole output channel becomes zero."""

    off: bool = True

    def words(self, noun: str) -> str:
        """As in "conv1 channel 3 off"."""
        return f"{self.layer} {noun} {self.channel} off"


@dataclass(frozen=True)
class NewKernel(Edit):
    """A kernel of the channel's filter, else all of them, become this one (height, width)."""

    kernel: tuple[tuple[float, ...], ...]
    input_channel: int | None = None

    def words(self, noun: str) -> str:
        """As in "conv1 channel 3, kernel of input 0 replaced"."""
        one = self.input_channel
        which = "all kernels" if one is None else f"kernel of input {one}"
        return f"{self.layer} {noun} {self.channel}, {which} replaced"


@dataclass(frozen=True)
class NewWeight(Edit):
    """One weight of the channel: of a convolution at (y, x) of an input channel's kernel, of a
    linear layer at an input, of a batch norm its only one."""

    weight: float
    input_channel: int | None = None
    y: int | None = None
    x: int | None = None

    @property
    def place(self) -> dict[str, int | None]:
        """Where the weight is in its filter, outermost first; None where nothing is said."""
        return {"input_channel": self.input_channel, "y": self.y, "x": self.x}

    def words(self, noun: str) -> str:
        """As in "conv1 channel 3, weight of input 0 at y 1, x 2 is 0.5"."""
        of = "" if self.input_channel is None else f" of input {self.input_channel}"
        at = "" if self.y is None else f" at y {self.y}, x {self.x}"
        return f"{self.layer} {noun} {self.channel}, weight{of}{at} is {self.weight:g}"


@dataclass(frozen=True)
class NewBias(Edit):
    """The channel's bias."""

    bias: float

    def words(self, noun: str) -> str:
        """As in "conv1 channel 3, bias is 0.1"."""
        return f"{self.layer} {noun} {self.channel}, bias is {self.bias:g}"


def read_edits(values: object) -> tuple[Edit, ...]:
    """The edits of {"edits": [...]}, of which there is one at least. Raises BadEdit."""
    listed = values.get("edits") if isinstance(values, dict) else None
    if not isinstance(listed, list) or not listed:
        raise BadEdit(faults={"edits": "edits is a list of one edit or more."})
    if len(listed) > MOST_EDITS:
        raise BadEdit(faults={"edits": f"edits lists {len(listed)}, and {MOST_EDITS} at most go."})
    return tuple(read_edit(one, f"edits.{number}.") for number, one in enumerate(listed))


def read_edit(values: object, where: str = "") -> Edit:
    """An edit out of JSON. Raises BadEdit, whose faults begin with ``where``."""
    if not isinstance(values, dict):
        said = f'An edit is an object such as {{"layer": ..., "channel": 0}}, not {_shown(values)}.'
        raise BadEdit(faults={where.rstrip(".") or "edit": said})
    kinds = [key for key in _KINDS if key in values]
    if len(kinds) != 1:
        raise BadEdit(
            f"An edit has one of the keys {', '.join(_KINDS)}, and this one has "
            f"{' and '.join(kinds) or 'none of them'}.",
            {where + key: f"An edit has only one of {', '.join(_KINDS)}." for key in kinds},
        )
    kind = _KINDS[kinds[0]]
    if faults := _faults(values, kind):
        unknown = len(values.keys() - kind.__dataclass_fields__)
        many = f"The edit has {unknown:,} unknown keys, the first of which are told. "
        told = (many if unknown > MOST_FAULTS else "") + " ".join(faults.values())
        raise BadEdit(told, {where + key: said for key, said in faults.items()})
    return kind(**{key: _settled(key, value) for key, value in values.items()})


def to_json(base: str, edits: Sequence[Edit]) -> str:
    """A base with its edits, the same text for the same edits."""
    listed = [edit.to_dict() for edit in edits]
    return json.dumps({"base": base, "edits": listed}, sort_keys=True) + "\n"


_KINDS: dict[str, type[Edit]] = {
    "off": Off,
    "kernel": NewKernel,
    "weight": NewWeight,
    "bias": NewBias,
}


def _is_place(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= LARGEST


def _is_kernel(value: object) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(r, list) for r in value):
        return False
    widths = {len(row) for row in value}
    return len(widths) == 1 and 0 not in widths and all(_is_number(x) for r in value for x in r)


_PLACE = "is a whole number from 0 on"
_NUMBER = f"is a number between {-LARGEST} and {LARGEST}"
# Of each key what it may be, and the same in words.
_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "layer": (lambda value: isinstance(value, str), "is a layer's name"),
    "channel": (_is_place, _PLACE),
    "off": (lambda value: value is True, "is true"),
    "kernel": (
        _is_kernel,
        f"is a list of rows of equal length, of numbers between {-LARGEST} and {LARGEST}",
    ),
    "weight": (_is_number, _NUMBER),
    "bias": (_is_number, _NUMBER),
    **{
        key: (lambda value: value is None or _is_place(value), _PLACE)
        for key in ("input_channel", "y", "x")
    },
}


def _faults(values: dict[str, Any], kind: type[Edit]) -> dict[str, str]:
    known = list(kind.__dataclass_fields__)
    unknown = [key for key in values if key not in known][:MOST_FAULTS]
    faults = {
        key[:MOST_LETTERS]: f"Such an edit has no key {_shown(key)}. Its keys are "
        f"{', '.join(known)}."
        for key in unknown
    }
    faults |= {
        key: f"The edit lacks the key {key}." for key in ("layer", "channel") if key not in values
    }
    for key in (key for key in known if key in values):
        allowed, words = _RULES[key]
        if not allowed(values[key]):
            faults[key] = f"{key} {words}, not {_shown(values[key])}."
    return faults


def _settled(key: str, value: Any) -> Any:  # noqa: ANN401
    """The value as an edit keeps it: 1 and 1.0 are the same edit, and so the same text."""
    if key == "kernel":
        return tuple(tuple(map(float, row)) for row in value)
    return float(value) if key in ("weight", "bias") else value


def _shown(value: object) -> str:
    """A value as it was given, unless it is endless."""
    return reprlib.repr(value)
