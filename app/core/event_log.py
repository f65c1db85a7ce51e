"""Events as records: what a log keeps of them, and what goes from process to process.

A record is JSON and, for weights and states, the bytes of a safetensors file. No pickle.
"""

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO

from app.core.checkpoints import encode_weights
from app.core.events import BatchDone, EpochDone, Event, Finished, Snapshot, Started, State
from app.core.states import encode_state

_KINDS: dict[type[Event], str] = {
    Started: "started",
    BatchDone: "batch",
    EpochDone: "epoch",
    Snapshot: "snapshot",
    State: "state",
    Finished: "finished",
}


@dataclass(frozen=True)
class Record:
    """An event's kind, what it says, and the tensors that belong to it as a safetensors file."""

    kind: str
    facts: dict[str, Any]
    content: bytes = b""


def record_of(event: Event) -> Record:
    """The event as a record."""
    kind = _KINDS[type(event)]
    if isinstance(event, State):
        return Record(kind, {"epoch": len(event.epochs)}, encode_state(event))
    if isinstance(event, (Snapshot, Finished)):
        facts = asdict(replace(event, weights={}))
        del facts["weights"]
        return Record(kind, facts, encode_weights(event.weights))
    return Record(kind, asdict(event))


def write_record(stream: BinaryIO, record: Record) -> None:
    """Write a record behind the lengths of its two parts, four and eight bytes."""
    facts = json.dumps([record.kind, record.facts]).encode()
    stream.write(len(facts).to_bytes(4, "big") + len(record.content).to_bytes(8, "big"))
    stream.write(facts)
    stream.write(record.content)
    stream.flush()


def read_record(stream: BinaryIO) -> Record | None:
    """The next record; None where the stream ends, be it within a record."""
    head = stream.read(12)
    if len(head) < 12:
        return None
    sizes = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
    facts, content = stream.read(sizes[0]), stream.read(sizes[1])
    if (len(facts), len(content)) != sizes:
        return None
    kind, said = json.loads(facts)
    return Record(kind, said, content)


def encode_records(records: Iterable[Record]) -> bytes:
    """Records behind one another, as ``write_record`` writes them."""
    stream = io.BytesIO()
    for record in records:
        write_record(stream, record)
    return stream.getvalue()


def decode_records(content: bytes) -> Iterator[Record]:
    """The opposite of ``encode_records``."""
    stream = io.BytesIO(content)
    while (record := read_record(stream)) is not None:
        yield record


def grouped(records: Iterable[Record]) -> Iterator[list[Record]]:
    """An epoch, its snapshot and the state after it as one, each other record alone.

    Who keeps a group whole or not at all never has an epoch that must be trained again; so one
    whose state is missing, since the training ended or failed between them, is left out.
    """
    group: list[Record] = []
    for record in records:
        if record.kind == "failed":
            group = []
        group.append(record)
        if group[0].kind != "epoch" or record.kind == "state":
            yield group
            group = []
