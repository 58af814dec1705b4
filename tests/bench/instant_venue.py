"""A venue inside the process that confirms everything at once: what brings an engine to ACTIVE with a full ladder.

It keeps orders as a table, answers every effect with the inputs a real one would cause, and judges nothing.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from gridops.domain.effects import Effect, Query, Send, WireOp
from gridops.domain.events import Boot, Event, Header, OrderReport, QueryReply, StreamChanged, ViewChanged, WriteReply
from gridops.domain.instrument import Instrument
from gridops.domain.market import MarketView
from gridops.domain.orders import VenueBalance, VenueModes, VenueOrder, VenuePosition
from gridops.domain.rules import GridRules, RouterRules, Rules
from gridops.domain.vocabulary import FsmState, OpKind, QueryKind, Stream, VenueCode, WriteOutcome
from gridops.runtime.engine import Engine
from gridops.runtime.state import EngineState
from gridops.runtime.step import Step

SYMBOL = "BTCUSDT"
MID_TICKS = 650_000
START_MS = 1_700_000_000_000
_BOOT_ID = "bench"

BTC = Instrument(
    symbol=SYMBOL,
    settle_asset="USDT",
    tick_size=Decimal("0.10"),
    step_size=Decimal("0.001"),
    min_price_ticks=1,
    max_price_ticks=10**8,
    min_lots=1,
    max_lots=10**6,
    market_max_lots=10**5,
    min_notional=Decimal(50),
    percent_up=Decimal("1.05"),
    percent_down=Decimal("0.95"),
)
_ZERO = Decimal(0)


def rules(*, hold_band_pct: int) -> Rules:
    """The defaults with a fixed spacing; `hold_band_pct` 0 lets every rung follow the mid."""
    return Rules(
        symbols=(SYMBOL,),
        grid=GridRules(volatility_scaled=False, regime_scaled=False),
        router=RouterRules(hold_band_pct=hold_band_pct),
    )


class Rig:
    """An engine with its instant venue and a clock that is told the time."""

    def __init__(self, *, hold_band_pct: int = 100) -> None:
        self.engine = Engine(EngineState(rules=Rules(symbols=())))
        self.now_ms = 1_000
        self.seq = 0
        self._mid_ticks = MID_TICKS
        self._rules = rules(hold_band_pct=hold_band_pct)
        self._orders: dict[str, VenueOrder] = {}
        self._answers: deque[Event] = deque()

    def boot(self) -> None:
        """Begin a run and settle until the whole ladder rests."""
        self.settle(self.take(self._boot())[0].effects)
        for stream in Stream:
            self.settle(self.take(StreamChanged(stream=stream, up=True, detail=""))[0].effects)
        for turn in range(400):
            self.settle(self.take(self.view(MID_TICKS, turn % 7 + 1))[0].effects)
            if self.state is FsmState.ACTIVE and len(self.live) == 20 and not self.busy:
                return
        raise AssertionError(f"no full ladder: {self.state}, {len(self.live)} orders")

    @property
    def state(self) -> FsmState:
        return self.engine.state.fsm.state

    @property
    def live(self) -> list[VenueOrder]:
        return [each for each in self._orders.values() if each.status == "NEW"]

    @property
    def busy(self) -> bool:
        return any(order.pending is not None for order in self.engine.state.symbols[SYMBOL].orders.values())

    def header(self, after_ms: int = 20) -> Header:
        """The next input's number and time."""
        self.seq += 1
        self.now_ms += after_ms
        wall_ms = START_MS + self.now_ms
        return Header(
            seq=self.seq, wall_ms=wall_ms, boot_ns=self.now_ms * 1_000_000, boot_id=_BOOT_ID, venue_ms=wall_ms
        )

    def take(self, event: Event, after_ms: int = 20) -> tuple[Step, bytes]:
        return self.engine.handle(self.header(after_ms), event)

    def view(self, mid_ticks: int, lots: int) -> ViewChanged:
        """A book one tick wide around a price, as of now."""
        self._mid_ticks = mid_ticks
        wall_ms = START_MS + self.now_ms
        return ViewChanged(
            view=MarketView(
                symbol=SYMBOL,
                bid_ticks=mid_ticks,
                bid_lots=10_000 + lots,
                ask_ticks=mid_ticks + 1,
                ask_lots=12_000,
                mark_ticks=mid_ticks,
                last_ticks=mid_ticks,
                book_event_ms=wall_ms,
                book_seen_ms=self.now_ms,
                mark_event_ms=wall_ms,
                mark_seen_ms=self.now_ms,
                trade_event_ms=wall_ms,
                trade_seen_ms=self.now_ms,
            )
        )

    def settle(self, effects: Iterable[Effect]) -> None:
        """Answer effects, and what the answers lead to, until the engine wants nothing more."""
        self.answer(effects)
        while self._answers:
            done, _ = self.take(self._answers.popleft(), 1)
            self.answer(done.effects)

    def answer(self, effects: Iterable[Effect]) -> None:
        """Queue the inputs that the effects cause."""
        for effect in effects:
            if isinstance(effect, Query):
                self._answers.append(self._read(effect))
            elif isinstance(effect, Send):
                self._answers.extend(self._write(op) for op in effect.ops)

    @property
    def queued(self) -> int:
        """Inputs that wait to be taken."""
        return len(self._answers)

    def refresh(self) -> None:
        """Let a second pass and settle what is due then, so that timed steps hold no more than their own work."""
        self.settle(self.take(self.view(self._mid_ticks, 1), 1_100)[0].effects)

    def answers(self) -> list[Event]:
        """Take the queued inputs instead of settling them."""
        taken = list(self._answers)
        self._answers.clear()
        return taken

    def report(self, reply: WriteReply) -> OrderReport:
        """The user stream's word for a confirmed write."""
        order = reply.order
        assert order is not None
        return OrderReport(
            client_id=order.client_id,
            venue_id=order.venue_id,
            symbol=order.symbol,
            side=order.side,
            execution="AMENDMENT",
            status=order.status,
            price_ticks=order.price_ticks,
            lots=order.lots,
            filled_lots=0,
            last_lots=0,
            last_ticks=0,
            trade_id=0,
            fee=_ZERO,
            fee_asset="",
            realised=_ZERO,
            maker=False,
            reduce_only=order.reduce_only,
            order_type=order.order_type,
            tif=order.tif,
            event_ms=order.updated_ms,
            trade_ms=order.updated_ms,
        )

    def _write(self, op: WireOp) -> WriteReply:
        order = None if op.kind is OpKind.DEADMAN else self._changed(op)
        wall_ms = START_MS + self.now_ms
        return WriteReply(
            op_id=op.op_id,
            outcome=WriteOutcome.CONFIRMED,
            code=VenueCode.OK,
            number=0,
            detail="",
            order=order,
            started_ms=wall_ms,
            ended_ms=wall_ms,
        )

    def _changed(self, op: WireOp) -> VenueOrder:
        order = VenueOrder(
            client_id=op.client_id,
            venue_id=op.venue_id or str(80_000_000_000 + len(self._orders)),
            symbol=op.symbol,
            side=op.side,
            price_ticks=op.price_ticks,
            lots=op.lots,
            filled_lots=0,
            reduce_only=op.reduce_only,
            order_type=op.order_type.value,
            tif=op.tif.value,
            status="CANCELED" if op.kind is OpKind.CANCEL else "NEW",
            updated_ms=START_MS + self.now_ms,
        )
        self._orders[op.client_id] = order
        return order

    def _read(self, query: Query) -> QueryReply:
        wall_ms = START_MS + self.now_ms
        found: dict[str, object] = {}
        if query.kind is QueryKind.OPEN_ORDERS:
            found["orders"] = tuple(self.live)
        elif query.kind is QueryKind.RULES:
            found["instruments"] = (BTC,)
        elif query.kind is QueryKind.POSITIONS:
            found["positions"] = (_flat(),)
            found["balances"] = (VenueBalance(asset="USDT", wallet=Decimal(100_000)),)
            found["modes"] = VenueModes(hedge=False, multi_assets=False, can_trade=True)
        return QueryReply(
            query_id=query.query_id,
            kind=query.kind,
            symbol=query.symbol,
            ok=True,
            code=VenueCode.OK,
            detail="",
            started_ms=wall_ms,
            ended_ms=wall_ms,
            **found,  # type: ignore[arg-type]
        )

    def _boot(self) -> Boot:
        return Boot(
            run_id="bench0000000",
            instance_tag="bnch",
            account="bench",
            fingerprint="bench",
            epoch=1_700_000_000,
            build="bench",
            config_hash="",
            armed=True,
            live=False,
            rules=self._rules,
            instruments=(BTC,),
        )


def _flat() -> VenuePosition:
    return VenuePosition(
        symbol=SYMBOL,
        lots=0,
        entry_price=_ZERO,
        mark_price=Decimal(65_000),
        unrealised=_ZERO,
        liquidation_price=_ZERO,
        updated_ms=0,
    )
