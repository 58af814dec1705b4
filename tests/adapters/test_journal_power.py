"""The power goes: what was not synced is lost, in part, out of order, torn within a sector. No promised row is.

A disk of its own under SQLite keeps two images of each file: what was synced, and what was only written. A cut takes
the first and any part of the second. The chain then verifies, and the journal goes on.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import apsw
import pytest
from gridops.adapters.journal_reader import JournalReader
from gridops.runtime.ports_journal import Token
from tests.adapters.journal_rows import opened, snapshot, step
from tests.effort import FULL

SECTOR = 512
CUTS = 60 if FULL else 12
Write = tuple[int, bytes]


class _Image:
    """One file: its synced bytes, and the writes since, in order; a write of no bytes cuts the file there."""

    def __init__(self) -> None:
        self.synced = bytearray()
        self.since: list[Write] = []

    def after_a_cut(self, chance: Random) -> bytes:
        content = bytearray(self.synced)
        mood = chance.randrange(4)
        for at, data in self.since:
            if mood == 0 or (mood == 1 and chance.random() < 0.5):
                continue
            if mood == 2 and chance.random() < 0.3:
                data = data[: chance.randrange(len(data) // SECTOR + 1) * SECTOR] if data else data
                if not data:
                    continue
            _put(content, at, data)
        return bytes(content)


def _put(content: bytearray, at: int, data: bytes) -> None:
    if not data:
        del content[at:]
        return
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


class _Disk(apsw.VFS):
    """The default VFS, remembering what a cut would leave."""

    def __init__(self) -> None:
        self.images: dict[str, _Image] = {}
        self.lock = threading.Lock()
        super().__init__("mortal", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "_File":
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        with self.lock:
            self.images.pop(filename, None)

    def cut(self, path: Path, folder: Path, chance: Random) -> None:
        """Write into `folder` what the power left of a database and its log."""
        with self.lock:
            near = {name: image for name, image in self.images.items() if name.startswith(str(path))}
            left = {name: image.after_a_cut(chance) for name, image in near.items()}
        for name, content in left.items():
            if content:
                (folder / Path(name).name).write_bytes(content)


class _File(apsw.VFSFile):
    def __init__(self, disk: _Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        path = "" if name is None else name if isinstance(name, str) else name.filename()
        self._disk = disk
        self._image = disk.images.setdefault(path, _Image())

    def xWrite(self, data: bytes, offset: int) -> None:
        with self._disk.lock:
            self._image.since.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        with self._disk.lock:
            self._image.since.append((newsize, b""))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        with self._disk.lock:
            covered = len(self._image.since)
        super().xSync(flags)
        with self._disk.lock:
            for at, data in self._image.since[:covered]:
                _put(self._image.synced, at, data)
            del self._image.since[:covered]


@pytest.fixture
def disk() -> Iterator[_Disk]:
    mortal = _Disk()
    yield mortal
    mortal.unregister()


@pytest.mark.timeout(600)
def test_a_power_cut_at_any_moment_loses_no_promised_row(tmp_path: Path, disk: _Disk) -> None:
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")
    chance = Random(seed)
    promised: set[int] = set()

    def note(token: Token) -> None:
        if token.error is None and getattr(token, "durable", False):
            promised.add(token.seq)

    journal = opened(tmp_path / "j.db")
    journal.on_commit(note)
    journal.flush(5)
    seq = 0
    for number in range(CUTS):
        for _ in range(chance.randint(1, 40)):
            seq += 1
            journal.append(step(seq, durable=chance.random() < 0.4, body=b"%d " % seq * chance.randint(1, 900)))
            if seq % 25 == 0:
                journal.checkpoint(snapshot(seq))
            if chance.random() < 0.2:
                time.sleep(chance.uniform(0, 0.004))
        kept = set(promised)
        left = tmp_path / f"cut{number}"
        left.mkdir()
        disk.cut(journal.path, left, chance)
        _recovers(left / "j.db", kept, seed)
        if chance.random() < 0.2:
            # Long enough idle for the log to be folded into the database.
            time.sleep(0.3)
    journal.close()
    assert len(promised) > CUTS


def _recovers(path: Path, promised: set[int], seed: int) -> None:
    again = opened(path)
    rows = again.tail().rows
    checkpoint = again.tail().checkpoint
    last = rows[-1].seq if rows else checkpoint.seq if checkpoint else 0
    assert last >= max(promised, default=0), f"seed {seed}: promised {max(promised)}, kept {last}"
    again.append(step(last + 1, body=b"after the cut"))
    again.close()
    with JournalReader(path) as reader:
        assert reader.verify_all().last_seq == last + 1
