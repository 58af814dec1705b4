"""Rings stay as long as they are: a screen left open for a day of records holds what it held after an hour."""

import tracemalloc

from gridops.domain.events import Header, Woke
from gridops.domain.plan import Choice, Cost
from gridops.domain.records import Decided, GateRefused, Record, Wrote
from gridops.domain.vocabulary import (
    Decision,
    FsmState,
    Gate,
    OpKind,
    RouterReason,
    Side,
    VenueCode,
    WriteOutcome,
)
from gridops.tui import history as rings
from gridops.tui.history import History
from tests.runtime.engine_kit import SYMBOL, WALL_0_MS
from tests.tui.kit import folded, quoting, story

DAY_MS = 86_400_000


def header(seq: int, at_ms: int) -> Header:
    return Header(seq=seq, wall_ms=WALL_0_MS + at_ms, boot_ns=at_ms * 1_000_000, boot_id="b", venue_ms=at_ms)


def said(seq: int) -> list[Record]:
    choice = Choice(
        symbol=SYMBOL, level=seq % 20 - 10, decision=Decision.NOOP, reason=RouterReason.UNCHANGED, side=Side.BUY,
        client_id=f"id{seq}", from_ticks=1, from_lots=1, to_ticks=1, to_lots=1, cost=Cost(),
    )  # fmt: skip
    refusal = GateRefused(
        gate=list(Gate)[seq % len(Gate)], intent="increase", symbol=SYMBOL, level=1, detail=f"{seq}", all_refusals=""
    )
    wrote = Wrote(
        op_id=seq, kind=OpKind.AMEND, client_id="", outcome=WriteOutcome.CONFIRMED, code=VenueCode.OK, number=0,
        latency_ms=seq % 50,
    )  # fmt: skip
    return [Decided(choice=choice), refusal, wrote]


def test_memory_is_flat_over_a_day_of_records() -> None:
    state, history = quoting(2).state, History()
    every_ms = 10_000
    rows = DAY_MS // every_ms
    warm = rows // 24
    tracemalloc.start()
    try:
        for seq in range(warm):
            history.take(header(seq, seq * every_ms), Woke(), said(seq), state)
        before, _ = tracemalloc.get_traced_memory()
        for seq in range(warm, rows):
            history.take(header(seq, seq * every_ms), Woke(), said(seq), state)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000
    assert len(history.equity) == rings.EQUITY_POINTS
    assert len(history.decisions) == rings.DECISIONS and len(history.gate_refusals) == rings.REFUSALS
    assert len(history.latency_ms[OpKind.AMEND]) == rings.WRITES
    assert sum(history.refused_by_gate.values()) == rows


def test_the_newest_stands_last_with_the_number_and_time_of_its_input() -> None:
    desk = story()
    history = folded(desk).history
    moves = [(h.seq, h.wall_ms) for h, _, body in desk.history if b'["Transition"' in body]
    assert [(e.seq, e.at_ms) for e in history.transitions] == [m for m in moves for _ in range(_count(desk, m[0]))]
    assert [e.said.to_state for e in history.transitions][-2:] == [FsmState.ACTIVE, FsmState.PAUSED]
    assert [e.said.fill.trade_id for e in history.fills] == [1, 2, 3]


def _count(desk: object, seq: int) -> int:
    bodies = [body for h, _, body in desk.history if h.seq == seq]  # type: ignore[attr-defined]
    return sum(body.count(b'["Transition"') for body in bodies)
