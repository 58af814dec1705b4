"""The venue's own store: one folder with the account's state, its keys, and the note that says where it listens.

Sits between the process and the disk. Files are replaced atomically and readable by their owner only; a lock keeps
two venues off one store. State is written behind: the last `WRITE_BEHIND_S` of account changes, and those made while a
dump is being written, are lost when the venue itself is killed, none when it stops in order.
"""

import asyncio
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from gridops.errors import VenueUnavailable

WRITE_BEHIND_S = 0.2
_POLL_S = 0.02
_LOCK_WITHIN_S = 1.0

STATE = "state.bin"
KEYS = "keys.json"
NOTE = "venue.json"
LOCK = "lock"


class VenueStore:
    """One folder, opened by at most one venue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: TextIO | None = None

    def open(self) -> None:
        """Make the folder and take its lock; raises VenueUnavailable when another venue holds it."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.folder / LOCK).open("a+", encoding="utf-8")
        except OSError as error:
            raise VenueUnavailable(f"the venue's store {self.folder} cannot be opened: {error.strerror}") from error
        if not _locked(lock):
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
            return dict(json.loads(raw))
        except (ValueError, TypeError, RecursionError) as error:
            raise VenueUnavailable(f"{self.folder / KEYS} is damaged: {error}", hint="use a fresh store") from error

    def save(self, state: bytes, keys: Mapping[str, Any]) -> None:
        """Replace both files; the state last, so that it never names a key that is not kept."""
        replace(self.folder / KEYS, json.dumps(keys, sort_keys=True).encode())
        replace(self.folder / STATE, state)

    def write_note(self, note: Mapping[str, Any]) -> None:
        """Tell later clients where the venue listens."""
        replace(self.folder / NOTE, json.dumps(note, sort_keys=True).encode())

    def remove_note(self) -> None:
        """The venue listens no more."""
        (self.folder / NOTE).unlink(missing_ok=True)


class WriteBehind:
    """Saves soon after a change, in a forked copy of the process, so that no client ever waits for a dump.

    Needs a process with one thread, which the venue is. One copy at a time; changes meanwhile are saved after it.
    """

    def __init__(self, store: VenueStore, dump: Callable[[], tuple[bytes, dict[str, Any]]]) -> None:
        self._store = store
        self._dump = dump
        self._dirty = asyncio.Event()
        self._copy: int | None = None
        self.saves = 0

    def mark(self) -> None:
        """The account has changed."""
        self._dirty.set()

    async def run(self) -> None:
        """Save after each change until cancelled."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(WRITE_BEHIND_S)
            self._dirty.clear()
            self._copy = self._fork()
            while not self._reaped(os.WNOHANG):
                await asyncio.sleep(_POLL_S)

    def save_now(self) -> None:
        """Save at once in this process, after a copy that is still writing, so that the newest state stays."""
        self._reaped(0)
        self._dirty.clear()
        self._store.save(*self._dump())
        self.saves += 1

    def _fork(self) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            # Signals of the copy must not wake the loop of the venue through the shared descriptor.
            signal.set_wakeup_fd(-1)
            self._store.save(*self._dump())
            code = 0
        finally:
            os._exit(code)

    def _reaped(self, how: int) -> bool:
        """Whether no copy is writing any more; a copy that failed makes this process save itself."""
        if self._copy is None:
            return True
        pid, status = os.waitpid(self._copy, how)
        if pid == 0:
            return False
        self._copy = None
        if status != 0:
            self._store.save(*self._dump())
        self.saves += 1
        return True


def read_note(folder: Path) -> dict[str, Any] | None:
    """What a running venue wrote, or None; a damaged note counts as none."""
    raw = _read(folder / NOTE)
    if raw is None:
        return None
    try:
        note = json.loads(raw)
    except (ValueError, RecursionError):
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


def _locked(lock: TextIO) -> bool:
    """Take the lock; a venue killed while it was saving leaves it to its copy for a moment more."""
    until_s = time.monotonic() + _LOCK_WITHIN_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until_s:
                return False
            time.sleep(_POLL_S)
        else:
            return True


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
