"""Writing the index of an evidence root: one line per bundle, or per bundle removed on purpose, in one hash chain.

Writers of several processes take turns by `flock`. A bundle becomes visible and indexed under that one lock; a small
marker lets the next writer finish the line of one that died in between. Nothing is ever rewritten but a torn tail.
"""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from gridops.adapters.evidence_chain import GENESIS, INDEX, content_hash
from gridops.adapters.evidence_list import read_bundle
from gridops.domain.values import record

TEMP = ".tmp"
SETTLE_WITHIN_S, SETTLE_POLL_S = 2.0, 0.005
_PENDING = "pending"
_TAIL = 8192
_LINE_END = b"\n"


@record
class IndexRow:
    """What the index says of one bundle, without its place in the chain."""

    kind: str
    """`bundle`, or `pruned` once its folder was removed on purpose."""
    name: str
    status: str
    reason: str
    digest: str
    adopted: bool = False
    """Its writer died after the bundle was complete; a later one wrote the line."""


class LockedIndex:
    """The index while its lock is held. Only `locked` makes one."""

    def __init__(self, root: Path, file: int) -> None:
        self._root, self._file = root, file

    def append(self, row: IndexRow) -> None:
        """Add the next link and wait until it is on disk. A torn last line is cut, and the row says so."""
        last, cut = self._last_line()
        content: dict[str, object] = {
            "v": 1,
            "kind": row.kind,
            "name": row.name,
            "status": row.status,
            "reason": row.reason,
            "digest": row.digest,
            "prev": GENESIS if last is None else hashlib.sha256(last).hexdigest(),
        }
        if row.adopted:
            content["adopted"] = True
        if cut:
            content["cut_bytes"] = cut
        content["hash"] = content_hash(content)
        _write_all(self._file, orjson.dumps(content, option=orjson.OPT_SORT_KEYS) + _LINE_END)
        os.fsync(self._file)

    def mark_pending(self, name: str) -> None:
        """Say that this bundle is about to become visible."""
        self._marker.write_text(name, encoding="ascii")

    def clear_pending(self) -> None:
        """The line of the marked bundle is written."""
        self._marker.unlink(missing_ok=True)

    def adopt(self) -> None:
        """Write the missing line of a bundle whose writer died between making it visible and indexing it."""
        try:
            name = self._marker.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return
        last, _ = self._last_line()
        entry = read_bundle(self._root, name)
        if entry is not None and entry.ref.digest is not None and not _names(last, name):
            ref = entry.ref
            self.append(bundle_row(name, ref.status.value, ref.reason, entry.ref.digest, adopted=True))
        self.clear_pending()

    def holds(self, name: str) -> bool:
        """Whether some line names this bundle. Reads the whole index: for the rare case only."""
        return f'"name":"{name}"'.encode() in (self._root / INDEX).read_bytes()

    @property
    def _marker(self) -> Path:
        return self._root / TEMP / _PENDING

    def _last_line(self) -> tuple[bytes | None, int]:
        """The last complete line, after cutting what follows it, and how many bytes were cut."""
        size = os.fstat(self._file).st_size
        span = _TAIL
        while True:
            start = max(0, size - span)
            tail = os.pread(self._file, size - start, start)
            end = tail.rfind(_LINE_END)
            before = tail.rfind(_LINE_END, 0, end) if end >= 0 else -1
            if before >= 0 or start == 0:
                break
            span *= 2
        cut = len(tail) - (end + 1)
        if cut:
            os.ftruncate(self._file, size - cut)
        return (tail[before + 1 : end] if end >= 0 else None), cut


@contextmanager
def locked(root: Path) -> Iterator[LockedIndex]:
    """Hold the index of this root against every other writer. OSError when it cannot be opened."""
    (root / TEMP).mkdir(parents=True, exist_ok=True)
    file = os.open(root / INDEX, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield LockedIndex(root, file)
    finally:
        os.close(file)


def settle(root: Path) -> None:
    """Wait until no writer stands between making a bundle visible and indexing it; changes nothing, and gives up."""
    try:
        file = os.open(root / INDEX, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    until_s = time.monotonic() + SETTLE_WITHIN_S
    try:
        while time.monotonic() < until_s:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return
            time.sleep(SETTLE_POLL_S)
    finally:
        os.close(file)


def bundle_row(name: str, status: str, reason: str, digest: str, *, adopted: bool = False) -> IndexRow:
    """The line of a written bundle."""
    return IndexRow(kind="bundle", name=name, status=status, reason=reason, digest=digest, adopted=adopted)


def _names(line: bytes | None, name: str) -> bool:
    try:
        return line is not None and orjson.loads(line)["name"] == name
    except (ValueError, KeyError, TypeError):
        return False


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
