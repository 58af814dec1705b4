"""Gates that stand behind the planner: each alone keeps from the venue what a planner gone wrong would ask for.

The production engine trades in virtual time; after its own decision, a request that one rule forbids is handed to the
same chain, commit and outbox. The venue's own books say whether it ever arrived. With that one gate silent the same
request does arrive, so it is this gate that kept it, and nothing else in the composed graph.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from gridops.decide import gates
from gridops.decide.gates import Link
from gridops.decide.levels import frozen_symbols
from gridops.domain.plan import Op
from gridops.domain.records import GateRefused
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmState, Gate, Intent, OpKind, OrderType, Side, TimeInForce
from gridops.runtime import act, facts
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState
from gridops.sim.day import ACCOUNT, RULES
from tests.sim.stage import Stage

pytestmark = pytest.mark.simulation
SEED, HELD_LOTS, LEVEL = 17, 5, 0
PENDING_LIMIT, CHURN_LIMIT = 3, 12
EVERY_MS = 400


@dataclass
class Asker:
    """Stands for `act.run`: the engine first, then one more request while `due`. What was made is kept by client id."""

    wish: Callable[[EngineState, SymbolState], Op | None]
    run_engine: Callable[..., None] = act.run
    on: bool = False
    made: list[str] = field(default_factory=list)
    asked: int = 0
    last_ms: int = 0

    def run(self, state: EngineState, out: Out, *rest: Any) -> None:
        self.run_engine(state, out, *rest)
        if not self.on or state.fsm.state is not FsmState.ACTIVE or state.venue_ms < self.last_ms + EVERY_MS:
            return
        for symbol in state.symbols.values():
            op = self.wish(state, symbol)
            if op is None:
                continue
            self.last_ms, self.asked, before = state.venue_ms, self.asked + 1, set(symbol.orders)
            act._carry_out(state, symbol, [], [op], out)
            self.made += sorted(set(symbol.orders) - before)


def place(
    symbol: SymbolState,
    side: Side,
    price_ticks: int,
    lots: int,
    *,
    tif: TimeInForce = TimeInForce.GTX,
    reduce: bool = False,
) -> Op:
    intent = Intent.REDUCE if reduce else Intent.INCREASE
    return Op(
        index=0, kind=OpKind.PLACE, intent=intent, symbol=symbol.symbol, level=LEVEL, side=side,
        price_ticks=price_ticks, lots=lots, reduce_only=reduce, order_type=OrderType.LIMIT, tif=tif, client_id="",
    )  # fmt: skip


def far_below(symbol: SymbolState) -> int:
    """A price at which a buy rests."""
    return symbol.view.mark_ticks * 97 // 100


def when_frozen(state: EngineState, symbol: SymbolState) -> Op | None:
    frozen = symbol.symbol in frozen_symbols(state.levels, tuple(state.symbols))
    return place(symbol, Side.BUY, far_below(symbol), 2) if frozen else None


def too_large(state: EngineState, symbol: SymbolState) -> Op | None:
    limit = symbol.instrument.units(state.rules.risk.max_order_notional)
    return place(symbol, Side.BUY, far_below(symbol), limit // facts.mark_ticks(symbol) + 1)


def one_too_many(_state: EngineState, symbol: SymbolState) -> Op | None:
    full = len(symbol.orders) >= PENDING_LIMIT
    return place(symbol, Side.BUY, far_below(symbol), 2) if full else None


def more_than_held(state: EngineState, symbol: SymbolState) -> Op | None:
    held = symbol.venue_lots
    known = symbol.venue_lots_ms > symbol.last_fill_ms and held == symbol.position_lots
    if not held or not known or any(order.reduce_only and not order.level for order in symbol.orders.values()):
        return None
    side = Side.SELL if held > 0 else Side.BUY
    ticks = symbol.view.mark_ticks * (10_000 + 300 * -side.sign) // 10_000
    return place(symbol, side, ticks, abs(held) + 3, reduce=True)


def into_our_own(_state: EngineState, symbol: SymbolState) -> Op | None:
    """Buys what we sell ourselves, deep enough to get there."""
    asks = [o for o in symbol.orders.values() if o.side is Side.SELL and o.pending is None and o.venue_id]
    if not asks:
        return None
    return place(symbol, Side.BUY, max(order.price_ticks for order in asks), 2, tif=TimeInForce.GTC)


def harmless(_state: EngineState, symbol: SymbolState) -> Op | None:
    return place(symbol, Side.BUY, far_below(symbol), 2)


def used_up(state: EngineState, symbol: SymbolState) -> Op | None:
    spent = sum(state.counters.churn[1::2]) >= CHURN_LIMIT
    return place(symbol, Side.BUY, far_below(symbol), 2) if spent else None


def _leverage(stage: Stage) -> None:
    """Another hand changes the leverage: a warning about the symbol, which freezes it and nothing more."""
    stage.rest.by_another_hand("POST", "/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": "7"})


def _unlisted(stage: Stage) -> None:
    """The engine trades a symbol that its settings do not name."""
    stage.state.rules = replace(stage.state.rules, symbols=("ETHUSDT",))


def _trade(stage: Stage) -> None:
    stage.hold(HELD_LOTS)


def _nothing(_stage: Stage) -> None:
    """The ladder alone is enough."""


@dataclass(frozen=True)
class Scene:
    wish: Callable[[EngineState, SymbolState], Op | None]
    prepare: Callable[[Stage], None] = _nothing
    run_s: int = 20
    rules: Rules = RULES


def risk(**changes: Any) -> Rules:
    return replace(RULES, risk=replace(RULES.risk, **changes))


SCENES: dict[Gate, Scene] = {
    Gate.WHITELIST: Scene(harmless, _unlisted),
    Gate.DATA_TRUST: Scene(when_frozen, _leverage, run_s=90),
    Gate.ORDER_SIZE: Scene(too_large, rules=risk(symbol_cap=Decimal(20_000), account_cap=Decimal(20_000))),
    Gate.PENDING: Scene(one_too_many, rules=risk(max_pending=PENDING_LIMIT)),
    Gate.REDUCE_ONLY: Scene(more_than_held, _trade, run_s=60),
    Gate.SELF_CROSS: Scene(into_our_own),
    Gate.CHURN: Scene(used_up, rules=risk(churn_per_hour=CHURN_LIMIT)),
}


def played(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> tuple[Asker, set[str], set[Gate]]:
    """What was asked, the client ids the venue ever saw, refused or not, and the gates recorded as refusing."""
    scene = SCENES[gate]
    asker = Asker(scene.wish)
    monkeypatch.setattr(act, "run", asker.run)
    stage = Watched(SEED, rules=scene.rules)
    stage.judge._one_per_level = lambda order: None  # type: ignore[method-assign]
    stage.judge.rows._one_per_level = lambda op: None  # type: ignore[method-assign]
    stage.judge._reducing = lambda legs: None  # type: ignore[method-assign]
    try:
        stage.begin()
        scene.prepare(stage)
        asker.on = True
        stage.run_s(scene.run_s)
    finally:
        stage.close()
    arrived = {str(each["clientOrderId"]) for each in stage.core.truth()["orders"] if each["account"] == ACCOUNT}
    arrived |= {str(each.leg.get("newClientOrderId")) for each in stage.writes}
    return asker, arrived, {each.gate for each in stage.refusals if not each.level}


class Watched(Stage):
    """Also keeps what the chain refused."""

    def __init__(self, seed: int, *, rules: Rules) -> None:
        super().__init__(seed, rules=rules)
        self.refusals: list[GateRefused] = []

    def _recovered(self) -> Any:
        engine = super()._recovered()
        engine.sinks = (*engine.sinks, self)
        return engine

    def take(self, _header: Any, records: Any) -> None:
        self.refusals += [each for each in records if isinstance(each, GateRefused)]

    def gauge(self, _state: Any) -> None:
        """Nothing to show."""


@pytest.mark.parametrize("gate", SCENES, ids=str)
def test_the_gate_alone_keeps_it_from_the_venue(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    asker, arrived, refused_by = played(gate, monkeypatch)
    assert asker.asked, "nothing was asked for: nothing is shown"
    assert not asker.made and arrived, f"{len(asker.made)} of {asker.asked} passed"
    assert refused_by == {gate}


@pytest.mark.parametrize("gate", SCENES, ids=str)
def test_without_the_gate_it_arrives(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Link(gate, frozenset(Intent), lambda *_: "")
    by_intent = {
        intent: tuple((name, silent.judge if name is gate else judge) for name, judge in row)
        for intent, row in gates._BY_INTENT.items()
    }
    monkeypatch.setattr(gates, "_BY_INTENT", by_intent)
    asker, arrived, refused_by = played(gate, monkeypatch)
    assert set(asker.made) & arrived, f"{asker.asked} asked, {len(asker.made)} let go, refused by {refused_by}"
