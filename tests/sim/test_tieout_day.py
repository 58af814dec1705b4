"""The engine ties its books out by itself: in the composed loop a planted wrong row moves metric, evidence, state."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from gridops.adapters.metric_labels import open_metrics
from gridops.adapters.record_metrics import MetricsSink
from gridops.decide import tieout_rows
from gridops.domain.effects import WriteBundle
from gridops.domain.orders import Fill
from gridops.domain.records import Note
from gridops.domain.vocabulary import FsmReason, FsmState
from gridops.runtime import observe_fills
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_run import run_drill
from gridops.sim.drill_spec import parse
from gridops.sim.rest_link import RestLink

pytestmark = pytest.mark.simulation

FILL_AND_FUND: list[dict[str, Any]] = [
    {"name": "fill", "after": "state ACTIVE", "plus_s": 5, "do": "fill_nearest", "side": "BUY", "lots": 3},
    {"name": "fault", "plus_s": 10, "do": "fund", "rate_bps": 9_000},
    {"name": "sold", "plus_s": 10, "do": "price", "move_bps": 8, "over_s": 4},
]


class Seen:
    """What one run told of its tie-outs, and the gauge at its end."""

    def __init__(self) -> None:
        drill = parse(
            {"name": "tie", "title": "t", "shows": "s", "runbook": "roundtrip", "run_s": 290, "step": FILL_AND_FUND,
             "expect": [{"that": "fills"}]}, "tie",
        )  # fmt: skip
        self.residual, self.state = Decimal("NaN"), FsmState.INIT
        self.metrics = open_metrics(symbols=drill.rules.symbols, assets=("USDT",), version="0")
        self.report = run_drill(drill, 3, prepare=self._watch)
        assert self.report.ok, self.report.checks
        self.notes = [note.detail for _, note in self.day.tape.of(Note) if note.topic == "tieout"]
        self.bundles = [order for _, order in self.day.tape.of(WriteBundle) if order.mode == "tieout"]
        self.degraded = [move.at_ms for move in self.report.transitions if move.reason == FsmReason.POSITION_MISMATCH]

    def _watch(self, day: DrillDay) -> None:
        self.day = day
        day.scheduler.at(day.end_ns - 1, self._look)

    def _look(self) -> None:
        state = self.day.state()
        assert state is not None
        MetricsSink(self.metrics, quote_asset="USDT").gauge(state)
        self.residual = Decimal(str(self.metrics.read("tieout_residual", ("USDT",))))
        self.state = state.fsm.state

    def causes(self) -> list[str]:
        return [line for order in self.bundles for name, line in order.facts if name.startswith("cause")]

    def income(self, kind: str) -> list[dict[str, Any]]:
        """The venue's rows since the first start."""
        rows = self.day.core.truth()["income"]
        return [row for row in rows if row["incomeType"] == kind and int(row["time"]) >= self.day.start_ms]


def test_a_clean_run_gives_zero_with_evidence_for_each_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tieout_rows, "DAY_MS", 100_000)
    seen = Seen()
    assert seen.residual == 0 and not seen.degraded and seen.state is FsmState.ACTIVE
    assert len(seen.bundles) >= 2 and {order.status for order in seen.bundles} == {"ok"}
    assert {note.split(":")[0] for note in seen.notes} == {"ties_out 0"}
    listed = sum(len(seen.income(kind)) for kind in ("REALIZED_PNL", "COMMISSION", "FUNDING_FEE"))
    assert sum(int(dict(order.facts)["rows"]) for order in seen.bundles) == listed > 4


def test_a_wrong_fee_is_named_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a tenth of a percent of the wallet it is told, and trading goes on."""
    spoiled: list[int] = []
    book = observe_fills._book_money

    def wrong(state: Any, symbol: Any, fill: Fill) -> None:
        off = Decimal("0.5") if not spoiled else Decimal(0)
        spoiled.append(fill.trade_id)
        book(state, symbol, replace(fill, fee=fill.fee + off))

    monkeypatch.setattr(observe_fills, "_book_money", wrong)
    seen = Seen()
    fee = next(row["income"] for row in seen.income("COMMISSION") if row["tradeId"] == str(spoiled[0]))
    assert seen.residual == Decimal("0.5")
    assert [order.status for order in seen.bundles] == ["finding"]
    ours = (Decimal(fee) - Decimal("0.5")).normalize()
    assert seen.causes() == [
        f"amount_differs COMMISSION BTCUSDT {spoiled[0]} USDT ours {ours:f} venue {Decimal(fee):f}"
    ]
    assert not seen.degraded


def test_a_funding_row_we_did_not_book_is_named_and_degrades(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is listed and our code loses it: the wallet stays wrong by more than a tenth of a percent."""
    booked = tieout_rows.booked

    def lost(tie: Any, kind: str, *rest: Any) -> None:
        if kind != "FUNDING_FEE":
            booked(tie, kind, *rest)

    add = observe_fills.add

    def unbooked(book: dict[str, Decimal], asset: str, amount: Decimal) -> None:
        if abs(amount) < 100:
            add(book, asset, amount)

    monkeypatch.setattr(tieout_rows, "booked", lost)
    monkeypatch.setattr(observe_fills, "add", unbooked)
    seen = Seen()
    paid = Decimal(seen.income("FUNDING_FEE")[0]["income"])
    assert paid < -100 and seen.residual == paid
    assert any(cause.startswith("missing_here FUNDING_FEE BTCUSDT") for cause in seen.causes())
    assert seen.degraded and seen.state is FsmState.DEGRADED


def test_a_row_the_venue_never_lists_moves_the_wallet_and_degrades(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = RestLink._answer

    def without(self: RestLink, method: str, path: str, params: dict[str, Any], signed: bool) -> Any:
        reply = answer(self, method, path, params, signed)
        if path.endswith("/income"):
            rows: Any = reply.payload
            reply.payload = [row for row in rows if row["incomeType"] != "FUNDING_FEE"]
        return reply

    monkeypatch.setattr(RestLink, "_answer", without)
    seen = Seen()
    assert seen.residual == Decimal(seen.income("FUNDING_FEE")[0]["income"])
    assert seen.degraded and seen.state is FsmState.DEGRADED
