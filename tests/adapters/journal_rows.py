"""Rows and journals the journal tests share; no test lives here."""

from pathlib import Path

from gridops.adapters.journal_sqlite import SqliteJournal, open_journal
from gridops.runtime.ports_journal import CheckpointRow, FillRow, JournalRow, OrderRow

T0_MS = 1_721_260_800_000
"""2024-07-18 00:00:00 UTC."""


def opened(path: Path, account: str = "paper") -> SqliteJournal:
    return open_journal(path, account=account, clock_ms=lambda: T0_MS, instance="0badcafe")


def step(seq: int, *, wall_ms: int | None = None, durable: bool = True, body: bytes | None = None) -> JournalRow:
    at_ms = T0_MS + seq if wall_ms is None else wall_ms
    return JournalRow(seq, at_ms, "market", body if body is not None else b"body-%d" % seq, durable)


def order(client_id: str, state: str, seq: int, *, filled_lots: int = 0) -> OrderRow:
    return OrderRow(client_id, "BTCUSDT", "BUY", state, 641_230, 7, filled_lots, "81", "B3", 17, seq)


def fill(trade_id: int, seq: int) -> FillRow:
    return FillRow("BTCUSDT", trade_id, "g-1", "BUY", 641_230, 3, "0.01923690", "USDT", "0", T0_MS, True, seq)


def snapshot(seq: int, state: bytes = b"state") -> CheckpointRow:
    return CheckpointRow(seq, T0_MS + seq, state, f"s{seq}", f"r{seq}")
