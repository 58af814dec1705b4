"""Whatever typed input arrives, however odd, the step takes it: an exception would end the engine."""

from decimal import Decimal
from typing import Any

from gridops.domain.events import (
    AccountReport,
    BudgetSeen,
    Event,
    LoopReport,
    OperatorInput,
    OrderReport,
    QueryReply,
    StreamChanged,
    VenueNotice,
    ViewChanged,
    Woke,
    WriteReply,
)
from gridops.domain.market import MarketView
from gridops.domain.orders import VenueBalance, VenueIncome, VenueModes, VenueOrder, VenuePosition, VenueTrade
from gridops.domain.vocabulary import OperatorCommand, QueryKind, Side, Stream, VenueCode, WriteOutcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.engine_kit import SYMBOL, WALL_0_MS, Desk

FOREIGN = ("", "x", "web_1", "goabcd1700000000deadbeef", "goabcd9700000000deadbeef", "é" * 40)
WHOLE = st.sampled_from((0, 1, -1, 7, -7, 10**6, 650_000, 10**12, -(10**12)))
MONEY = st.sampled_from(tuple(map(Decimal, ("0", "1", "-1", "1e-12", "12345.678", "1e15", "-1e15"))))
NAMES = st.sampled_from((SYMBOL, SYMBOL, SYMBOL, "XRPUSDT", ""))
TIMES = st.sampled_from((0, -1, WALL_0_MS, WALL_0_MS + 5_000, WALL_0_MS + 10**9))
STATUS = st.sampled_from(("NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED", "", "NEW_INSURANCE"))
SIDES = st.sampled_from(tuple(Side))


def _orders(ids: st.SearchStrategy[str]) -> st.SearchStrategy[VenueOrder]:
    return st.builds(
        VenueOrder,
        client_id=ids,
        venue_id=st.sampled_from(("", "1", "2", "77")),
        symbol=NAMES,
        side=SIDES,
        price_ticks=WHOLE,
        lots=WHOLE,
        filled_lots=WHOLE,
        reduce_only=st.booleans(),
        order_type=st.sampled_from(("LIMIT", "MARKET", "STOP")),
        tif=st.sampled_from(("GTC", "GTX", "???")),
        status=STATUS,
        updated_ms=TIMES,
    )


_TRADES = st.builds(
    VenueTrade,
    symbol=NAMES,
    trade_id=st.integers(-1, 6),
    venue_id=st.sampled_from(("", "1", "2", "77")),
    side=SIDES,
    price_ticks=WHOLE,
    lots=WHOLE,
    fee=MONEY,
    fee_asset=st.sampled_from(("USDT", "BNB", "")),
    realised=MONEY,
    maker=st.booleans(),
    at_ms=TIMES,
)
_POSITIONS = st.builds(
    VenuePosition,
    symbol=NAMES,
    lots=WHOLE,
    entry_price=MONEY,
    mark_price=MONEY,
    unrealised=MONEY,
    liquidation_price=MONEY,
    updated_ms=TIMES,
    position_side=st.sampled_from(("BOTH", "LONG")),
)
_INCOMES = st.builds(
    VenueIncome,
    income_type=st.sampled_from(("FUNDING_FEE", "TRANSFER", "INSURANCE_CLEAR", "COMMISSION", "")),
    tran_id=st.sampled_from(("", "1", "2")),
    symbol=NAMES,
    asset=st.sampled_from(("USDT", "BNB", "")),
    amount=MONEY,
    at_ms=TIMES,
)
_VIEWS = st.builds(
    MarketView,
    symbol=NAMES,
    bid_ticks=WHOLE,
    bid_lots=WHOLE,
    ask_ticks=WHOLE,
    ask_lots=WHOLE,
    mark_ticks=WHOLE,
    book_event_ms=TIMES,
    book_seen_ms=TIMES,
    mark_event_ms=TIMES,
    mark_seen_ms=TIMES,
)


def _events(desk: Desk) -> st.SearchStrategy[Event]:
    """Inputs that speak of what this desk really has under way, as often as of what nobody knows."""
    orphans = [client_id[:-1] + "z" for client_id in list(desk.orders)[:1]]
    ids = st.sampled_from((*FOREIGN, *orphans, *desk.orders, *list(desk.closed)[-3:]))
    ops = st.sampled_from((*list(desk.state.op_owner)[-8:], 0, 1, -1, 10**9))
    asked = desk.state.sync.asked
    queries = st.sampled_from((*((q, a.kind, a.symbol) for q, a in asked.items()), (10**9, QueryKind.TRADES, SYMBOL)))
    return st.one_of(
        st.builds(ViewChanged, view=_VIEWS),
        st.builds(
            OrderReport,
            client_id=ids,
            venue_id=st.sampled_from(("", "1", "2", "77")),
            symbol=NAMES,
            side=SIDES,
            execution=st.sampled_from(("NEW", "TRADE", "CANCELED", "AMENDMENT", "CALCULATED", "EXPIRED", "")),
            status=STATUS,
            price_ticks=WHOLE,
            lots=WHOLE,
            filled_lots=WHOLE,
            last_lots=WHOLE,
            last_ticks=WHOLE,
            trade_id=st.integers(-1, 6),
            fee=MONEY,
            fee_asset=st.sampled_from(("USDT", "BNB", "")),
            realised=MONEY,
            maker=st.booleans(),
            reduce_only=st.booleans(),
            order_type=st.just("LIMIT"),
            tif=st.just("GTX"),
            event_ms=TIMES,
            trade_ms=TIMES,
        ),
        st.builds(
            WriteReply,
            op_id=ops,
            outcome=st.sampled_from(tuple(WriteOutcome)),
            code=st.sampled_from(tuple(VenueCode)),
            number=st.sampled_from((0, -2011, -1)),
            detail=st.just(""),
            order=st.none() | _orders(ids),
            started_ms=TIMES,
            ended_ms=TIMES,
        ),
        queries.flatmap(lambda q: _replies(q, ids)),
        st.builds(
            AccountReport,
            reason=st.sampled_from(("ORDER", "FUNDING_FEE", "")),
            balances=st.lists(st.builds(VenueBalance, asset=st.just("USDT"), wallet=MONEY)).map(tuple),
            positions=st.just(()),
            event_ms=TIMES,
        ),
        st.builds(
            VenueNotice,
            kind=st.sampled_from(("MARGIN_CALL", "ACCOUNT_CONFIG_UPDATE", "book_invalid", "", "?")),
            symbol=NAMES,
            detail=st.just(""),
            event_ms=TIMES,
        ),
        st.builds(
            BudgetSeen,
            weight_1m=WHOLE,
            orders_10s=WHOLE,
            orders_1m=WHOLE,
            retry_after_ms=st.sampled_from((0, -1, 1_000, 10**9)),
            banned=st.booleans(),
        ),
        st.builds(StreamChanged, stream=st.sampled_from(tuple(Stream)), up=st.booleans(), detail=st.just("")),
        st.builds(LoopReport, lag_ms=WHOLE, resumed=st.booleans()),
        st.builds(
            OperatorInput,
            command=st.sampled_from(tuple(OperatorCommand)),
            request_id=st.just(""),
            author=st.just(""),
            reason=st.just(""),
            accept_position=st.booleans(),
        ),
        st.builds(Woke),
    )


def _replies(asked: tuple[int, QueryKind, str], ids: st.SearchStrategy[str]) -> st.SearchStrategy[QueryReply]:
    few: Any = {"max_size": 3}
    return st.builds(
        QueryReply,
        query_id=st.just(asked[0]),
        kind=st.just(asked[1]),
        symbol=st.just(asked[2]),
        ok=st.sampled_from((True, True, True, False)),
        code=st.sampled_from(tuple(VenueCode)),
        detail=st.just(""),
        started_ms=TIMES,
        ended_ms=TIMES,
        complete=st.booleans(),
        orders=st.lists(_orders(ids), **few).map(tuple),
        positions=st.lists(_POSITIONS, **few).map(tuple),
        balances=st.lists(st.builds(VenueBalance, asset=st.sampled_from(("USDT", "")), wallet=MONEY), **few).map(tuple),
        modes=st.none()
        | st.builds(VenueModes, hedge=st.booleans(), multi_assets=st.booleans(), can_trade=st.just(True)),
        trades=st.lists(_TRADES, **few).map(tuple),
        incomes=st.lists(_INCOMES, **few).map(tuple),
        clock_offset_ms=WHOLE,
        maintenance_margin=MONEY,
        margin_balance=MONEY,
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_typed_input_makes_the_step_raise(data: st.DataObject) -> None:
    desk = Desk()
    desk.up()
    # Late enough that every kind of read is under way: an answer to no question is passed over.
    desk.feed(Woke(), after_ms=31_000)
    for _ in range(data.draw(st.integers(1, 25))):
        desk.feed(data.draw(_events(desk)), after_ms=data.draw(st.sampled_from((0, 1, 600, 2_500))))
        if data.draw(st.booleans()):
            desk.view()
