"""The venue's own store: one folder with the account's state, its keys, and the note that tells clients where it
listens.

Sits between the process and the disk. Files are replaced atomically and readable by their owner only; a lock keeps
two venues off one store. State is written behind: up to `WRITE_BEHIND_S` (longer when a dump is slow) of account
changes are lost when the venue itself is killed, none when it stops in order.
"""

import asyncio
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from gridops.errors import VenueUnavailable

WRITE_BEHIND_S = 0.2
SHARE_OF_TIME = 20
"""A dump that took t seconds is not repeated for t times this, so that saving takes at most 5 % of the time."""

STATE = "state.bin"
KEYS = "keys.json"
NOTE = "venue.json"
LOCK = "lock"


class VenueStore:
    """One folder, opened by at most one venue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: TextIO | None = None
        self._saving = threading.Lock()

    def open(self) -> None:
        """Make the folder and take its lock; raises VenueUnavailable when another venue holds it."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.folder / LOCK).open("a+", encoding="utf-8")
        except OSError as error:
            raise VenueUnavailable(f"the venue's store {self.folder} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read(20).strip() or "unknown"
            lock.close()
            raise VenueUnavailable(
                f"another venue (pid {holder}) runs on {self.folder}",
                hint="attach to it, stop it, or use another store",
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def read_state(self) -> bytes | None:
        """The core as it was last saved."""
        return _read(self.folder / STATE)

    def read_keys(self) -> dict[str, Any] | None:
        """Credentials and listen keys as last saved; raises VenueUnavailable when the file is damaged."""
        raw = _read(self.folder / KEYS)
        if raw is None:
            return None
        try:
            kept = json.loads(raw)
        except ValueError as error:
            raise VenueUnavailable(f"{self.folder / KEYS} is damaged: {error}", hint="use a fresh store") from error
        return dict(kept)

    def save(self, state: bytes, keys: Mapping[str, Any]) -> None:
        """Replace both files; the state last, so that it never names a key that is not kept."""
        with self._saving:
            replace(self.folder / KEYS, json.dumps(keys, sort_keys=True).encode())
            replace(self.folder / STATE, state)

    def write_note(self, note: Mapping[str, Any]) -> None:
        """Tell later clients where the venue listens."""
        replace(self.folder / NOTE, json.dumps(note, sort_keys=True).encode())

    def remove_note(self) -> None:
        """The venue listens no more."""
        (self.folder / NOTE).unlink(missing_ok=True)


class WriteBehind:
    """Saves soon after a change, and never more often than a small share of the time allows."""

    def __init__(self, store: VenueStore, dump: Callable[[], tuple[bytes, dict[str, Any]]]) -> None:
        self._store = store
        self._dump = dump
        self._dirty = asyncio.Event()
        self.saves = 0

    def mark(self) -> None:
        """The account has changed."""
        self._dirty.set()

    async def run(self) -> None:
        """Save after each change until cancelled; the disk is waited for in a thread."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(WRITE_BEHIND_S)
            self._dirty.clear()
            began_s = time.perf_counter()
            state, keys = self._dump()
            took_s = time.perf_counter() - began_s
            await asyncio.to_thread(self._store.save, state, keys)
            self.saves += 1
            await asyncio.sleep(took_s * SHARE_OF_TIME)

    def save_now(self) -> None:
        """Save at once, on this thread."""
        self._dirty.clear()
        self._store.save(*self._dump())
        self.saves += 1


def read_note(folder: Path) -> dict[str, Any] | None:
    """What a running venue wrote, or None; a damaged note counts as none."""
    raw = _read(folder / NOTE)
    if raw is None:
        return None
    try:
        note = json.loads(raw)
    except ValueError:
        return None
    return note if isinstance(note, dict) else None


def replace(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old or the new one, never a part; mode 0600, on disk when this returns."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
