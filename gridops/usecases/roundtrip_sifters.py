"""The rows of a journal as parts in order: stored with them, or sifted, by processes beside this one when many are.

Between the journal and the fold. Each process opens the file for itself, read-only, and is asked for stretches of rows
through a pipe; it ends with the pipe, whatever becomes of who asked. Where none can be started, or one fails, this
process does the work: the answer is the same.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

import msgspec

from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.journal_sift import PARTS, Part, encode, sift
from gridops.errors import GridopsError

WORTH_IT = 100_000
"""Rows from which on the start of a process pays."""
MOST = 4
STRETCH = 4_096
"""Sequence numbers asked for at once."""
AHEAD = 2
"""Stretches that a process may have been asked for and not answered."""
_SIZE = 4


def parts(journal: JournalReader, first_seq: int, last_seq: int) -> Iterator[Part]:
    """Every row from first to last, in order: by stored columns, and where there are none by sifting.

    JournalError when the journal cannot be read.
    """
    for stretch in journal.columns(first_seq, last_seq):
        try:
            stored = PARTS.decode(stretch.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if stretch.first_seq < first_seq:
            continue
        if first_seq < stretch.first_seq:
            yield from sifted(journal, first_seq, stretch.first_seq - 1)
        yield from stored
        first_seq = stretch.last_seq + 1
    if first_seq <= last_seq:
        yield from sifted(journal, first_seq, last_seq)


def sifted(journal: JournalReader, first_seq: int, last_seq: int) -> Iterator[Part]:
    """The same by sifting alone."""
    count = min(MOST, _processors()) if last_seq - first_seq >= WORTH_IT else 0
    if count < 2:
        yield from _here(journal, first_seq, last_seq)
        return
    with ExitStack() as stack:
        helpers = [stack.enter_context(_Helper(journal.path)) for _ in range(count)]
        asked: deque[tuple[_Helper, int, int]] = deque()
        starts = range(first_seq, last_seq + 1, STRETCH)
        for number, start in enumerate(starts):
            helper = helpers[number % count]
            stop = min(start + STRETCH - 1, last_seq)
            helper.ask(start, stop)
            asked.append((helper, start, stop))
            if len(asked) == count * AHEAD:
                yield from _answered(journal, *asked.popleft())
        while asked:
            yield from _answered(journal, *asked.popleft())


def _answered(journal: JournalReader, helper: "_Helper", start: int, stop: int) -> Iterator[Part]:
    found = helper.answer()
    yield from _here(journal, start, stop) if found is None else found


def _here(journal: JournalReader, first_seq: int, last_seq: int) -> Iterator[Part]:
    for page in journal.pages(first_seq, last_seq):
        yield from sift(page)


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class _Helper:
    """One process that sifts. A context manager; after a failure it answers None for good."""

    def __init__(self, path: Path) -> None:
        program = [sys.executable, "-P", "-m", __name__, str(path)]
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError):
            self._process = subprocess.Popen(
                program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )

    def __enter__(self) -> "_Helper":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, start: int, stop: int) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(b"%d %d\n" % (start, stop))
            self._process.stdin.flush()
        except OSError:
            self._end()

    def answer(self) -> list[Part] | None:
        """To the oldest question not answered; None when the process is not there any more."""
        if self._process is None or self._process.stdout is None:
            return None
        try:
            size = int.from_bytes(_whole(self._process.stdout, _SIZE), "big")
            return PARTS.decode(_whole(self._process.stdout, size))
        except (OSError, EOFError, msgspec.MsgspecError):
            self._end()
            return None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        process.wait()


def _whole(pipe: IO[bytes], size: int) -> bytes:
    """EOFError when the other end closed before."""
    found = pipe.read(size)
    if len(found) < size:
        raise EOFError
    return found


def serve(path: Path, questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer questions until there are none. JournalError when the journal cannot be read."""
    with JournalReader(path) as journal:
        for line in questions:
            start, stop = map(int, line.split())
            body = encode(list(_here(journal, start, stop)))
            answers.write(len(body).to_bytes(_SIZE, "big") + body)
            answers.flush()


def _main(name: str, ask: Callable[[Path, IO[bytes], IO[bytes]], None] = serve) -> None:
    with suppress(GridopsError, KeyboardInterrupt, BrokenPipeError):
        ask(Path(name), sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    import gc

    gc.disable()
    _main(sys.argv[1])
