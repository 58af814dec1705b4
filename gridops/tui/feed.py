"""Where the screen's data come from: the journal read-only, the engine's process, and the tail of its log file.

Blocking calls for a worker thread, one short read each. Nothing here waits for the engine but `feel`, which has its own
time-out; a journal that is not there yet, or was set aside for a new one, is an answer like any other.
"""

import os
from collections import deque
from pathlib import Path

from gridops.adapters.journal_reader import JournalReader
from gridops.domain.values import record
from gridops.errors import JournalError
from gridops.runtime.ports_journal import CheckpointRow, InputRow

LOOK_BACK = 2_000
"""Rows of the past that fill the rings when the screen opens."""
PAGE = 500
FAR_BEHIND = 20_000
"""Rows after which a screen that stood still jumps to the newest checkpoint instead of catching up."""
REBASE_ROWS = 500
OLDER_ROWS = 20_000
"""Rows before the look-back in which transitions, fills and trips are still searched."""
OLDER_KEPT = 200
_OLDER_KINDS = (b'["Transition"', b'["Filled"', b'["TripClosed"')
_TAIL_BYTES = 64 * 1024
LOG_LINES = 400


@record
class Batch:
    """What one look at the journal brought. `reset`: forget everything, `base` is the new beginning (None = empty)."""

    reset: bool = False
    base: CheckpointRow | None = None
    older: tuple[InputRow, ...] = ()
    """With a reset: rare rows from before the base, for the rings alone."""
    again: tuple[InputRow, ...] = ()
    """Rows between a rebasing checkpoint and what was read before."""
    rows: tuple[InputRow, ...] = ()
    more: bool = False
    outcome: str = ""
    trouble: str = ""
    """Why nothing could be read."""


class JournalFeed:
    """Follows one journal. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: JournalReader | None = None
        self._inode = 0
        self._next = 0
        self._base = -1
        self._checked = 0

    def poll(self) -> Batch:
        """Rows since the last call, at most a page. Never raises for a journal that cannot be read."""
        try:
            if self._replaced():
                self.close()
            if self._reader is None:
                return self._open()
            return self._follow(self._reader)
        except (JournalError, OSError) as error:
            self.close()
            return Batch(trouble=str(error))

    def close(self) -> None:
        """Let the file go; the next poll opens it again from the beginning. Idempotent."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _replaced(self) -> bool:
        return self._reader is not None and self.path.stat().st_ino != self._inode

    def _open(self) -> Batch:
        reader = JournalReader(self.path)
        self._reader, self._inode = reader, self.path.stat().st_ino
        newest = reader.last_row()
        return self._jump(reader, 0 if newest is None else newest.seq - LOOK_BACK)

    def _jump(self, reader: JournalReader, to_seq: int) -> Batch:
        base = reader.checkpoint_at(max(0, to_seq))
        self._base = self._checked = -1 if base is None else base.seq
        self._next = self._base + 1
        return Batch(reset=True, base=base, older=_older(reader, self._base), more=True, outcome=_outcome(reader))

    def _follow(self, reader: JournalReader) -> Batch:
        newest = reader.last_row()
        if newest is None:
            return Batch()
        if newest.seq - self._next > FAR_BEHIND and self._nearer(reader, newest.seq - LOOK_BACK):
            return self._jump(reader, newest.seq - LOOK_BACK)
        rows = tuple(reader.rows(self._next, min(newest.seq, self._next + PAGE - 1)))
        base = self._rebase(reader) if newest.seq < self._next + PAGE else None
        again = tuple(reader.rows(base.seq + 1, self._next - 1)) if base is not None else ()
        self._next = max(self._next, min(newest.seq, self._next + PAGE - 1) + 1)
        return Batch(base=base, again=again, rows=rows, more=self._next <= newest.seq, outcome=_outcome(reader))

    def _nearer(self, reader: JournalReader, to_seq: int) -> bool:
        """Is there a checkpoint to jump to?"""
        base = reader.checkpoint_at(to_seq)
        return base is not None and base.seq > self._next

    def _rebase(self, reader: JournalReader) -> CheckpointRow | None:
        """A newer checkpoint below what was read: the fold is put right by it before it can drift."""
        if self._next - self._checked <= REBASE_ROWS:
            return None
        self._checked = self._next
        base = reader.checkpoint_at(self._next - 1)
        if base is None or base.seq <= self._base:
            return None
        self._base = base.seq
        return base


def _older(reader: JournalReader, base_seq: int) -> tuple[InputRow, ...]:
    rows = reader.rows(max(0, base_seq - OLDER_ROWS), base_seq)
    return tuple(deque((row for row in rows if any(kind in row.body for kind in _OLDER_KINDS)), maxlen=OLDER_KEPT))


def _outcome(reader: JournalReader) -> str:
    runs = reader.runs()
    return (runs[-1].outcome or "") if runs else ""


class LogTail:
    """The newest lines of a log file, across rotations."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        self._inode = -1
        self._at = 0
        self._rest = b""

    def poll(self) -> bool:
        """Read what was added; True when there is something new. A file that is not there is an empty one."""
        try:
            with self.path.open("rb") as file:
                about = os.fstat(file.fileno())
                if about.st_ino != self._inode or about.st_size < self._at:
                    self._inode, self._rest = about.st_ino, b""
                    self._at = max(0, about.st_size - _TAIL_BYTES)
                    whole_line = self._at == 0
                else:
                    whole_line = True
                file.seek(self._at)
                added = file.read(4 * _TAIL_BYTES)
        except OSError:
            return False
        self._at += len(added)
        return self._cut(added, whole_line=whole_line)

    def _cut(self, added: bytes, *, whole_line: bool) -> bool:
        parts = (self._rest + added).split(b"\n")
        self._rest = parts.pop()[-_TAIL_BYTES:]
        found = parts if whole_line else parts[1:]
        self.lines.extend(line.decode("utf-8", "replace") for line in found)
        return bool(found)
