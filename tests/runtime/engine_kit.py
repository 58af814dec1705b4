"""A desk around the real step: one engine, a clock that stands still, and a venue's answers given by hand."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from gridops.domain.effects import Effect, Query, Send, WireOp
from gridops.domain.events import (
    Boot,
    Event,
    Header,
    OrderReport,
    QueryReply,
    StreamChanged,
    ViewChanged,
    Woke,
    WriteReply,
)
from gridops.domain.instrument import Instrument
from gridops.domain.market import MarketView
from gridops.domain.orders import Order, VenueBalance, VenueModes, VenueOrder, VenuePosition, VenueTrade
from gridops.domain.records import Record
from gridops.domain.rules import GridRules, Rules
from gridops.domain.vocabulary import (
    FsmState,
    OpKind,
    OrderState,
    QueryKind,
    Side,
    StopMode,
    Stream,
    VenueCode,
    WriteOutcome,
)
from gridops.runtime.engine import Engine
from gridops.runtime.state import EngineState
from gridops.runtime.step import Step

SYMBOL = "BTCUSDT"
EPOCH = 1_700_000_000
WALL_0_MS = 1_700_000_000_000
BOOT_0_MS = 5_000_000
"""Venue and wall clock agree; the boot clock has its own zero."""
INSTRUMENT = Instrument(
    symbol=SYMBOL,
    settle_asset="USDT",
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    min_price_ticks=1,
    max_price_ticks=10**9,
    min_lots=1,
    max_lots=10**6,
    market_max_lots=10**5,
    min_notional=Decimal(50),
    percent_up=Decimal("1.05"),
    percent_down=Decimal("0.95"),
)
RULES = Rules(symbols=(SYMBOL,), grid=GridRules(levels=3))


class Desk:
    """Feeds one input after the other. `open_orders`, `trades` and `position` are what the venue would answer."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.engine = Engine(EngineState(rules=rules))
        self.at_ms = 0
        self.set_ms = 0
        """By how much the wall clock was set meanwhile."""
        self.bid = 650_000
        self.open_orders: dict[str, VenueOrder] = {}
        self.trades: list[VenueTrade] = []
        self.position = 0
        self.instrument = INSTRUMENT
        self.wallet = Decimal(10_000)
        self.history: list[tuple[Header, Event, bytes]] = []
        self.records: list[Record] = []
        self.sent: list[WireOp] = []
        self.effects: list[Effect] = []
        self._numbers = 0

    @property
    def state(self) -> EngineState:
        return self.engine.state

    def fsm(self) -> FsmState:
        return self.state.fsm.state

    @property
    def venue_ms(self) -> int:
        return WALL_0_MS + self.at_ms + self.set_ms

    @property
    def orders(self) -> dict[str, Order]:
        return self.state.symbols[SYMBOL].orders

    @property
    def closed(self) -> dict[str, Order]:
        return self.state.symbols[SYMBOL].closed

    def feed(self, event: Event, *, after_ms: int = 0) -> Step:
        """One input, `after_ms` after the last one."""
        self.at_ms += after_ms
        header = Header(
            seq=self.state.seq + 1,
            wall_ms=self.venue_ms,
            boot_ns=(BOOT_0_MS + self.at_ms) * 1_000_000,
            boot_id="boot",
            venue_ms=self.venue_ms,
        )
        done, body = self.engine.handle(header, event)
        self.history.append((header, event, body))
        self.records += done.records
        self.effects += done.effects
        self.sent += [op for effect in done.effects if isinstance(effect, Send) for op in effect.ops]
        return done

    def said(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.records if isinstance(each, kind)]

    def boot(self, epoch: int = EPOCH, *, kill_latched: bool = False) -> Step:
        return self.feed(
            Boot(
                run_id=f"run{epoch}",
                instance_tag="abcd",
                account="paper",
                fingerprint="paper-1",
                epoch=epoch,
                build="test",
                config_hash="0",
                armed=True,
                live=False,
                rules=self.rules,
                instruments=(INSTRUMENT,),
                kill_latched=kill_latched,
            )
        )

    def view(self, bid: int | None = None, *, after_ms: int = 25) -> Step:
        """A market view with a fresh book and mark."""
        self.bid = self.bid if bid is None else bid
        self.at_ms += after_ms
        seen_ms = BOOT_0_MS + self.at_ms
        return self.feed(
            ViewChanged(
                view=MarketView(
                    symbol=SYMBOL,
                    bid_ticks=self.bid,
                    bid_lots=5_000,
                    ask_ticks=self.bid + 1,
                    ask_lots=5_000,
                    mark_ticks=self.bid,
                    book_event_ms=self.venue_ms,
                    book_seen_ms=seen_ms,
                    mark_event_ms=self.venue_ms,
                    mark_seen_ms=seen_ms,
                )
            )
        )

    def user_stream(self, up: bool) -> Step:
        return self.feed(StreamChanged(stream=Stream.USER, up=up, detail=""), after_ms=1)

    def answer(self, effects: Sequence[Effect]) -> list[Step]:
        """The venue's true answers to these questions, in order."""
        return [self.feed(self.reply(each), after_ms=1) for each in effects if isinstance(each, Query)]

    def reply(self, query: Query, **fields: Any) -> QueryReply:
        """A successful answer out of what the venue holds; `fields` replace parts of it."""
        known: dict[str, Any] = {}
        match query.kind:
            case QueryKind.POSITIONS:
                known = self._account()
            case QueryKind.OPEN_ORDERS:
                known = {"orders": tuple(self.open_orders.values())}
            case QueryKind.TRADES:
                known = {"trades": tuple(each for each in self.trades if each.trade_id >= query.from_id)}
            case QueryKind.RULES:
                known = {"instruments": (self.instrument,)}
            case QueryKind.ORDER:
                seen = self.open_orders.get(query.client_id)
                known = {"orders": (seen,)} if seen else {"code": VenueCode.NO_SUCH_ORDER}
        said = {"ok": True, "code": VenueCode.OK, "detail": "", **known, **fields}
        return QueryReply(
            query_id=query.query_id,
            kind=query.kind,
            symbol=query.symbol,
            started_ms=self.venue_ms,
            ended_ms=self.venue_ms,
            **said,
        )

    def _account(self) -> dict[str, Any]:
        held = VenuePosition(
            symbol=SYMBOL,
            lots=self.position,
            entry_price=Decimal(65_000),
            mark_price=Decimal(65_000),
            unrealised=Decimal(0),
            liquidation_price=Decimal(0),
            updated_ms=self.venue_ms,
        )
        return {
            "positions": (held,),
            "balances": (VenueBalance(asset="USDT", wallet=self.wallet),),
            "modes": VenueModes(hedge=False, multi_assets=False, can_trade=True),
            "margin_balance": self.wallet,
        }

    def acknowledge(self, op: WireOp) -> Step:
        """The venue accepts an operation and says so."""
        if op.kind is OpKind.DEADMAN:
            return self.outcome(op, WriteOutcome.CONFIRMED)
        if op.kind is OpKind.CANCEL:
            seen = replace(self.open_orders.pop(op.client_id), status="CANCELED", updated_ms=self.venue_ms)
        else:
            seen = self.rest(op)
        return self.outcome(op, WriteOutcome.CONFIRMED, order=seen)

    def rest(self, op: WireOp) -> VenueOrder:
        """The venue takes the order or its amendment, whoever hears of it."""
        self._numbers += 1
        known = self.open_orders.get(op.client_id)
        seen = VenueOrder(
            client_id=op.client_id,
            venue_id=known.venue_id if known else str(self._numbers),
            symbol=SYMBOL,
            side=op.side,
            price_ticks=op.price_ticks,
            lots=op.lots,
            filled_lots=0,
            reduce_only=op.reduce_only,
            order_type=op.order_type.value,
            tif=op.tif.value,
            status="NEW",
            updated_ms=self.venue_ms,
        )
        self.open_orders[op.client_id] = seen
        return seen

    def outcome(
        self,
        op: WireOp,
        outcome: WriteOutcome,
        *,
        code: VenueCode = VenueCode.OK,
        number: int = 0,
        order: VenueOrder | None = None,
        after_ms: int = 1,
    ) -> Step:
        return self.feed(
            WriteReply(
                op_id=op.op_id,
                outcome=outcome,
                code=code,
                number=number,
                detail="",
                order=order,
                started_ms=self.venue_ms,
                ended_ms=self.venue_ms + 1,
            ),
            after_ms=after_ms,
        )

    def trade(self, client_id: str, trade_id: int, lots: int | None = None) -> VenueTrade:
        """The market fills an own order: what the venue's books say, not yet what we were told."""
        order = self.open_orders.pop(client_id)
        done = order.lots if lots is None else lots
        if done < order.lots:
            self.open_orders[client_id] = replace(order, filled_lots=done, status="PARTIALLY_FILLED")
        self.position += order.side.sign * done
        self.wallet -= Decimal("0.02")
        seen = VenueTrade(
            symbol=SYMBOL,
            trade_id=trade_id,
            venue_id=order.venue_id,
            side=order.side,
            price_ticks=order.price_ticks,
            lots=done,
            fee=Decimal("0.02"),
            fee_asset="USDT",
            realised=Decimal(0),
            maker=True,
            at_ms=self.venue_ms,
        )
        self.trades.append(seen)
        return seen

    def report(self, order: VenueOrder, trade: VenueTrade) -> OrderReport:
        """The stream's word about a trade."""
        return OrderReport(
            client_id=order.client_id,
            venue_id=order.venue_id,
            symbol=SYMBOL,
            side=order.side,
            execution="TRADE",
            status="FILLED" if trade.lots == order.lots else "PARTIALLY_FILLED",
            price_ticks=order.price_ticks,
            lots=order.lots,
            filled_lots=trade.lots,
            last_lots=trade.lots,
            last_ticks=trade.price_ticks,
            trade_id=trade.trade_id,
            fee=trade.fee,
            fee_asset=trade.fee_asset,
            realised=trade.realised,
            maker=True,
            reduce_only=order.reduce_only,
            order_type=order.order_type,
            tif=order.tif,
            event_ms=self.venue_ms,
            trade_ms=trade.at_ms,
        )

    def run_ms(self, ms: int, *, every_ms: int = 100, acknowledge: bool = True) -> None:
        """Let time pass with a quiet market and a venue that answers everything."""
        until_ms = self.at_ms + ms
        while self.at_ms < until_ms:
            self.settle(self.view(after_ms=every_ms), acknowledge=acknowledge)
            self.settle(self.feed(Woke()), acknowledge=acknowledge)

    def settle(self, done: Step, *, acknowledge: bool = True) -> None:
        """Answer a step's effects, and those of the answers, until nothing is asked any more."""
        waiting: list[Effect] = list(done.effects)
        while waiting:
            effect = waiting.pop(0)
            if isinstance(effect, Query):
                waiting += self.feed(self.reply(effect), after_ms=1).effects
            elif isinstance(effect, Send):
                for op in effect.ops if acknowledge or effect.kind is OpKind.DEADMAN else ():
                    waiting += self.acknowledge(op).effects

    def up(self) -> None:
        """Boot, streams, truth, ladder: until the engine quotes and every order rests."""
        boot = self.boot()
        self.user_stream(True)
        self.settle(boot)
        self.run_ms(2_000)
        assert self.fsm() is FsmState.ACTIVE, self.state.levels
        assert {each.state for each in self.orders.values()} == {OrderState.OPEN}

    def nearest(self, side: Side) -> Order:
        """The working order closest to the market on one side."""
        return min((o for o in self.orders.values() if o.side is side), key=lambda each: abs(each.level))


def stop_rules(mode: StopMode) -> Rules:
    return replace(RULES, stop_mode=mode)
