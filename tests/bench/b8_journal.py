"""B8: durable order intents per second: one row and one fsync per step of 20 operations, against one FULL row each.

The baseline is SQLite as it is usually used: a table, an INSERT and a commit per intent, WAL, synchronous FULL. Wall
time, since the disk is what is compared; both files lie in the same folder.
"""

import sqlite3
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from gridops.runtime.ports_journal import JournalRow, OrderRow
from tests.bench.b4_ladder_step import Disk, Ladder
from tests.bench.table import Result, times
from tests.bench.timing import Work, interleave

STEPS, ROWS = 20, 60
INTENTS = 20
AIM = 10.0


def run() -> list[Result]:
    """Every step waits for its own commit: nothing is pipelined."""
    body = _ladder_row()
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(Path(folder) / "b8.db")
        plain = _Plain(Path(folder) / "plain.db", body[: len(body) // INTENTS])
        steps = _Steps(disk, body)
        try:
            measured = interleave({"journal": steps.side, "plain": plain.side}, rounds=12, cpu=time.perf_counter_ns)
        finally:
            disk.journal.close()
            plain.close()
    ours, theirs = 1e9 / measured["journal"], 1e9 / measured["plain"]
    return [
        Result(
            row="B8",
            what=f"durable intents per second, {INTENTS} a step, one row and one fsync per step",
            here=f"{ours:,.0f}/s",
            against=f"SQLite WAL FULL, one commit per intent: {theirs:,.0f}/s",
            ratio=times(ours / theirs),
            aim=f">= {AIM:.0f}x",
            peer="per-row FULL 2.6k rows/s",
            met=ours / theirs >= AIM,
        )
    ]


def _ladder_row() -> bytes:
    """The row of a step that amends the whole ladder, as the engine writes it."""
    ladder = Ladder()
    engine = ladder.rig.engine
    ladder.moving()()
    return engine.ring[-1]


class _Steps:
    def __init__(self, disk: Disk, body: bytes) -> None:
        self._disk, self._body, self._seq = disk, body, 0

    def side(self) -> Work:
        rows = [self._row() for _ in range(STEPS)]

        def work() -> int:
            for row in rows:
                self._disk.wait(self._disk.journal.append(row))
            return STEPS * INTENTS

        return work

    def _row(self) -> JournalRow:
        self._seq += 1
        order = OrderRow("", "BTCUSDT", "BUY", "OPEN", 650_000, 15, 0, "80000000001", "-1", 1, self._seq)
        orders = tuple(replace(order, client_id=f"gobnch0000001n{level:018x}") for level in range(INTENTS))
        return JournalRow(self._seq, 1_700_000_000_000, "ViewChanged", self._body, True, orders)


class _Plain:
    def __init__(self, path: Path, body: bytes) -> None:
        self._body = body
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.execute("CREATE TABLE intents (seq INTEGER PRIMARY KEY, body BLOB)")

    def side(self) -> Work:
        def work() -> int:
            for _ in range(ROWS):
                self._file.execute("INSERT INTO intents (body) VALUES (?)", (self._body,))
            return ROWS

        return work

    def close(self) -> None:
        self._file.close()
