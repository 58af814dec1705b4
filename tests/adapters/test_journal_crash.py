"""A writer killed at any moment loses no row whose durable token it had seen committed, and its chain verifies."""

import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from gridops.adapters.journal_reader import JournalReader
from tests.adapters.journal_rows import opened, step

WRITER = """
    import os, sys
    from pathlib import Path
    from gridops.adapters.journal_sqlite import open_journal
    from gridops.runtime.ports_journal import CheckpointRow, JournalRow, OrderRow
    journal = open_journal(Path(sys.argv[1]), account="paper", clock_ms=lambda: 0)
    committed = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    def note(token):
        if token.seq and token.durable and token.error is None:
            os.write(committed, b"%d\\n" % token.seq)
    journal.on_commit(note)
    tail = journal.tail()
    seq = tail.rows[-1].seq if tail.rows else tail.checkpoint.seq if tail.checkpoint else 0
    while True:
        seq += 1
        ids = [f"g-{seq}-{n}" for n in range(5)]
        orders = tuple(OrderRow(name, "BTCUSDT", "BUY", "PENDING", 1, 1, 0, "", "B1", 1, seq) for name in ids)
        while journal.queued() > 200:
            pass
        journal.append(JournalRow(seq, seq, "market", b"b" * (seq % 700), seq % 3 > 0, orders if seq % 3 else ()))
        if seq % 50 == 0:
            journal.checkpoint(CheckpointRow(seq, seq, b"s" * 3000, "d", "r"))
"""


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """Five kills in a row on one journal, each at a moment of its own."""
    chance = random.Random(20_240_718)
    path, committed = tmp_path / "j.db", tmp_path / "committed"
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), str(path), str(committed)])
        before = committed.stat().st_size if committed.exists() else 0
        deadline = time.monotonic() + 30
        while not committed.exists() or committed.stat().st_size <= before:
            assert time.monotonic() < deadline and writer.poll() is None
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
        writer.kill()
        writer.wait()
        promised = [int(line) for line in committed.read_text().splitlines()]
        with JournalReader(path) as reader:
            last = reader.last_row()
            assert last is not None
            assert last.seq >= max(promised)
            verified = reader.verify_all()
            assert verified.rows == last.seq
            intents = {order.seq for order in reader.orders()}
            assert set(promised) - {s for s in promised if s % 3 == 0} <= intents
    journal = opened(path)
    assert journal.tail().torn == 0
    journal.append(step(verified.rows + 1))
    journal.close()
