"""The right to act on an account, on one machine: an flock on `<account>.lease` and the epoch written inside.

Sits beside the journal. The kernel's lock decides who holds it; the content names the holder for humans and for a
take-over. It reads no clock: seconds are passed in. It refuses to believe a pid without its start time, and to follow a
lease file that was replaced under it.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gridops.domain.values import value
from gridops.errors import LeaseHeld, Refused

_DEATH_WAIT_S = 5.0
_POLL_S = 0.01


@value
class Holder:
    """Who wrote the lease last; `alive` only when that very process still runs on this boot."""

    account: str
    pid: int
    start_ticks: int
    boot_id: str
    epoch: int
    since_ms: int
    alive: bool


class Lease:
    """A held lease. Lost when released, when the process ends, or when the file is replaced or rewritten."""

    def __init__(self, path: Path, handle: int, account: str, epoch: int, since_ms: int) -> None:
        self.path = path
        self.account = account
        self.epoch = epoch
        self.since_ms = since_ms
        self._handle = handle
        self._content = b""
        self._write()

    def raise_epoch(self, floor: int) -> int:
        """Raise the epoch to at least `floor` (highest own epoch seen at the venue + 1) and return it."""
        if floor > self.epoch:
            self.epoch = floor
            self._write()
        return self.epoch

    def check(self) -> bool:
        """Tell whether the lease is still ours: same file under the name, content as we wrote it."""
        if self._handle < 0:
            return False
        try:
            ours, named = os.fstat(self._handle), os.stat(self.path)
            same = (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)
            return same and os.pread(self._handle, len(self._content) + 1, 0) == self._content
        except OSError:
            return False

    def release(self) -> None:
        """Give the lease up; the epoch stays in the file as the floor of the next one. Idempotent."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _write(self) -> None:
        pid = os.getpid()
        content = {
            "account": self.account,
            "pid": pid,
            "start_ticks": start_ticks(pid),
            "boot_id": boot_id(),
            "epoch": self.epoch,
            "since_ms": self.since_ms,
        }
        self._content = json.dumps(content, sort_keys=True).encode() + b"\n"
        # Over the old bytes first, the cut after: whoever reads in between finds at least the new document's start.
        os.pwrite(self._handle, self._content, 0)
        os.ftruncate(self._handle, len(self._content))
        os.fsync(self._handle)


def acquire(path: Path, *, account: str, epoch_floor: int, now_s: int) -> Lease:
    """Take the lease without waiting; the epoch is max(previous + 1, epoch_floor, now_s).

    Raises:
        LeaseHeld: another process holds it; the message names its pid, epoch and age.
        Refused: the file cannot be opened or belongs to another account.
    """
    handle = _lock(path)
    if handle is None:
        raise _held(path, now_s)
    try:
        previous = _parse(_content_of(handle))
        if previous is not None and previous.account != account:
            raise Refused(f"{path} is the lease of account {previous.account!r}, not {account!r}")
        epoch = max(previous.epoch + 1 if previous else 0, epoch_floor, now_s)
        return Lease(path, handle, account, epoch, now_s * 1000)
    except BaseException:
        os.close(handle)
        raise


def read_holder(path: Path) -> Holder | None:
    """Return who wrote the lease last, alive or not; None when there is no lease or it cannot be read."""
    try:
        return _parse(path.read_bytes())
    except OSError:
        return None


def take_over(
    path: Path,
    *,
    account: str,
    epoch_floor: int,
    now_s: int,
    kill: Callable[[Holder], None] | None = None,
    wait_s: float = _DEATH_WAIT_S,
) -> Lease:
    """Kill the verified holder, wait until it is gone, and take the lease with a higher epoch.

    Raises:
        Refused: the lock is held by a process that the lease does not name, or the holder does not die in `wait_s`.
    """
    holder = read_holder(path)
    if holder is not None and holder.account != account:
        raise Refused(f"{path} is the lease of account {holder.account!r}, not {account!r}")
    if is_locked(path):
        _end(path, holder, kill or _send_kill, wait_s)
    try:
        return acquire(path, account=account, epoch_floor=epoch_floor, now_s=now_s)
    except LeaseHeld as error:
        raise Refused(f"the lease was taken by another process during the take-over: {error}") from error


def is_locked(path: Path) -> bool:
    """Tell whether some process holds the lock now, without taking it from anyone."""
    if not path.exists():
        return False
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def start_ticks(pid: int) -> int:
    """Return the start time of a process in clock ticks since boot, 0 when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    # The name in parentheses may hold spaces and parentheses; the fields after it may not.
    fields = stat.rpartition(b")")[2].split()
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def boot_id() -> str:
    """Return the kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _lock(path: Path) -> int | None:
    """Open and lock the file that has the name now; None when another process holds it."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Refused(f"cannot open the lease {path}: {error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(handle).st_ino == os.stat(path).st_ino:
                return handle
        os.close(handle)


def _content_of(handle: int) -> bytes:
    return os.pread(handle, 4096, 0)


def _parse(content: bytes) -> Holder | None:
    """Read the holder; a torn or foreign document is no holder."""
    try:
        fields: dict[str, Any] = json.loads(content)
        pid, started, boot = int(fields["pid"]), int(fields["start_ticks"]), str(fields["boot_id"])
        alive = boot == boot_id() and started > 0 and start_ticks(pid) == started
        epoch, since_ms = int(fields["epoch"]), int(fields["since_ms"])
        return Holder(str(fields["account"]), pid, started, boot, epoch, since_ms, alive)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _held(path: Path, now_s: int) -> LeaseHeld:
    holder = read_holder(path)
    if holder is None:
        return LeaseHeld(f"{path} is locked by a process that left no readable name in it", hint="see `fuser` on it")
    age_s = max(0, now_s - holder.since_ms // 1000)
    message = f"the lease of account {holder.account} is held by pid {holder.pid} (epoch {holder.epoch}) for {age_s} s"
    return LeaseHeld(message, hint="stop it with `gridops kill`; if it does not answer, `gridops kill --direct`")


def _end(path: Path, holder: Holder | None, kill: Callable[[Holder], None], wait_s: float) -> None:
    if holder is None or not holder.alive:
        named = "nobody" if holder is None else f"pid {holder.pid}, which is gone or another process now"
        raise Refused(f"{path} is locked, but names {named}: nothing was killed", hint="find the locker with `fuser`")
    if holder.pid == os.getpid():
        raise Refused(f"{path} is held by this very process")
    kill(holder)
    deadline = time.monotonic() + wait_s
    while start_ticks(holder.pid) == holder.start_ticks or is_locked(path):
        if time.monotonic() > deadline:
            hint = "it may hang in the kernel: the account may still be traded by it"
            raise Refused(f"pid {holder.pid} does not die within {wait_s:g} s", hint=hint)
        time.sleep(_POLL_S)


def _send_kill(holder: Holder) -> None:
    """Send SIGKILL through a process handle checked after it was taken: the pid cannot be reused in between."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(holder.pid)
        try:
            if start_ticks(holder.pid) == holder.start_ticks:
                signal.pidfd_send_signal(process, signal.SIGKILL)
        except PermissionError as error:
            hint = "run as the user of the engine"
            raise Refused(f"not allowed to kill pid {holder.pid}: {error}", hint=hint) from error
        finally:
            os.close(process)
