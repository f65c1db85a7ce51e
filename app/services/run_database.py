"""The SQLite file of runs: its tables, its one writer, its many readers.

Readers never wait for the writer (WAL).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from app.core.errors import StorageBusy, StorageDamaged, StorageUnavailable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, name TEXT NOT NULL,
  recipe TEXT NOT NULL, state TEXT NOT NULL, epoch INTEGER NOT NULL DEFAULT 0,
  metrics TEXT NOT NULL DEFAULT '{}', error TEXT, model TEXT,
  created_at TEXT NOT NULL, started_at TEXT, ended_at TEXT
);
CREATE TABLE IF NOT EXISTS events (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, number INTEGER NOT NULL,
  at TEXT NOT NULL, kind TEXT NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshots (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, epoch REAL NOT NULL,
  weights BLOB NOT NULL, PRIMARY KEY (run, epoch)
);
CREATE TABLE IF NOT EXISTS states (
  run TEXT PRIMARY KEY REFERENCES runs(id) ON DELETE CASCADE, content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS sweeps (
  place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, name TEXT NOT NULL,
  plan TEXT NOT NULL, created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS epochs ON events (run, number) WHERE kind = 'epoch';
"""
# Columns that the first table of runs didn't have; an older file gets them when it is opened.
_ADDED_TO_RUNS = {"sweep": "TEXT REFERENCES sweeps(id) ON DELETE CASCADE", "reason": "TEXT"}
# So long is waited for another process that holds the file.
BUSY_SECONDS = 5
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)


class RunDatabase:
    """One SQLite file, created where it isn't there. Errors of the disk are raised as
    StorageUnavailable, where another process holds the file as StorageBusy, where what it holds
    is none of ours as StorageDamaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
            self._writer.executescript(_SCHEMA)
            self._add_columns()
            if not os.access(path, os.W_OK):  # SQLite would say so at the first writing only.
                raise OSError("it may not be written")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._writer.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all that is written within, or nothing."""
        with self._alone(), _translated(self._path), self._writer:
            yield self._writer

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that reads what has been written."""
        with _translated(self._path):
            reader = self._connect()
            try:
                yield reader
            finally:
                reader.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise _busy(self._path)
        try:
            yield
        finally:
            self._lock.release()

    def _add_columns(self) -> None:
        there = [column["name"] for column in self._writer.execute("PRAGMA table_info(runs)")]
        for name, kind in _ADDED_TO_RUNS.items():
            if name not in there:
                self._writer.execute(f"ALTER TABLE runs ADD COLUMN {name} {kind}")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError, OSError) as error:
        # The first byte of the code is the kind of error, the others say more of it.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            raise _busy(path) from error
        if code in _DAMAGED or isinstance(error, ValueError):
            raise StorageDamaged(
                f"{path}, which holds all runs, is damaged: {error}. Stop the server, and put a "
                f"copy of the file in its place, or move it and {path.name}-wal away: models, "
                "pictures, edits and data sets are files of their own and stay."
            ) from error
        raise StorageUnavailable(
            f"Runs can't be kept in {path}: {error}. Make room there and let the server write to "
            "it, or set CONVSCOPE_DATA_DIR to another folder."
        ) from error


def _busy(path: Path) -> StorageBusy:
    return StorageBusy(f"Another process holds {path}. Try again in a moment.")


def timestamp() -> str:
    """The time of now, as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
