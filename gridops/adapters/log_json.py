"""The structured log: one JSON line per record, sorted keys, redacted, rotated, never in the way.

`write` encodes into a bounded buffer and returns; a thread of its own puts it to the file (and to stderr when
headless). A disk that is full or a terminal that stands still costs lines, which are counted and said in the next
line that gets through; it never costs the caller time or an exception.
"""

import json
import os
import select
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import orjson

from gridops.adapters.allocator import fill_thread_cache
from gridops.adapters.redaction import Secrets, plain, plain_json

FLUSH_S = 0.2
_MAX_LINE = 64 * 1024
_MAX_BUFFER = 8 * 1024 * 1024
_PIPE_BUF = 4096
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


class JsonLog:
    """Writes `<folder>/<name>.jsonl`, older parts as `<name>.1.jsonl` up to `backups`."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = 16 * 1024 * 1024,
        backups: int = 5,
        stderr: bool = False,
        secrets: Secrets | None = None,
        name: str = "gridops",
    ) -> None:
        self.failures = 0
        """Lines that were lost on the way to the file."""
        self.stderr_dropped = 0
        self._folder, self._name, self._max_bytes, self._backups = folder, name, max_bytes, backups
        self._stderr, self._secrets = stderr, secrets or Secrets()
        self._lines: list[bytes] = []
        self._held = 0
        self._unsaid = 0
        self._file: int | None = None
        self._gate = threading.Lock()
        self._disk = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """The file written now."""
        return self._folder / f"{self._name}.jsonl"

    def write(self, record: Mapping[str, object], *, important: bool = False) -> None:
        """Take a record over. `important` wakes the writer at once instead of within 200 ms."""
        try:
            line = self._secrets.redact(_encoded(record))
        except Exception:  # a record that cannot be said must not stop what it speaks of
            self._lost(1)
            return
        with self._gate:
            if self._closed or self._held + len(line) > _MAX_BUFFER:
                self.failures += 1
                self._unsaid += 1
                return
            self._lines.append(line)
            self._held += len(line)
        if important:
            self._wake.set()

    def flush(self) -> None:
        """Put everything taken over so far to the file. Blocks; never raises."""
        with self._disk:
            with self._gate:
                lines, self._lines, self._held = self._lines, [], 0
                unsaid, self._unsaid = self._unsaid, 0
            if unsaid:
                lines.append(orjson.dumps({"event": "log_lines_lost", "lines": unsaid}) + b"\n")
            if not lines:
                return
            try:
                self._put(b"".join(lines))
            except OSError:
                self._close_file()
                # The line that tells of a loss is not one of the caller's: its count stays to be said.
                self._lost(len(lines) - bool(unsaid), unsaid)
            if self._stderr:
                self._show(lines)

    def close(self) -> None:
        """Flush and end. Later records count as lost."""
        with self._gate:
            self._closed = True
        self._wake.set()
        self._thread.join(5)
        self.flush()
        with self._disk:
            self._close_file()

    def _work(self) -> None:
        fill_thread_cache()
        while not self._closed:
            self._wake.wait(FLUSH_S)
            self._wake.clear()
            self.flush()

    def _lost(self, lines: int, unsaid: int = 0) -> None:
        with self._gate:
            self.failures += lines
            self._unsaid += lines + unsaid

    def _put(self, data: bytes) -> None:
        if self._file is not None and os.fstat(self._file).st_size + len(data) > self._max_bytes:
            self._rotate()
        if self._file is None:
            self._open()
        assert self._file is not None
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self.path, flags, 0o600)
        size = os.fstat(self._file).st_size
        if size > 0 and os.pread(self._file, 1, size - 1) != b"\n":
            # A write that failed half-way, or a killed process: the next line must not be glued to the stump.
            os.write(self._file, b"\n")

    def _rotate(self) -> None:
        self._close_file()
        for at in range(self._backups - 1, 0, -1):
            older = self._part(at)
            if older.exists():
                older.replace(self._part(at + 1))
        if self._backups:
            self.path.replace(self._part(1))
        else:
            self.path.unlink()

    def _part(self, at: int) -> Path:
        return self._folder / f"{self._name}.{at}.jsonl"

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _show(self, lines: list[bytes]) -> None:
        """Lines to stderr as long as it takes them: a pipe that stands still loses lines, it does not hold us."""
        try:
            target = sys.stderr.fileno()
            on_terminal = os.isatty(target)
            for line in lines:
                shown = (plain_line(orjson.loads(line)) + "\n").encode() if on_terminal else line
                for start in range(0, len(shown), _PIPE_BUF):
                    if not select.select([], [target], [], 0)[1]:
                        raise BlockingIOError
                    os.write(target, shown[start : start + _PIPE_BUF])
        except (OSError, ValueError, AttributeError):
            self.stderr_dropped += 1


def plain_line(record: Mapping[str, object]) -> str:
    """A record for a person: `key=value` words, the event first, safe on any terminal."""
    words = [str(record["event"])] if "event" in record else []
    for name in sorted(record.keys() - {"event"}):
        held = record[name]
        words.append(f"{name}={held if isinstance(held, str) else json.dumps(held, default=str, sort_keys=True)}")
    return plain(" ".join(words))


def _encoded(record: Mapping[str, object]) -> bytes:
    try:
        line = plain_json(orjson.dumps(record, default=str, option=_OPTIONS))
    except TypeError:
        # Numbers beyond 64 bits and lone surrogates, which a hostile payload may hold.
        named = {str(name): held for name, held in record.items()}
        line = plain_json(json.dumps(named, default=str, sort_keys=True, separators=(",", ":")).encode())
    if len(line) > _MAX_LINE:
        event = plain(str(record.get("event"))[:100])
        line = orjson.dumps({"event": event, "too_long_bytes": len(line)}, option=_OPTIONS)
    return line + b"\n"
