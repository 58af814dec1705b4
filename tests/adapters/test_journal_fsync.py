"""A durable row is on the disk before its token says so: seen at SQLite's own border to the operating system."""

import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from gridops.runtime.ports_journal import JournalRow, Token
from tests.adapters.journal_rows import T0_MS, opened, order, step


class WatchedFile(apsw.VFSFile):
    """Counts syncs of write-ahead logs, and fails them on demand."""

    def __init__(self, border: "WatchedBorder", name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._border = border
        self._is_log = name is not None and str(name.filename() if not isinstance(name, str) else name).endswith("-wal")

    def xSync(self, flags: int) -> None:
        if self._is_log:
            if self._border.broken:
                raise apsw.IOError("the disk refuses to sync")
            self._border.synced += 1
        super().xSync(flags)


class WatchedBorder(apsw.VFS):
    """The default VFS with eyes."""

    def __init__(self) -> None:
        self.synced = 0
        self.broken = False
        super().__init__("watched", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> WatchedFile:
        return WatchedFile(self, name, flags)


@pytest.fixture
def border() -> Iterator[WatchedBorder]:
    watched = WatchedBorder()
    yield watched
    watched.unregister()


def settled(token: Token) -> Token:
    deadline = time.monotonic() + 5
    while not token.done():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return token


def test_one_sync_per_durable_step(tmp_path: Path, border: WatchedBorder) -> None:
    """Twenty intents of one step cost one sync, which happened when the token is settled; a soft row costs none."""
    journal = opened(tmp_path / "j.db")
    settled(journal.append(step(1)))
    for seq in range(2, 7):
        before = border.synced
        orders = tuple(order(f"g-{seq}-{n}", "PENDING", seq) for n in range(20))
        settled(journal.append(JournalRow(seq, T0_MS, "timer", b"intents", True, orders)))
        assert border.synced == before + 1
    before = border.synced
    settled(journal.append(step(7, durable=False)))
    assert border.synced == before
    assert journal.flush(5)
    assert border.synced == before + 1
    journal.close()


def test_a_sync_that_fails_breaks_the_promise(tmp_path: Path, border: WatchedBorder) -> None:
    """The token of a row whose sync failed carries the error; the row is written again when the disk syncs again."""
    journal = opened(tmp_path / "j.db")
    settled(journal.append(step(1)))
    border.broken = True
    failed = settled(journal.append(step(2)))
    assert isinstance(failed.error, apsw.IOError)
    border.broken = False
    assert settled(journal.append(step(3))).error is None
    assert journal.failures >= 1
    journal.close()
    again = opened(tmp_path / "j.db")
    assert [row.seq for row in again.tail().rows] == [1, 2, 3]
    again.close()
