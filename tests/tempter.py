"""Asks for what a state may forbid: in every step one increase, one reduction and one cancel, by the production chain.

Put in the place of `act.run` it lets the engine decide first, then hands its own operations to the same gates, commit
and outbox. What it was granted and refused is told to whoever listens; what leaves the process is for the venue to say.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from gridops.domain.plan import Op
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmState, Intent, OpKind, OrderType, Side, StopMode, TimeInForce
from gridops.runtime import act, commit, protect
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

EVERY_MS = 400
"""Pause after the newest order: a cancelled rung comes back, and would be cancelled again at once."""
RISE_LOTS = 9
"""The size by which an increase of ours is known at the venue."""
FAR_BPS = 300
"""Below the market, so that it rests."""


@record
class Attempt:
    """One operation asked for."""

    at_ms: int
    """Venue time as the engine knows it."""
    state: FsmState
    stop_mode: StopMode
    intent: Intent
    client_id: str
    """Of the order it names or makes; empty when the chain refused it."""
    drawdown: bool
    read_age_ms: int | None
    named: bool
    """Did a venue read of this boot name the order to cancel?"""


class Tempter:
    """Its `run` stands for the engine's; `attempts` grow. `forced` skips the gates: only the outbox is in the way."""

    def __init__(self, *, forced: bool = False, told: Callable[[Attempt], None] | None = None) -> None:
        self.attempts: list[Attempt] = []
        self.forced = forced
        self._told = told or self.attempts.append
        self._run = act.run
        self.on = True
        self.prepare: Callable[[EngineState], None] | None = None
        """What is made true before each decision."""

    def begin(self) -> None:
        """A new engine: nothing was asked for yet."""
        self.attempts.clear()
        self.on, self.prepare = True, None

    def run(self, state: EngineState, out: Out, *rest: Any) -> None:
        """The engine first, then one of each intent."""
        if self.prepare is not None:
            self.prepare(state)
        self._run(state, out, *rest)
        if not self.on:
            return
        for name in sorted(state.symbols):
            symbol = state.symbols[name]
            due = {intent: _due(state, intent) for intent in Intent}
            # Each is made when those before it have been asked for: a reduction is priced past an increase of ours.
            for wish in (self._rise, partial(self._reduce, state), self._cancel):
                op = wish(symbol)
                if op is not None and due[op.intent]:
                    self._ask(state, symbol, op, out)

    def _ask(self, state: EngineState, symbol: SymbolState, op: Op, out: Out) -> None:
        before = set(symbol.orders)
        pending = symbol.orders[op.client_id].pending if op.client_id else None
        if self.forced:
            commit.operations(state, symbol, [op], out)
        else:
            act._carry_out(state, symbol, [], [op], out)
        made = sorted(set(symbol.orders) - before)
        granted = made[0] if made else ""
        if op.client_id and symbol.orders[op.client_id].pending is not pending:
            granted = op.client_id
        age_ms = state.venue_ms - symbol.venue_lots_ms if symbol.venue_lots_ms else None
        self._told(
            Attempt(
                at_ms=state.venue_ms,
                state=state.fsm.state,
                stop_mode=state.fsm.stop_mode,
                intent=op.intent,
                client_id=granted,
                drawdown=state.drawdown.breaches > 0,
                read_age_ms=age_ms,
                named=op.client_id in symbol.named,
            )
        )

    @staticmethod
    def _rise(symbol: SymbolState) -> Op | None:
        if not symbol.view.mark_ticks:
            return None
        price = symbol.view.mark_ticks * (10_000 - FAR_BPS) // 10_000
        # Never where another is in doubt: that is not what is tried here.
        taken = {order.price_ticks for order in (*symbol.orders.values(), *symbol.closed.values())}
        while price in taken:
            price -= 1
        return _op(symbol, OpKind.PLACE, Intent.INCREASE, Side.BUY, price, RISE_LOTS, OrderType.LIMIT, TimeInForce.GTX)

    @staticmethod
    def _reduce(state: EngineState, symbol: SymbolState) -> Op | None:
        held = symbol.venue_lots if symbol.venue_lots_ms > symbol.last_fill_ms else symbol.position_lots
        side = Side.SELL if held > 0 else Side.BUY
        taken = sum(order.worst_lots for order in symbol.orders.values() if order.reduce_only and order.side is side)
        if abs(held) <= taken or any(order.tif is TimeInForce.IOC for order in symbol.orders.values()):
            return None
        price = protect._limit_ticks(state, symbol, side)
        kind = OrderType.LIMIT if price else OrderType.MARKET
        return _op(symbol, OpKind.PLACE, Intent.REDUCE, side, price, 1, kind, TimeInForce.IOC)

    @staticmethod
    def _cancel(symbol: SymbolState) -> Op | None:
        for client_id in sorted(symbol.orders):
            order = symbol.orders[client_id]
            if order.pending is None and order.tif is not TimeInForce.IOC and order.venue_id:
                return _op(
                    symbol, OpKind.CANCEL, Intent.CANCEL, order.side, order.price_ticks, 0, order.order_type, order.tif,
                    client_id, reduce_only=order.reduce_only,
                )  # fmt: skip
        return None


def _due(state: EngineState, intent: Intent) -> bool:
    """At once in a new state, then now and again; by the state alone, so that a journal replays to itself.

    Increases and reductions pause after the newest of their kind, which serves no level; cancels after any order.
    """
    if state.fsm.since_ms == state.now_ms:
        return True
    made = [
        order.created_ms
        for symbol in state.symbols.values()
        for orders in (symbol.orders, symbol.closed)
        for order in orders.values()
        if not order.level or intent is Intent.CANCEL
    ]
    return state.seq % 3 == 0 and state.venue_ms >= max(made, default=0) + EVERY_MS


def _op(
    symbol: SymbolState,
    kind: OpKind,
    intent: Intent,
    side: Side,
    price_ticks: int,
    lots: int,
    order_type: OrderType,
    tif: TimeInForce,
    client_id: str = "",
    *,
    reduce_only: bool = False,
) -> Op:
    return Op(
        index=0,
        kind=kind,
        intent=intent,
        symbol=symbol.symbol,
        level=0,
        side=side,
        price_ticks=price_ticks,
        lots=lots,
        reduce_only=reduce_only or intent is Intent.REDUCE,
        order_type=order_type,
        tif=tif,
        client_id=client_id,
    )
