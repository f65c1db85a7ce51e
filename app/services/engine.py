"""What every engine does: it trains elsewhere, and hands back what the training reports."""

from collections.abc import Iterator
from typing import Protocol

from app.core.event_log import Record
from app.core.recipes import Recipe


class LiveRun(Protocol):
    """A training under way."""

    def events(self) -> Iterator[Record]:
        """What it reports, until it ends; the last record is "finished" or "failed"."""

    def pause(self) -> None:
        """Hold it after the batch that it is at; it reports "paused"."""

    def resume(self) -> None:
        """Let it go on; it reports "running"."""

    def stop(self) -> None:
        """End it now; its events end."""


class Engine(Protocol):
    """Where trainings run."""

    def launch(self, recipe: Recipe, state: bytes | None = None) -> LiveRun:
        """Begin a training, or go on from a state that one of its events held."""

    def close(self) -> None:
        """Let go of what it holds between runs; all of them have ended."""
