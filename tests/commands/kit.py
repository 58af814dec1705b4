"""Runs commands in this process, and builds homes with a real engine's journal in them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.adapters.journal_sqlite import open_journal
from gridops.domain.events import Boot, Event, Header, OperatorInput
from gridops.domain.evidence_ref import EvidenceRef, parse
from gridops.domain.instrument import Instrument
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import OperatorCommand
from gridops.runtime.engine import Engine
from gridops.runtime.ports_journal import CheckpointRow, JournalRow
from gridops.runtime.state import EngineState

from gridops_cli.outcome import run_command

START_MS = 1_721_260_800_000
BOOT_NS = 5_000_000_000_000


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refs(self, stream: str | None = None) -> list[EvidenceRef]:
        """Evidence lines, read back by the grammar; of one stream or of both."""
        text = {"out": self.out, "err": self.err, None: self.out + self.err}[stream]
        return [parse(line) for line in text.splitlines() if line.startswith("EVIDENCE_REF")]

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


Cli = Callable[..., Ran]


@dataclass(frozen=True)
class Runner:
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Ran:
        self.capture.readouterr()
        code = run_command(words)
        seen = self.capture.readouterr()
        return Ran(code, seen.out, seen.err)


def instrument() -> Instrument:
    return Instrument(
        symbol="BTCUSDT", settle_asset="USDT", tick_size=Decimal("0.1"), step_size=Decimal("0.001"),
        min_price_ticks=1, max_price_ticks=10_000_000, min_lots=1, max_lots=1_000_000, market_max_lots=120_000,
        min_notional=Decimal(50), percent_up=Decimal("1.05"), percent_down=Decimal("0.95"),
    )  # fmt: skip


def boot(*, run_id: str = "run000000001", armed: bool = True) -> Boot:
    return Boot(
        run_id=run_id, instance_tag="test", account="paper", fingerprint="f", epoch=7, build="0", config_hash="c",
        armed=armed, live=False, rules=Rules(symbols=("BTCUSDT",)), instruments=(instrument(),),
    )  # fmt: skip


def said(command: OperatorCommand, reason: str) -> OperatorInput:
    return OperatorInput(command=command, request_id="r", author="anna", reason=reason)


def write_journal(
    home: Home,
    events: Sequence[Event],
    *,
    checkpoint_after: int = 0,
    spoil: Callable[[int, bytes], bytes] | None = None,
) -> Engine:
    """Run the events, one a second, through a real engine into the account's journal; returns the engine.

    A second run begins after a reboot: its boot clock starts over.
    """
    home.ensure()
    engine = Engine(EngineState(rules=Rules(symbols=())))
    journal = open_journal(home.journal("paper"), account="paper", clock_ms=lambda: START_MS)
    journal.begin_run("run000000001", 7, "0")
    base_ns = BOOT_NS
    for at, event in enumerate(events, 1):
        if isinstance(event, Boot) and at > 1:
            base_ns = 0
        header = Header(
            seq=at, wall_ms=START_MS + at * 1_000, boot_ns=base_ns + at * 1_000_000_000, boot_id="b",
            venue_ms=START_MS + at * 1_000,
        )  # fmt: skip
        _, body = engine.handle(header, event)
        body = spoil(at, body) if spoil is not None else body
        journal.append(JournalRow(at, header.wall_ms, type(event).__name__, body, False))
        if at == checkpoint_after:
            journal.checkpoint(engine.checkpoint())
    assert journal.flush(10)
    journal.close()
    return engine


def wrong_checkpoint(row: CheckpointRow) -> CheckpointRow:
    return CheckpointRow(row.seq, row.wall_ms, row.state, "0" * 64, row.records_digest)


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
