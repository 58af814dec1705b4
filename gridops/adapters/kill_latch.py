"""The kill latch: a file that says an operator's kill stands. It outlives every process and is asked at each send.

Present is latched, whatever it holds: a torn or unreadable latch is a latch. It never forgets a kill because the disk
refused it, and it never raises towards the engine.
"""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from gridops.adapters.redaction import every_known
from gridops.domain.values import record

_MAX_FILE = 16_384


@record
class KillNote:
    """Who killed, why, and when (UTC unix ms; 0 when the file does not say)."""

    author: str
    reason: str
    at_ms: int


class KillLatch:
    """One account's latch. `on_failure` hears of a disk that refused; the latch holds in this process regardless."""

    def __init__(
        self, path: Path, *, clock_ms: Callable[[], int], on_failure: Callable[[str], None] | None = None
    ) -> None:
        self.path = path
        self._clock_ms = clock_ms
        self._on_failure = on_failure
        self._held = False

    def is_set(self) -> bool:
        """Whether a kill stands. One `stat`; what cannot be looked at counts as set."""
        if self._held:
            return True
        try:
            os.stat(self.path)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def set(self, author: str, reason: str) -> None:
        """Latch, durably where the disk lets us. A latch that stands keeps its first author."""
        if self.read() is not None:
            return
        content = {"v": 1, "author": author, "reason": every_known().redact(reason), "at_ms": self._clock_ms()}
        try:
            _write(self.path, json.dumps(content, sort_keys=True).encode() + b"\n")
        except OSError as error:
            self._held = True
            with contextlib.suppress(OSError):
                # A full disk may still have room for a name, and the name alone latches.
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._tell(f"kill latch {self.path} cannot be written: {error.strerror}")

    def clear(self) -> None:
        """Take the latch away, after an operator's accepted ack. Idempotent."""
        self._held = False
        try:
            self.path.unlink(missing_ok=True)
            _sync_folder(self.path.parent)
        except OSError as error:
            self._tell(f"kill latch {self.path} cannot be removed: {error.strerror}")

    def read(self) -> KillNote | None:
        """What the latch says; None when it is not set."""
        try:
            with self.path.open("rb") as file:
                said = json.loads(file.read(_MAX_FILE))
            return KillNote(author=str(said["author"]), reason=str(said["reason"]), at_ms=int(said["at_ms"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return KillNote(author="unknown", reason="the latch file is not readable", at_ms=0)

    def _tell(self, text: str) -> None:
        if self._on_failure is not None:
            self._on_failure(text)


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(unfinished, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
